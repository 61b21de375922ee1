// Package logging makes the console logger of both binaries: tint on a
// terminal, logfmt in a pipe, JSON where asked for.
package logging

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/lmittmann/tint"
	"golang.org/x/sys/unix"
)

// Formats and Levels are what --log-format and --log-level take.
var (
	Formats = []string{"auto", "logfmt", "json", "pretty"}
	Levels  = []string{"debug", "info", "warn", "error"}
)

// Level reads a level's name; "" is info.
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

// New gives a logger that writes to w in format. auto is pretty where w is a
// terminal and logfmt elsewhere; noColor keeps pretty free of escapes.
func New(w io.Writer, format string, level slog.Leveler, noColor bool) (*slog.Logger, error) {
	if format == "auto" || format == "" {
		format = "logfmt"
		if isTerminal(w) {
			format = "pretty"
		}
	}
	switch format {
	case "logfmt":
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})), nil
	case "pretty":
		return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, NoColor: noColor})), nil
	}
	return nil, fmt.Errorf("log format %q is not one of %s", format, strings.Join(Formats, ", "))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
