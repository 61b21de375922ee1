package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/autonomyops/edged/internal/evidence"
	"github.com/autonomyops/edged/journal"
)

// limits of what is held in memory of a bundle.
const (
	maxText = 64 << 10 // a checkpoint, a key, bundle.json
	maxSums = 64 << 20 // the list of hashes
)

// parts are a bundle, taken apart.
type parts struct {
	about      evidence.About
	checkpoint []byte
	public     []byte
	epochs     map[string]journal.Hash // files beneath epochs/
	keys       map[string]journal.Hash // files beneath keys/
	records    *evidence.Source        // nil where they cannot be opened
	before     map[string]*evidence.Source
	findings   []journal.Finding
	broken     []journal.Finding // of records that cannot be opened
}

func (p *parts) close() {
	for _, src := range p.before {
		_ = src.Close() // of our own, and only read
	}
	if p.records != nil {
		_ = p.records.Close()
	}
}

func (p *parts) bad(code, format string, args ...any) {
	p.findings = append(p.findings, journal.Finding{Severity: journal.SeverityError, Code: code, Detail: fmt.Sprintf(format, args...)})
}

// takeApart reads a bundle once: each file is held against the list of hashes,
// records are unpacked, and of the others what the verdict needs is kept.
func takeApart(ctx context.Context, path string) (*parts, error) {
	p := &parts{epochs: map[string]journal.Hash{}, keys: map[string]journal.Hash{}, before: map[string]*evidence.Source{}}
	var sums *sums
	var about journal.Hash
	err := evidence.WalkBundle(path, func(m evidence.Member, r io.Reader) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if m.Name == evidence.BundleSums {
			list, err := io.ReadAll(io.LimitReader(r, maxSums+1))
			if err != nil || len(list) > maxSums {
				return errors.Join(err, fmt.Errorf("read %s of %s: it is too long", m.Name, path))
			}
			sums = newSums(list)
			return nil
		}
		h := blake3.New()
		if err := p.take(path, m, io.TeeReader(&stopping{ctx, r}, h)); err != nil {
			return err
		}
		hash := journal.Hash(h.Sum(nil))
		switch {
		case m.Name == evidence.BundleAbout:
			about = hash // the list comes after it
		case strings.HasPrefix(m.Name, "epochs/"):
			p.epochs[m.Name] = hash
		case strings.HasPrefix(m.Name, "keys/"):
			p.keys[m.Name] = hash
		}
		if m.Name != evidence.BundleAbout {
			sums.file(p, m.Name, hash)
		}
		return nil
	})
	if err != nil {
		p.close()
		return nil, err
	}
	sums.end(p, about)
	if p.records == nil && p.broken == nil {
		p.bad(CodeAbsent, "the bundle holds no %s", evidence.BundleRecords)
	}
	return p, nil
}

// take keeps what is needed of one file, and reads it to its end.
func (p *parts) take(path string, m evidence.Member, r io.Reader) (err error) {
	switch {
	case evidence.IsLines(m.Name):
		src, err := evidence.Unpack(path, m, r)
		var damage *journal.Error
		switch {
		case err == nil && m.Name == evidence.BundleRecords:
			p.records = src
		case err == nil && isPredecessor(m.Name):
			p.before[m.Name] = src
		case err == nil:
			return src.Close() // of a newer format
		case errors.As(err, &damage) && !errors.Is(err, journal.ErrNewer):
			f := journal.FindingOf(err)
			if m.Name != evidence.BundleRecords {
				p.bad(CodeStory, "%s: %s", m.Name, f.Detail)
			} else {
				p.broken = append(p.broken, f)
			}
		default:
			return err
		}
	case m.Name == evidence.BundleAbout:
		text, err := io.ReadAll(io.LimitReader(r, maxText))
		if err != nil {
			return err
		}
		if p.about, err = evidence.ParseAbout(text); err != nil {
			return err
		}
	case m.Name == checkpointName || m.Name == publicName:
		text, err := io.ReadAll(io.LimitReader(r, maxText))
		if err != nil {
			return err
		}
		if m.Name == publicName {
			p.public = text
		} else {
			p.checkpoint = text
		}
	}
	_, err = io.Copy(io.Discard, r)
	return err
}

// stopping ends a long file when the command is interrupted.
type stopping struct {
	ctx context.Context
	r   io.Reader
}

func (s *stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

// sums is the list of hashes, held against the files as they come: both are in
// the order of names.
type sums struct {
	lines *bufio.Scanner
	hash  journal.Hash
	name  string
	more  bool
	about journal.Hash // of bundle.json, which comes before the list
	told  bool
}

func newSums(list []byte) *sums {
	s := &sums{lines: bufio.NewScanner(bytes.NewReader(list))}
	s.next()
	return s
}

// next reads a line; one that cannot be read ends the list, and what follows
// it counts as unlisted.
func (s *sums) next() {
	for s.more = s.lines.Scan(); s.more; s.more = s.lines.Scan() {
		hash, name, ok := strings.Cut(s.lines.Text(), "  ")
		h, err := journal.ParseHash(hash)
		if !ok || err != nil || s.name != "" && name <= s.name {
			s.more = false
			return
		}
		s.hash, s.name = h, name
		if name != evidence.BundleAbout {
			return
		}
		s.about, s.told = h, true
	}
}

// file holds the next file of the archive against the list.
func (s *sums) file(p *parts, name string, hash journal.Hash) {
	for s.more && s.name < name {
		p.bad(CodeAbsent, "%s is in the list of hashes and not in the bundle", s.name)
		s.next()
	}
	switch {
	case !s.more || s.name > name:
		p.bad(CodeUnlisted, "%s is not in the list of hashes", name)
		return
	case s.hash != hash:
		p.bad(CodeFile, "%s: its BLAKE3 is %s, the list of hashes says %s", name, hash, s.hash)
	}
	s.next()
}

// end says what the list names beyond the last file.
func (s *sums) end(p *parts, about journal.Hash) {
	if s == nil {
		p.bad(CodeAbsent, "the bundle holds no %s", evidence.BundleSums)
		return
	}
	for s.more {
		p.bad(CodeAbsent, "%s is in the list of hashes and not in the bundle", s.name)
		s.next()
	}
	if !s.told || s.about != about {
		p.bad(CodeFile, "%s is not the one that the list of hashes names", evidence.BundleAbout)
	}
}
