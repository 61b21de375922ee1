package docs_test

import (
	"regexp"
	"strings"
	"testing"
)

// In promised output a whole hash is written by its first and last four digits,
// the beginning of one by its first four, a UUID by its first eight. All times
// are one time, and … replaces other things that differ from run to run.
const (
	hashName = `[0-9a-f]{4}…[0-9a-f]{4}`
	uuidName = `[0-9a-f]{8}-…`
)

// scrubber writes output as a page promises it. It gives each hash and UUID one
// name: those of the page, in the order in which it has them, and then others.
type scrubber struct {
	hashes, uuids []string          // names that are still to be given
	names         map[string]string // by value
}

// newScrubber takes the names from what a page promises.
func newScrubber(promised string) *scrubber {
	distinct := func(form string) (all []string) {
		seen := map[string]bool{}
		for _, name := range regexp.MustCompile(form).FindAllString(promised, -1) {
			if !seen[name] {
				seen[name] = true
				all = append(all, name)
			}
		}
		return all
	}
	return &scrubber{hashes: distinct(hashName), uuids: distinct(uuidName), names: map[string]string{}}
}

func (s *scrubber) name(value string, free *[]string, fresh string) string {
	if _, known := s.names[value]; !known {
		if len(*free) > 0 {
			fresh, *free = (*free)[0], (*free)[1:]
		}
		s.names[value] = fresh
	}
	return s.names[value]
}

func (s *scrubber) scrub(out string) string {
	each := func(form string, by func(string) string) {
		out = regexp.MustCompile(form).ReplaceAllStringFunc(out, by)
	}
	all := func(form, by string) { out = regexp.MustCompile(form).ReplaceAllString(out, by) }
	all(`\x1b\[[0-9;]*m|\r`, "") // a terminal's
	each(`\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`, func(id string) string { return s.name(id, &s.uuids, id[:9]+"…") })
	each(`\b[0-9a-f]{64}\b`, func(h string) string {
		if strings.Count(h, h[:1]) == len(h) {
			return h // a made-up one
		}
		return s.name(h, &s.hashes, h[:4]+"…"+h[60:])
	})
	each(`\b[0-9a-f]{12}\b`, func(short string) string {
		for value, name := range s.names {
			if strings.HasPrefix(value, short) {
				return name[:4] + "…"
			}
		}
		return short[:4] + "…"
	})
	all(`duration_seconds=[0-9.e-]+`, "duration_seconds=…")
	all(`(epoch \d+ in) \S+`, "$1 …")
	all(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`, "2026-03-04T10:00:00${1}Z")
	all(`T10:00:00\.\d+Z`, "T10:00:00.000Z")
	return out
}

func TestScrub(t *testing.T) {
	a, b := strings.Repeat("1f2e", 15)+"9a0b", strings.Repeat("1f2f", 15)+"9a0b"
	s := newScrubber("h=259a…8ea7 259a…8ea7 e27c…ec0e b4eed81e-…")
	for _, tt := range [][2]string{
		{"exit 0\n", "exit 0\n"},
		{a + " " + b + " " + a + "\n", "259a…8ea7 e27c…ec0e 259a…8ea7\n"},
		{a[:12] + " " + b[:12] + " 0123456789ab", "259a… e27c… 0123…"},
		{"2716a3ec-3ae2-4335-a79f-76dc84e73b3d", "b4eed81e-…"},
		{"2716a3ed-3ae2-4335-a79f-76dc84e73b3d", "2716a3ed-…"},
		{strings.Repeat("01", 32), "0101…0101"},
		{strings.Repeat("0", 64), strings.Repeat("0", 64)},
		{"t=2031-11-22T22:51:46.579Z u=2031-11-22T22:51:46Z", "t=2026-03-04T10:00:00.000Z u=2026-03-04T10:00:00Z"},
		{"\x1b[2m2026-11-22T22:51:46.579Z\x1b[0m h=\x1b[0m" + a + "\r\n", "2026-03-04T10:00:00.000Z h=259a…8ea7\n"},
	} {
		if got := s.scrub(tt[0]); got != tt[1] {
			t.Errorf("%q is scrubbed to %q, want %q", tt[0], got, tt[1])
		}
	}
}
