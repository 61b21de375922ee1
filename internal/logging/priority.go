package logging

import (
	"context"
	"io"
	"log/slog"
	"sync"
)

// prioritized writes the priority of each record before its line, for systemd's journal. The
// inner handler writes each record in one call.
type prioritized struct {
	slog.Handler
	out *marked
}

// marked is the writer that all handlers derived from one share.
type marked struct {
	mu   sync.Mutex
	mark string
	w    io.Writer
}

func (m *marked) Write(p []byte) (int, error) {
	if _, err := m.w.Write(append([]byte(m.mark), p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (h prioritized) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.mark = priority(r.Level)
	return h.Handler.Handle(ctx, r)
}

func (h prioritized) WithAttrs(attrs []slog.Attr) slog.Handler {
	return prioritized{h.Handler.WithAttrs(attrs), h.out}
}

func (h prioritized) WithGroup(name string) slog.Handler {
	return prioritized{h.Handler.WithGroup(name), h.out}
}
