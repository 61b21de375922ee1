package logging

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/autonomyops/edged/internal/journald"
)

// journaled sends each record to systemd's journal as an entry: MESSAGE is the
// line that the inner handler writes, the other fields are for searches. If the
// journal does not accept an entry at once, its line is written to the console
// with its priority.
type journaled struct {
	slog.Handler // it writes each record to out.line by one call
	out          *output
	attrs        []slog.Attr // of WithAttrs, with their full names
	groups       string      // the names of the open groups, each with a dot
}

// output is shared by all handlers that were derived from one handler.
type output struct {
	console *Console
	mu      sync.Mutex
	line    bytes.Buffer
}

func (h journaled) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.line.Reset()
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	line := h.out.line.Bytes()
	if journald.Send(h.out.console.socket, h.entry(r, bytes.TrimSuffix(line, []byte("\n")))) == nil {
		return nil
	}
	_, err := h.out.console.Write(append([]byte("<"+priority(r.Level)+">"), line...))
	return err
}

// entry returns the entry of a record and its line. An attribute of the record
// takes precedence over a field of the console with the same name.
func (h journaled) entry(r slog.Record, line []byte) []byte {
	attrs := slices.Clip(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		attrs = appendAttr(attrs, h.groups, a)
		return true
	})
	e := journald.AppendField(nil, "MESSAGE", string(line))
	e = journald.AppendField(e, "MESSAGE_ID", journald.MessageID(r.Message))
	e = journald.AppendField(e, "PRIORITY", priority(r.Level))
	e = journald.AppendField(e, "SYSLOG_IDENTIFIER", journald.Identifier)
	if unit := journald.Unit(); unit != "" {
		e = journald.AppendField(e, "OBJECT_SYSTEMD_UNIT", unit)
	}
	e = journald.AppendField(e, "EDGE_EVENT", r.Message)
	given := map[string]bool{}
	for _, a := range attrs {
		name := journald.Name(a.Key)
		given[name] = true
		for _, v := range values(a.Value) {
			e = journald.AppendField(e, name, v)
		}
	}
	if h.out.console.fields != nil {
		for _, a := range h.out.console.fields() {
			if name := journald.Name(a.Key); !given[name] {
				e = journald.AppendField(e, name, a.Value.String())
			}
		}
	}
	return e
}

// values returns the text of a value, or those of the elements of a list.
func values(v slog.Value) []string {
	switch v.Kind() {
	case slog.KindTime:
		return []string{v.Time().UTC().Format(time.RFC3339Nano)}
	case slog.KindAny:
		if list, ok := v.Any().([]string); ok {
			return list
		}
	}
	return []string{v.String()}
}

// appendAttr appends an attribute with its full name, or each attribute of a
// group.
func appendAttr(attrs []slog.Attr, groups string, a slog.Attr) []slog.Attr {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindGroup {
		return append(attrs, slog.Attr{Key: groups + a.Key, Value: v})
	}
	if a.Key != "" {
		groups += a.Key + "."
	}
	for _, inner := range v.Group() {
		attrs = appendAttr(attrs, groups, inner)
	}
	return attrs
}

func (h journaled) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(attrs)
	h.attrs = slices.Clip(h.attrs) // other handlers derived from this one append too
	for _, a := range attrs {
		h.attrs = appendAttr(h.attrs, h.groups, a)
	}
	return h
}

func (h journaled) WithGroup(name string) slog.Handler {
	h.Handler, h.groups = h.Handler.WithGroup(name), h.groups+name+"."
	return h
}

// priority is the syslog priority of a level.
func priority(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "3"
	case level >= slog.LevelWarn:
		return "4"
	case level >= slog.LevelInfo:
		return "6"
	}
	return "7"
}
