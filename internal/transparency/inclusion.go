package transparency

import (
	"bytes"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// inclusionTitle is the first line of an inclusion proof, c2sp.org/tlog-proof.
const inclusionTitle = "c2sp.org/tlog-proof@v1"

// Inclusion is the proof that record Seq is in the tree of a signed checkpoint.
// Index is Seq-1, because leaves are counted from 0.
type Inclusion struct {
	Journal    string     `json:"journal"`
	Seq        uint64     `json:"seq"`
	Index      uint64     `json:"index"`
	Tree       TreeHead   `json:"tree"`
	Proof      []HashText `json:"proof"`
	Checkpoint string     `json:"checkpoint"`
}

// TreeHead is the size of a tree and its root.
type TreeHead struct {
	Size uint64   `json:"size"`
	Root HashText `json:"root"`
}

// Head returns the size and the root.
func (c Checkpoint) Head() TreeHead { return TreeHead{c.Size, HashText(c.Root)} }

// HashText is a hash that is base64 in JSON.
type HashText tlog.Hash

// String returns the hash in base64.
func (h HashText) String() string { return tlog.Hash(h).String() }

// MarshalText implements encoding.TextMarshaler.
func (h HashText) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. Only canonical base64 is accepted.
func (h *HashText) UnmarshalText(text []byte) error {
	hash, ok := parseHash(string(text))
	if !ok {
		return fmt.Errorf("%q is no hash in base64", text)
	}
	*h = HashText(hash)
	return nil
}

// Inclusion proves that record seq is in the tree of a signed checkpoint. The
// error is [ErrOther] if the checkpoint is of another tree, and [ErrSize] if the
// tree does not hold the record.
func (t *Tree) Inclusion(seq uint64, signed []byte) (Inclusion, error) {
	if err := t.signedBy(signed); err != nil {
		return Inclusion{}, err
	}
	if seq == 0 || seq > t.size {
		return Inclusion{}, fmt.Errorf("%w: the checkpoint is over records 1 to %d", ErrSize, t.size)
	}
	proof, err := tlog.ProveRecord(int64(t.size), int64(seq-1), t)
	if err != nil {
		return Inclusion{}, err
	}
	p := Inclusion{Journal: t.src.ID(), Seq: seq, Index: seq - 1, Tree: t.Checkpoint().Head(), Checkpoint: string(signed)}
	p.Proof = texts(proof)
	return p, nil
}

// signedBy returns an error if a signed checkpoint is not of this tree. It does
// not verify the signature.
func (t *Tree) signedBy(signed []byte) error {
	c, err := Read(signed)
	switch {
	case err != nil:
		return err
	case c != t.Checkpoint():
		return fmt.Errorf("%w: it is over %d records of journal %s with root %s, but the root of these is %s", ErrOther, c.Size, c.Journal, c.Root, t.root)
	}
	return nil
}

// Text returns the proof as c2sp.org/tlog-proof@v1.
func (p Inclusion) Text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nindex %d\n", inclusionTitle, p.Index)
	for _, h := range p.Proof {
		fmt.Fprintf(&b, "%s\n", h)
	}
	fmt.Fprintf(&b, "\n%s", p.Checkpoint)
	return b.Bytes()
}

func texts(proof []tlog.Hash) []HashText {
	out := make([]HashText, len(proof)) // an empty list in JSON, not null
	for i, h := range proof {
		out[i] = HashText(h)
	}
	return out
}
