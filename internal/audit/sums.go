package audit

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/journal/record"
)

// sums compares the list of hashes with the files of a bundle, line by line: both
// are sorted by name.
type sums struct {
	list   []byte // the lines that are not read yet
	line   int    // number of the current line
	hash   record.Hash
	name   string
	more   bool        // there is a current line
	about  record.Hash // of bundle.json, which precedes the list
	listed bool        // about was read
	broken error       // the first line that cannot be read; the list ends there
}

func newSums(list []byte) *sums {
	s := &sums{list: list}
	s.next()
	return s
}

// next reads a line. It accepts no list that b3sum would refuse.
func (s *sums) next() {
	for s.more = len(s.list) > 0; s.more; s.more = len(s.list) > 0 {
		s.line++
		hash, name, err := s.read()
		if err != nil {
			s.broken, s.more = fmt.Errorf("line %d: %w", s.line, err), false
			return
		}
		s.hash, s.name = hash, name
		if name != history.BundleAbout {
			return
		}
		s.about, s.listed = hash, true
	}
}

// read removes the next line from the list and returns its hash and name.
func (s *sums) read() (record.Hash, string, error) {
	line, after, ended := bytes.Cut(s.list, []byte("\n"))
	s.list = after
	text, name, ok := strings.Cut(string(line), "  ")
	hash, err := record.ParseHash(text)
	switch {
	case !ended:
		return hash, "", fmt.Errorf("it has no line feed")
	case !ok || err != nil:
		return hash, "", fmt.Errorf("it is not a BLAKE3, two spaces and a name")
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }):
		return hash, "", fmt.Errorf("the name %q has a character that is not allowed", name)
	case s.name != "" && name <= s.name:
		return hash, "", fmt.Errorf("%s follows %s: the list is not sorted by name", name, s.name)
	}
	return hash, name, nil
}

// file compares the next file of the archive with the list.
func (s *sums) file(p *contents, name string, hash record.Hash) {
	for s.more && s.name < name {
		p.bad(CodeAbsent, 0, "%s is in the list of hashes, but not in the bundle", s.name)
		s.next()
	}
	switch {
	case s.broken != nil:
		return // end reports it
	case !s.more || s.name > name:
		p.bad(CodeUnlisted, 0, "%s is not in the list of hashes", name)
		return
	case s.hash != hash:
		p.bad(CodeFile, 0, "%s: its BLAKE3 is %s, but the list of hashes says %s", name, hash, s.hash)
	}
	s.next()
}

// end reports the lines after the last file, a broken list, and a wrong hash of
// bundle.json.
func (s *sums) end(p *contents, about record.Hash) {
	if s == nil {
		p.bad(CodeAbsent, 0, "the bundle holds no %s", history.BundleSums)
		return
	}
	for s.more {
		p.bad(CodeAbsent, 0, "%s is in the list of hashes, but not in the bundle", s.name)
		s.next()
	}
	switch {
	case s.broken != nil:
		p.bad(CodeForm, 0, "%s: %v; the files from here on were not compared with it", history.BundleSums, s.broken)
	case !s.listed || s.about != about:
		p.bad(CodeFile, 0, "%s is not the one in the list of hashes", history.BundleAbout)
	}
}
