package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/journal/record"
)

// FuzzSums: a list of hashes passes only if b3sum prints the same for the files.
func FuzzSums(f *testing.F) {
	files := map[string]record.Hash{}
	var lines []string
	for _, name := range []string{history.BundleAbout, "README.txt", "epochs/1/evidence.json", "records.jsonl"} {
		files[name] = record.HashOf([]byte(name))
		lines = append(lines, fmt.Sprintf("%s  %s\n", files[name], name))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[66:], b[66:]) })
	good := strings.Join(lines, "")
	f.Add([]byte(good))
	f.Add([]byte(good[:len(good)-1]))
	f.Add([]byte(lines[0] + good))
	f.Add([]byte(strings.ReplaceAll(good, "\n", "\r\n")))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, list []byte) {
		p := &contents{findings: &findings{}}
		s := newSums(list)
		for _, line := range lines {
			if name := strings.TrimSpace(line[66:]); name != history.BundleAbout {
				s.file(p, name, files[name])
			}
		}
		s.end(p, files[history.BundleAbout])
		if len(p.list) > 0 {
			return
		}
		if string(list) != good { // b3sum itself writes it in one way
			t.Errorf("the list passes and is not what b3sum prints:\n%q", list)
		}
	})
}
