package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/history/historytest"
)

// endedBy is the signal that ended a command, 0 if it ended by itself.
func endedBy(t *testing.T, err error) syscall.Signal {
	t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		t.Errorf("%v: %s", err, exit.Stderr)
		return 0
	}
	return status.Signal()
}

// A command whose output is closed ends by SIGPIPE, and says nothing.
func TestClosedOutput(t *testing.T) {
	h := newHistory(t)
	for _, args := range [][]string{
		{"journal", "log"},
		{"journal", "log", "--json", "-n", "3"},
		{"journal", "log", "--follow"},
		{"journal", "head"},
		{"journal", "show", "4"},
		{"journal", "export", "--out", "-"},
		{"journal", "export", "--format", "parquet", "--out", "-"},
		{"journal", "verify"},
		{"replay", "--at", "seq:4"},
		{"replay", "diff", "seq:4", "seq:8"},
		{"replay", "explain", "--json"},
		{"status"},
		{"status", "--json"},
		{"version"},
	} {
		r, w, err := os.Pipe()
		historytest.Check(t, err)
		historytest.Check(t, r.Close())
		cmd := exec.Command("edgectl", append(args, "--state-root", h.Dir)...)
		var errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = w, &errs
		if sig := endedBy(t, cmd.Run()); sig != syscall.SIGPIPE || errs.Len() > 0 {
			t.Errorf("%v: ended by %d, %s", args, sig, errs.String())
		}
		historytest.Check(t, w.Close())
	}
}

// A follower ends when its output is closed, although nothing is appended.
func TestFollowIntoHead(t *testing.T) {
	h := newHistory(t)
	cmd := exec.Command("edgectl", "journal", "log", "--follow", "--state-root", h.Dir)
	out, err := cmd.StdoutPipe()
	historytest.Check(t, err)
	historytest.Check(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for range 8 { // all there are
		lines.Scan()
	}
	historytest.Check(t, out.Close())
	if sig := endedBy(t, cmd.Wait()); sig != syscall.SIGPIPE {
		t.Errorf("ended by %d", sig)
	}
}

// An interrupted command ends by the signal that it got, and leaves no file.
func TestInterrupted(t *testing.T) {
	h := newHistory(t)
	signals := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}
	for _, sig := range signals {
		// Under nohup, or behind "&" in a script, a child inherits that the
		// signal is ignored. It does not if this process handles it.
		signal.Notify(make(chan os.Signal, 1), sig)
	}
	defer signal.Reset()
	for _, sig := range signals {
		cmd := exec.Command("edgectl", "journal", "log", "-f", "--state-root", h.Dir)
		out, err := cmd.StdoutPipe()
		historytest.Check(t, err)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		historytest.Check(t, cmd.Start())
		bufio.NewScanner(out).Scan() // it follows
		historytest.Check(t, cmd.Process.Signal(sig))
		if got := endedBy(t, cmd.Wait()); got != sig || errs.Len() > 0 {
			t.Errorf("%v: ended by %v, %s", sig, got, errs.String())
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	file := filepath.Join(dir, "out")
	for _, args := range []string{
		"journal verify", "journal export --out " + file, "journal export --format parquet --out " + file,
		"journal show 0123", "journal tiles --out " + file, "audit bundle --unsigned --out " + file,
		"replay --at epoch:1 --out " + file, "replay diff seq:1 seq:8", "replay explain",
	} {
		var out, errs bytes.Buffer
		code := run(&env{ctx: ctx, getenv: os.Getenv, mounts: mounts, stdout: &out, stderr: &errs}, append(strings.Fields(args), "--state-root", h.Dir))
		left, err := os.ReadDir(dir)
		historytest.Check(t, err)
		if code != 2 || len(left) > 0 || out.Len() > 0 {
			t.Errorf("%s: exit %d, left %v, %s%s", args, code, left, out.String(), errs.String())
		}
	}
}

// endsAfter is a context that is cancelled once it was asked so many times.
type endsAfter struct {
	context.Context
	looks int
}

func (c *endsAfter) Err() error {
	if c.looks--; c.looks < 0 {
		return context.Canceled
	}
	return nil
}

// Tiles that were interrupted say that they go on when they are run again, and do.
func TestTilesInterrupted(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	h.First()
	for range 300 { // more than a tile
		h.Match()
	}
	h.Publish()
	if code, _, errs := call(nil, "init", h.Dir, "--node", "node-7"); code != 0 {
		t.Fatal(errs)
	}
	signed := filepath.Join(t.TempDir(), "checkpoint")
	_, text, errs := call(nil, "journal", "checkpoint", "--state-root", h.Dir)
	if text == "" {
		t.Fatal(errs)
	}
	historytest.Check(t, os.WriteFile(signed, []byte(text), 0o600))
	advised := 0
	for looks := 0; ; looks++ {
		dir := filepath.Join(t.TempDir(), "tiles")
		args := []string{"journal", "tiles", "--out", dir, "--checkpoint", signed, "--state-root", h.Dir}
		var out, errs bytes.Buffer
		if run(&env{ctx: &endsAfter{context.Background(), looks}, getenv: os.Getenv, mounts: mounts, stdout: &out, stderr: &errs}, args) == 0 {
			break
		}
		_, err := os.Stat(filepath.Join(dir, "tile"))
		if begun := err == nil; begun != strings.Contains(errs.String(), "run it again") || out.Len() > 0 {
			t.Errorf("after %d looks: tiles written: %t; %s%s", looks, begun, out.String(), errs.String())
		} else if begun {
			advised++
		}
		if code, out, errs := call(nil, args...); code != 0 || !strings.Contains(out, "a tree of ") {
			t.Errorf("after %d looks, again: %d, %s%s", looks, code, out, errs)
		}
	}
	if advised == 0 {
		t.Error("no interruption met tiles that were written")
	}
}
