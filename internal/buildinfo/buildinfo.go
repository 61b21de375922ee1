// Package buildinfo identifies the build of a binary. The linker sets its variables;
// otherwise the values are those that the go command stamped.
package buildinfo

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

// Set by the linker (-X): the version, the commit it was built from, and that
// commit's time in RFC 3339.
var (
	Version    = "devel"
	Commit     = ""
	CommitTime = ""
)

// Time returns the commit's time, zero if it is unknown. The gate never assumes an
// earlier time.
func Time() time.Time {
	text := CommitTime
	if text == "" {
		text = stamped("vcs.time")
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// Software returns the version and commit of the binary name in one word, as journaled.
func Software(name string) string {
	return fmt.Sprintf("%s/%s+%s", name, Version, commit())
}

// String returns the output of the version command for the binary name.
func String(name string) string {
	return fmt.Sprintf("%s %s\ncommit %s\n%s %s/%s\n", name, Version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func commit() string {
	if Commit != "" {
		return Commit
	}
	if c := stamped("vcs.revision"); c != "" {
		return c
	}
	return "unknown"
}

func stamped(key string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
