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

// limits of what is held in memory of a bundle.
const (
	maxText = 64 << 10 // a checkpoint, a key, bundle.json
	maxSums = 32 << 20 // the list of hashes: 120 bytes for each file that a bundle can hold; one of an epoch takes 97
)

// parts are a bundle, taken apart.
type parts struct {
	about      history.About
	checkpoint []byte
	public     []byte
	epochs     map[string]record.Hash // files beneath epochs/
	keys       map[string]record.Hash // of manifests, beneath keys/
	records    *history.Source        // as far as they verify; nil where there are none
	damage     error                  // what keeps records from being all of them
	before     map[string]*history.Source
	*findings
}

func (p *parts) close() {
	for _, src := range p.before {
		_ = src.Close() // of our own, and only read
	}
	if p.records != nil {
		_ = p.records.Close()
	}
}

// takeApart reads a bundle once: each file is held against the list of hashes,
// records are unpacked, and of the others what the verdict needs is kept. What
// is wrong with them goes to found.
func takeApart(ctx context.Context, path string, found *findings) (*parts, error) {
	p := &parts{findings: found, epochs: map[string]record.Hash{}, keys: map[string]record.Hash{}, before: map[string]*history.Source{}}
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
			about = hash // the list comes after it
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

// readSums takes the list of hashes into memory, in one piece of its size.
func readSums(path string, m history.Member, r io.Reader) ([]byte, error) {
	if m.Size > maxSums {
		return nil, fmt.Errorf("read %s of %s: it has %d bytes, the limit is %d; ask for a bundle that edgectl audit bundle made", m.Name, path, m.Size, maxSums)
	}
	list := make([]byte, m.Size)
	if _, err := io.ReadFull(r, list); err != nil {
		return nil, fmt.Errorf("read %s of %s: %w; fetch the bundle again", m.Name, path, err)
	}
	return list, nil
}

// note keeps the hash of what the records are to be held against. Only what
// can be an epoch's file is kept, so that no other takes memory.
func (p *parts) note(name string, hash record.Hash) {
	switch {
	case strings.HasPrefix(name, "epochs/") && !isEpochFile(name):
		p.bad(CodeEpoch, 0, "%s: no epoch has such a file", name)
	case strings.HasPrefix(name, "epochs/"):
		p.epochs[name] = hash
	case isManifestKey(name):
		p.keys[name] = hash
		if name != manifestKeyPrefix+hash.String()+".pub" {
			p.bad(CodeKey, 0, "%s: its BLAKE3 is %s, which is not the one that it is named by", name, hash)
		}
	case name == checkName && hash != record.HashOf(checkScript), name == verifierName && hash != record.HashOf(docs.Verifier):
		p.warn(CodeScript, 0, "%s is not the one that this edgectl writes: another release may write another, and so may an attacker who wants it to say ok; run the one of a release that you trust", name)
	}
}

// take keeps what is needed of one file, and reads it to its end.
func (p *parts) take(path string, m history.Member, r io.Reader) (err error) {
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

// takeLines unpacks a history.
func (p *parts) takeLines(path string, m history.Member, r io.Reader) error {
	if m.Name != history.BundleRecords && len(p.before) >= verify.MaxPredecessors {
		p.bad(CodeStory, 0, "%s: more than %d journals before this one", m.Name, verify.MaxPredecessors)
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
		p.bad(CodeStory, 0, "%s: %v", m.Name, src.Damage())
		return src.Close()
	default:
		p.before[m.Name] = src
	}
	return nil
}

// ended says if the last of some lines is whole and has no line feed: b3sum and
// other readers of lines then see another file than was written.
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
