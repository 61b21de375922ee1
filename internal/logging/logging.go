// Package logging creates the gate's logger: tint on a terminal, logfmt in a
// pipe, JSON on request, and entries with fields if systemd's journal reads it.
// Times are in UTC.
package logging

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/lmittmann/tint"
)

// Formats and Levels are the values of --log-format and --log-level.
var (
	Formats = []string{"auto", "logfmt", "json", "pretty"}
	Levels  = []string{"debug", "info", "warn", "error"}
)

// Level returns the level of this name; "" is info.
func Level(name string) (slog.Level, error) {
	switch strings.ToLower(name) {
	case "debug":
		return slog.LevelDebug, nil
	case "info", "":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("log level %q is not one of %s", name, strings.Join(Levels, ", "))
}

// New returns a logger that writes to w in format. auto is pretty if w is a
// [Console] on a terminal, and logfmt otherwise; noColor turns the colors of
// pretty off. If w is a Console that systemd's journal reads, records are sent as
// entries with fields.
func New(w io.Writer, format string, level slog.Leveler, noColor bool) (*slog.Logger, error) {
	console, _ := w.(*Console)
	if format == "auto" || format == "" {
		format = "logfmt"
		if console != nil && console.terminal {
			format = "pretty"
		}
	}
	var out *output
	if console != nil && console.journal {
		out = &output{console: console}
		w = &out.line
	}
	var handler slog.Handler
	switch format {
	case "logfmt":
		handler = slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: inUTC})
	case "json":
		handler = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: inUTC})
	case "pretty":
		handler = tint.NewTextHandler(w, &tint.Options{Level: level, NoColor: noColor, ReplaceAttr: inUTC, TimeFormat: timeForm})
	default:
		return nil, fmt.Errorf("log format %q is not one of %s", format, strings.Join(Formats, ", "))
	}
	if out != nil {
		handler = journaled{Handler: handler, out: out}
	}
	return slog.New(handler), nil
}

// timeForm is the format of times in slog's text handler.
const timeForm = "2006-01-02T15:04:05.000Z07:00"

func inUTC(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindTime {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}
