package main

import (
	"strconv"
	"strings"
	"time"
)

// parseTime reads a point in time as people write it: RFC 3339, a date or a
// date and time in UTC, or an age (90m, 36h, 7d). "" is the zero time.
func parseTime(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC(), nil
		}
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.UTC().AddDate(0, 0, -int(n)), nil
		}
	}
	if age, err := time.ParseDuration(s); err == nil && age >= 0 {
		return now.UTC().Add(-age), nil
	}
	return time.Time{}, fail("write RFC 3339 (2026-03-04T10:00:00Z), a date (2026-03-04) or an age (36h, 7d)", "%s %q is not a time", flag, s)
}
