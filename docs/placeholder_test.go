package docs

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// Placeholders in promised output. A hash is written by its first and last
// four digits, an abbreviated one by its first four, a UUID by its first
// eight; within a document the same letters mean the same value, and other
// letters another. A time means any time. A lone … is a line of its own or part
// of one: anything, but not nothing.
const (
	hashForm  = `[0-9a-f]{4}…[0-9a-f]{4}`
	shortForm = `[0-9a-f]{4}…`
	uuidForm  = `[0-9a-f]{8}-…`
	timeForm  = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z`
	tintForm  = `(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d\.\d{3}`
)

// placeholders is compiled where it is needed: once per document.
func placeholders() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^…$|` + hashForm + `|` + uuidForm + `|` + shortForm + `|` + timeForm + `|` + tintForm + `|…`)
}

// matcher compares outputs with what a document promises, and remembers what
// its abbreviations stand for.
type matcher struct {
	form   *regexp.Regexp
	values map[string]string // abbreviation to value
	names  map[string]string // value to abbreviation
}

func newMatcher() *matcher {
	return &matcher{form: placeholders(), values: map[string]string{}, names: map[string]string{}}
}

// match reports how got is not what was promised.
func (m *matcher) match(want, got string) error {
	var pattern strings.Builder
	var bound []string // the abbreviation of each group
	last := 0
	for _, at := range m.form.FindAllStringIndex(want, -1) {
		pattern.WriteString(regexp.QuoteMeta(want[last:at[0]]))
		token := want[at[0]:at[1]]
		alone := (at[0] == 0 || want[at[0]-1] == '\n') && at[1] < len(want) && want[at[1]] == '\n'
		expr, binds := expression(token, alone)
		pattern.WriteString(expr)
		if binds {
			bound = append(bound, token)
		}
		last = at[1]
	}
	pattern.WriteString(regexp.QuoteMeta(want[last:]))
	groups := regexp.MustCompile(`^` + pattern.String() + `$`).FindStringSubmatch(got)
	if groups == nil {
		return fmt.Errorf("promised:\n%sprinted:\n%s", want, got)
	}
	for i, name := range bound {
		if err := m.bind(name, groups[i+1]); err != nil {
			return fmt.Errorf("%w\npromised:\n%sprinted:\n%s", err, want, got)
		}
	}
	return nil
}

// expression is the pattern of one placeholder, in a group if it binds.
func expression(token string, alone bool) (string, bool) {
	runes := []rune(token)
	switch {
	case token == "…" && alone:
		return `[^\n]+(?:\n[^\n]+)*?`, false
	case token == "…":
		return `[^\n]+?`, false
	case strings.HasSuffix(token, "-…"):
		return `([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})`, true
	case strings.HasSuffix(token, "…"):
		return `([0-9a-f]{12})`, true
	case len(runes) == 9 && runes[4] == '…':
		return `([0-9a-f]{64})`, true
	case token[0] >= '0' && token[0] <= '9':
		return timeForm, false
	}
	return tintForm, false
}

// bind holds an abbreviation to the value it had before. The beginning of a
// hash is held to the hash.
func (m *matcher) bind(name, value string) error {
	if short, ok := strings.CutSuffix(name, "…"); ok && !strings.HasSuffix(short, "-") {
		for full, v := range m.values {
			if strings.HasPrefix(full, name) && full != name && !strings.HasPrefix(v, value) {
				return fmt.Errorf("%s is %s here, and %s was %s before", name, value, full, v)
			}
		}
	}
	if before, ok := m.values[name]; ok && before != value {
		return fmt.Errorf("%s is %s here and was %s before", name, value, before)
	}
	if before, ok := m.names[value]; ok && before != name {
		return fmt.Errorf("%s and %s are both %s", name, before, value)
	}
	m.values[name], m.names[value] = value, name
	return nil
}

// abbreviate writes output as a document would promise it. What has an
// abbreviation keeps it; all times are one time.
func (m *matcher) abbreviate(s string) string {
	each := func(form string, by func(string) string) { s = regexp.MustCompile(form).ReplaceAllStringFunc(s, by) }
	always := func(by string) func(string) string { return func(string) string { return by } }
	known := func(value, fresh string) string {
		if name, ok := m.names[value]; ok {
			return name
		}
		return fresh
	}
	each(`\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`, func(id string) string { return known(id, id[:9]+"…") })
	each(`\b[0-9a-f]{64}\b`, func(h string) string {
		if strings.Count(h, h[:1]) == len(h) {
			return h // a made-up one
		}
		return known(h, h[:4]+"…"+h[60:])
	})
	each(`\b[0-9a-f]{12}\b`, func(h string) string {
		for v, name := range m.names {
			if strings.HasPrefix(v, h) {
				return string([]rune(name)[:5]) // of the hash, or of its beginning
			}
		}
		return h[:4] + "…"
	})
	each(`(?:key|in) [0-9a-f]{0,3}…`, func(cut string) string { return cut[:strings.Index(cut, " ")] + " …" })
	each(`duration_seconds=[0-9.e-]+`, always("duration_seconds=…"))
	each(`epoch (\d+) in \S+`, func(e string) string { return e[:strings.Index(e, " in ")] + " in …" })
	each(`/edge-tour\.[0-9A-Za-z]{6}\b`, always("/edge-tour.…")) // mktemp's letters
	each(`T\d\d:\d\d:\d\d\.\d+Z`, always("T10:00:00.000Z"))
	each(`T\d\d:\d\d:\d\dZ`, always("T10:00:00Z"))
	each(`\d{4}-\d\d-\d\dT`, always("2026-03-04T"))
	each(tintForm, always("Mar 04 10:00:00.000"))
	return s
}

func TestMatch(t *testing.T) {
	hash, other := strings.Repeat("1f2e", 15)+"9a0b", strings.Repeat("1f2f", 15)+"9a0b"
	id := "2716a3ec-3ae2-4335-a79f-76dc84e73b3d"
	for _, tt := range []struct {
		name, want, got string
		ok              bool
	}{
		{"literal", "exit 0\n", "exit 0\n", true},
		{"another literal", "exit 0\n", "exit 5\n", false},
		{"a line more", "exit 0\n", "exit 0\nexit 0\n", false},
		{"a line less", "exit 0\nexit 0\n", "exit 0\n", false},
		{"nothing", "", "", true},
		{"something for nothing", "", "x\n", false},
		{"hash", "h=1f2e…9a0b\n", "h=" + hash + "\n", true},
		{"hash twice", "h=1f2e…9a0b 1f2e…9a0b\n", "h=" + hash + " " + hash + "\n", true},
		{"two hashes for one", "h=1f2e…9a0b 1f2e…9a0b\n", "h=" + hash + " " + other + "\n", false},
		{"one hash for two", "1f2e…9a0b 0000…0001\n", hash + " " + hash + "\n", false},
		{"not a hash", "h=1f2e…9a0b\n", "h=12\n", false},
		{"beginning", "1f2e…9a0b 1f2e…\n", hash + " " + hash[:12] + "\n", true},
		{"beginning of another", "1f2e…9a0b 1f2e…\n", hash + " " + other[:12] + "\n", false},
		{"uuid", "2716a3ec-…\n", id + "\n", true},
		{"not a uuid", "2716a3ec-…\n", "2716a3ec\n", false},
		{"time", "t=2026-03-04T10:00:00Z\n", "t=2031-11-22T22:51:46.579Z\n", true},
		{"not a time", "t=2026-03-04T10:00:00Z\n", "t=now\n", false},
		{"tint", "Mar 04 10:00:00.000 INF\n", "Nov 22 22:51:46.579 INF\n", true},
		{"part of a line", "a … c\n", "a b b c\n", true},
		{"no part of a line", "a … c\n", "a  c\n", false},
		{"part of two lines", "a … c\n", "a b\nb c\n", false},
		{"lines", "a\n…\nc\n", "a\nb\nb\nc\n", true},
		{"no lines", "a\n…\nc\n", "a\nc\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := newMatcher().match(tt.want, tt.got); (err == nil) != tt.ok {
				t.Errorf("match = %v", err)
			}
			if !tt.ok {
				return
			}
			m := newMatcher()
			for range 2 { // the second time every value is known
				if err := m.match(m.abbreviate(tt.got), tt.got); err != nil {
					t.Errorf("what abbreviate makes of it does not match it: %v", err)
				}
			}
		})
	}
}
