package audit

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/autonomyops/edged/docs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal/record"
)

// Limits of the files of a bundle that are held in memory, in bytes.
const (
	maxText = 64 << 10 // a checkpoint, a key, bundle.json
	maxSums = 32 << 20 // the list of hashes: 120 for each file that a bundle can hold; a file of an epoch needs 97
)

// contents are the contents of a bundle.
type contents struct {
	about      history.About
	checkpoint []byte
	public     []byte
	epochs     map[string]record.Hash // files beneath epochs/
	keys       map[string]record.Hash // manifest keys beneath keys/
	records    *history.Source        // nil if there are none
	damage     error                  // of the records
	before     map[string]*history.Source
	*findings
}

func (p *contents) close() {
	for _, src := range p.before {
		_ = src.Close() // read-only
	}
	if p.records != nil {
		_ = p.records.Close()
	}
}

// unpack reads a bundle once. It compares each file with the list of hashes,
// unpacks the records, and keeps of the other files what the verdict needs. It
// adds faults to found.
func unpack(ctx context.Context, path string, found *findings) (*contents, error) {
	p := &contents{findings: found, epochs: map[string]record.Hash{}, keys: map[string]record.Hash{}, before: map[string]*history.Source{}}
	var sums *sums
	var about record.Hash
	err := history.WalkBundle(path, func(m history.Member, r io.Reader) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if m.Name == history.BundleSums {
			list, err := readSums(path, m, r)
			sums = newSums(list)
			return err
		}
		h := blake3.New()
		if err := p.take(path, m, io.TeeReader(&stopping{ctx, r}, h)); err != nil {
			return err
		}
		hash := record.Hash(h.Sum(nil))
		if m.Name == history.BundleAbout {
			about = hash // the list follows it
			return nil
		}
		p.note(m.Name, hash)
		sums.file(p, m.Name, hash)
		return nil
	})
	if err != nil {
		p.close()
		return nil, err
	}
	sums.end(p, about)
	if p.records == nil {
		p.bad(CodeAbsent, 0, "the bundle holds no %s", history.BundleRecords)
	}
	return p, nil
}

// readSums reads the list of hashes into memory.
func readSums(path string, m history.Member, r io.Reader) ([]byte, error) {
	if m.Size > maxSums {
		return nil, fmt.Errorf("read %s of %s: it has %d bytes, the limit is %d; ask for a bundle that edgectl audit bundle made", m.Name, path, m.Size, maxSums)
	}
	list := make([]byte, m.Size)
	if _, err := io.ReadFull(r, list); err != nil {
		return nil, fmt.Errorf("read %s of %s: %w; copy the bundle again", m.Name, path, err)
	}
	return list, nil
}

// note keeps the hash of each file of an epoch and each manifest key, to be
// compared with the records. Other names are not kept, to bound the memory.
func (p *contents) note(name string, hash record.Hash) {
	switch {
	case strings.HasPrefix(name, "epochs/") && !isEpochFile(name):
		p.bad(CodeEpoch, 0, "%s: no epoch has such a file", name)
	case strings.HasPrefix(name, "epochs/"):
		p.epochs[name] = hash
	case isManifestKey(name):
		p.keys[name] = hash
		if name != manifestKeyPrefix+hash.String()+".pub" {
			p.bad(CodeKey, 0, "%s: its BLAKE3 is %s, which is not the one in its name", name, hash)
		}
	case name == checkName && hash != record.HashOf(checkScript), name == verifierName && hash != record.HashOf(docs.Verifier):
		p.warn(CodeScript, 0, "%s is not the one that this edgectl writes: it may be of another release, or an attacker's that always reports ok; run the one of a release that you trust", name)
	}
}

// take reads one file to its end and keeps what the verdict needs.
func (p *contents) take(path string, m history.Member, r io.Reader) (err error) {
	if m.Name == history.BundleRecords || isPredecessor(m.Name) {
		return p.takeLines(path, m, r)
	}
	var text []byte
	switch m.Name {
	case history.BundleAbout, checkpointName, publicName:
		if text, err = io.ReadAll(io.LimitReader(r, maxText+1)); err != nil {
			return err
		}
	}
	switch m.Name {
	case checkpointName:
		p.checkpoint = text
	case publicName:
		p.public = text
	case history.BundleAbout:
		if p.about, err = history.ParseAbout(text); err != nil {
			p.bad(CodeAbout, 0, "%s: %v", m.Name, err)
		}
	}
	_, err = io.Copy(io.Discard, r)
	return err
}

// takeLines unpacks the records of the journal or of a predecessor.
func (p *contents) takeLines(path string, m history.Member, r io.Reader) error {
	if m.Name != history.BundleRecords && len(p.before) >= verify.MaxPredecessors {
		p.bad(CodePredecessor, 0, "%s: the bundle holds more than %d predecessors", m.Name, verify.MaxPredecessors)
		_, err := io.Copy(io.Discard, r)
		return err
	}
	src, err := history.Unpack(path, m, r)
	if err != nil {
		return err
	}
	p.ended(m.Name, src)
	switch {
	case m.Name == history.BundleRecords:
		p.records, p.damage = src, src.Damage()
	case src.Tip().Seq == 0:
		p.bad(CodePredecessor, 0, "%s: %v", m.Name, src.Damage())
		return src.Close()
	default:
		p.before[m.Name] = src
	}
	return nil
}

// ended reports a whole last line without a line feed: edgectl wrote one, and
// other readers of lines may skip such a line.
func (f *findings) ended(name string, src *history.Source) {
	lines, ok := src.Lines().(*io.SectionReader)
	if !ok || lines.Size() == 0 || src.Torn() {
		return
	}
	var last [1]byte
	if _, err := lines.ReadAt(last[:], lines.Size()-1); err == nil && last[0] != '\n' {
		f.bad(CodeForm, src.Tip().Seq, "%s: the last line has no line feed", name)
	}
}

// stopping returns the error of ctx when ctx is done, also within a long file.
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
