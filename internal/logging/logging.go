// Package logging makes the gate's console logger: tint on a terminal, logfmt
// in a pipe, JSON if asked for, and priorities if systemd's journal reads it.
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
// [Console] on a terminal, and logfmt otherwise; noColor keeps pretty free of
// escapes. On a Console that systemd's journal reads, each line begins with its
// priority.
func New(w io.Writer, format string, level slog.Leveler, noColor bool) (*slog.Logger, error) {
	console, _ := w.(*Console)
	if format == "auto" || format == "" {
		format = "logfmt"
		if console != nil && console.terminal {
			format = "pretty"
		}
	}
	out := &marked{w: w}
	if console != nil && console.journal {
		w = out
	}
	var handler slog.Handler
	switch format {
	case "logfmt":
		handler = slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
	case "json":
		handler = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
	case "pretty":
		handler = tint.NewTextHandler(w, &tint.Options{Level: level, NoColor: noColor})
	default:
		return nil, fmt.Errorf("log format %q is not one of %s", format, strings.Join(Formats, ", "))
	}
	if w == out {
		handler = prioritized{handler, out}
	}
	return slog.New(handler), nil
}
