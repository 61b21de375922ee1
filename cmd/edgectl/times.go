package main

import (
	"strconv"
	"strings"
	"time"
)

// parseTime reads a time in the past as people write it: as for
// [parseInstant], or as an age (90m, 36h, 7d). "" is the zero time.
func parseTime(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := parseInstant(flag, s); err == nil {
		return t, nil
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

// parseInstant reads RFC 3339, a date, or a date and time in UTC. The letters of
// RFC 3339 may be lower case.
func parseInstant(flag, s string) (time.Time, error) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(form, strings.ToUpper(s)); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fail("write RFC 3339 (2026-03-04T10:00:00Z) or a date (2026-03-04)", "%s %q is not a time", flag, s)
}

// parseEnd is parseTime for a time up to which records are meant. Times are
// printed to the second, so one without a fraction means all of its second: a
// printed time that is typed back includes its record.
func parseEnd(flag, s string, now time.Time) (time.Time, error) {
	t, err := parseTime(flag, s, now)
	if err == nil && strings.Count(s, ":") >= 2 && t.Nanosecond() == 0 && !strings.Contains(s, ".") {
		t = t.Add(time.Second - 1)
	}
	return t, err
}
