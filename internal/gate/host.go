package gate

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/osid"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/internal/tlscert"
)

// LinuxHost is the running system. Its logger discards; the caller sets it.
func LinuxHost() Host {
	return Host{
		Getenv:   os.Getenv,
		Now:      time.Now,
		BootID:   osid.BootID,
		UptimeMS: osid.Uptime,
		NewID:    uuid.NewV7,
		OS:       osid.Host(),
		OpenRoot: openLinuxRoot,
		OpenPair: tlscert.Open,
		Stdout:   io.Discard,
		Logger:   func(string) *slog.Logger { return slog.New(slog.DiscardHandler) },
	}
}

// linuxRoot is a state root on a real disk.
type linuxRoot struct {
	root  *durable.Root
	facts stateroot.Facts
}

func openLinuxRoot(path string, opt stateroot.Options) (Root, error) {
	root, facts, err := stateroot.Open(path, opt)
	if err != nil {
		return nil, err
	}
	return &linuxRoot{root: root, facts: *facts}, nil
}

func (l *linuxRoot) FS() durable.FS         { return l.root }
func (l *linuxRoot) Facts() stateroot.Facts { return l.facts }
func (l *linuxRoot) Close() error           { return l.root.Close() }

func (l *linuxRoot) Lock(ctx context.Context) error {
	return stateroot.Lock(ctx, l.root, stateroot.LockWait, stateroot.Clock{})
}
