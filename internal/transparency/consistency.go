package transparency

import (
	"bytes"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// consistencyTitle begins a consistency proof.
const consistencyTitle = "edged/consistency-proof@v1"

// Consistency is the proof that the tree of a signed checkpoint is an older tree
// to which records were only added (RFC 6962, 2.1.2).
type Consistency struct {
	Journal    string     `json:"journal"`
	Old        TreeHead   `json:"old"`
	New        TreeHead   `json:"new"`
	Proof      []HashText `json:"proof"`
	Checkpoint string     `json:"checkpoint"`
}

// Consistency proves that the tree begins with the records of an older
// checkpoint. The error is [ErrOther] if it does not, because the history was
// rewritten, and [ErrSize] if the tree is smaller than the older one.
func (t *Tree) Consistency(old Checkpoint, signed []byte) (Consistency, error) {
	if err := t.signedBy(signed); err != nil {
		return Consistency{}, err
	}
	switch {
	case old.Journal != t.src.ID():
		return Consistency{}, fmt.Errorf("%w: it is of journal %s, but this is journal %s", ErrOther, old.Journal, t.src.ID())
	case old.Size > t.size:
		return Consistency{}, fmt.Errorf("%w: the checkpoint is over %d records, but here are %d: the history was cut short, or an older copy was put back", ErrSize, old.Size, t.size)
	}
	c := Consistency{Journal: old.Journal, Old: old.Head(), New: t.Checkpoint().Head(), Checkpoint: string(signed)}
	var err error
	if c.Proof, err = t.Proof(old.Size, t.size); err != nil {
		return Consistency{}, err
	}
	if c.Check() != nil {
		return Consistency{}, fmt.Errorf("%w: it is over other records than the first %d here: the history was rewritten", ErrOther, old.Size)
	}
	return c, nil
}

// At returns the checkpoint of the first size records, for a Consistency with a tree
// of which only the size is known. The error is [ErrSize] if there are fewer
// records.
func (t *Tree) At(size uint64) (Checkpoint, error) {
	if size == 0 || size > t.size {
		return Checkpoint{}, fmt.Errorf("%w: %d, but here are 1 to %d records", ErrSize, size, t.size)
	}
	root, err := tlog.TreeHash(int64(size), t)
	return Checkpoint{Journal: t.src.ID(), Size: size, Root: root}, err
}

// Proof returns the proof that the first size records begin with the first old ones. The
// error is [ErrSize] if there are fewer records.
func (t *Tree) Proof(old, size uint64) ([]HashText, error) {
	if old == 0 || old > size || size > t.size {
		return nil, fmt.Errorf("%w: %d to %d, but here are 1 to %d records", ErrSize, old, size, t.size)
	}
	proof, err := tlog.ProveTree(int64(size), int64(old), t)
	return texts(proof), err
}

// Text returns the proof as a text: title, origin, both trees and the hashes, one
// a line; an empty line; the newer checkpoint.
func (c Consistency) Text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%s\nold %d %s\nnew %d %s\n", consistencyTitle, Origin(c.Journal), c.Old.Size, c.Old.Root, c.New.Size, c.New.Root)
	for _, h := range c.Proof {
		fmt.Fprintf(&b, "%s\n", h)
	}
	fmt.Fprintf(&b, "\n%s", c.Checkpoint)
	return b.Bytes()
}

// Check verifies that the newer tree begins with the older one. It does not
// verify the checkpoint; see [Open]. The error is [ErrProof].
func (c Consistency) Check() error {
	if c.Old.Size == c.New.Size && len(c.Proof) == 0 {
		if c.Old.Root != c.New.Root {
			return fmt.Errorf("%w: two trees of one size have different roots", ErrProof)
		}
		return nil
	}
	err := tlog.CheckTree(hashes(c.Proof), int64(c.New.Size), tlog.Hash(c.New.Root), int64(c.Old.Size), tlog.Hash(c.Old.Root))
	if err != nil {
		return fmt.Errorf("%w that the newer tree begins with the older: %w", ErrProof, err)
	}
	return nil
}

func hashes(proof []HashText) []tlog.Hash {
	out := make([]tlog.Hash, len(proof))
	for i, h := range proof {
		out[i] = tlog.Hash(h)
	}
	return out
}
