package audit

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/journal/record"
)

// sums is the list of hashes, held against the files as they come: both are in
// the order of names.
type sums struct {
	list   []byte // what follows the line that was read
	line   int    // its number
	hash   record.Hash
	name   string
	more   bool
	about  record.Hash // of bundle.json, which comes before the list
	told   bool
	broken error // a line is none of a list of hashes: nothing more is held against it
}

func newSums(list []byte) *sums {
	s := &sums{list: list}
	s.next()
	return s
}

// next reads a line. It reads what b3sum reads and nothing else: a list that
// people's tools refuse is not taken here.
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
		s.about, s.told = hash, true
	}
}

// read takes the next line off the list.
func (s *sums) read() (record.Hash, string, error) {
	line, rest, ended := bytes.Cut(s.list, []byte("\n"))
	s.list = rest
	text, name, ok := strings.Cut(string(line), "  ")
	hash, err := record.ParseHash(text)
	switch {
	case !ended:
		return hash, "", fmt.Errorf("it has no line feed")
	case !ok || err != nil:
		return hash, "", fmt.Errorf("it is no BLAKE3, two spaces and a name")
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }):
		return hash, "", fmt.Errorf("the name %q has characters that none has", name)
	case s.name != "" && name <= s.name:
		return hash, "", fmt.Errorf("%s comes after %s: the names are not in their order", name, s.name)
	}
	return hash, name, nil
}

// file holds the next file of the archive against the list.
func (s *sums) file(p *parts, name string, hash record.Hash) {
	for s.more && s.name < name {
		p.bad(CodeAbsent, 0, "%s is in the list of hashes and not in the bundle", s.name)
		s.next()
	}
	switch {
	case s.broken != nil:
		return // the list's own finding says that nothing vouches for this
	case !s.more || s.name > name:
		p.bad(CodeUnlisted, 0, "%s is not in the list of hashes", name)
		return
	case s.hash != hash:
		p.bad(CodeFile, 0, "%s: its BLAKE3 is %s, the list of hashes says %s", name, hash, s.hash)
	}
	s.next()
}

// end says what the list names beyond the last file.
func (s *sums) end(p *parts, about record.Hash) {
	if s == nil {
		p.bad(CodeAbsent, 0, "the bundle holds no %s", history.BundleSums)
		return
	}
	for s.more {
		p.bad(CodeAbsent, 0, "%s is in the list of hashes and not in the bundle", s.name)
		s.next()
	}
	switch {
	case s.broken != nil:
		p.bad(CodeForm, 0, "%s: %v; what follows is held against no list", history.BundleSums, s.broken)
	case !s.told || s.about != about:
		p.bad(CodeFile, 0, "%s is not the one that the list of hashes names", history.BundleAbout)
	}
}
