package transparency

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// inclusionTitle begins an inclusion proof, c2sp.org/tlog-proof.
const inclusionTitle = "c2sp.org/tlog-proof@v1"

// maxPath bounds the hashes of a proof: a tree of 2^63 leaves needs no more
// for one leaf, and twice as many between two trees.
const maxPath = 128

// Inclusion is the proof that record Seq is in the tree of a signed
// checkpoint. Index is Seq-1: a tree counts from 0.
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

// Head is the size and the root.
func (c Checkpoint) Head() TreeHead { return TreeHead{c.Size, HashText(c.Root)} }

// HashText is a hash that stands in JSON as its base64.
type HashText tlog.Hash

// String is the hash in base64.
func (h HashText) String() string { return tlog.Hash(h).String() }

// MarshalText implements encoding.TextMarshaler.
func (h HashText) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *HashText) UnmarshalText(text []byte) error {
	parsed, err := parseHash(string(text))
	*h = HashText(parsed)
	return err
}

// Inclusion proves that record seq is in the tree that a signed checkpoint is
// of. The error is [ErrOther] where the checkpoint is of another tree than
// this, [ErrSize] where the tree does not reach the record.
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

// signedBy makes sure that a signed checkpoint, by whomever, is of this tree.
func (t *Tree) signedBy(signed []byte) error {
	c, err := Read(signed)
	switch {
	case err != nil:
		return err
	case c != t.Checkpoint():
		return fmt.Errorf("%w: it is of %d records with root %s of journal %s, the root of these is %s", ErrOther, c.Size, c.Root, c.Journal, t.root)
	}
	return nil
}

// Text is the proof as c2sp.org/tlog-proof@v1.
func (p Inclusion) Text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nindex %d\n", inclusionTitle, p.Index)
	for _, h := range p.Proof {
		fmt.Fprintf(&b, "%s\n", h)
	}
	fmt.Fprintf(&b, "\n%s", p.Checkpoint)
	return b.Bytes()
}

// ReadInclusion reads a tlog-proof and verifies nothing of it; see Check. One
// with extra data is read, and what is extra left out. The error is
// [ErrProof], or that of the checkpoint in it.
func ReadInclusion(text []byte) (Inclusion, error) {
	rest, ok := bytes.CutPrefix(text, []byte(inclusionTitle+"\n"))
	if !ok || len(text) > 2*MaxCheckpoint {
		return Inclusion{}, fmt.Errorf("%w: its first line is not %s", ErrProof, inclusionTitle)
	}
	head, signed, ok := strings.Cut(string(rest), "\n\n")
	lines := strings.Split(head, "\n")
	if strings.HasPrefix(lines[0], "extra ") && len(lines) > 1 {
		lines = lines[1:]
	}
	number, isIndex := strings.CutPrefix(lines[0], "index ")
	index, err := strconv.ParseUint(number, 10, 63)
	if !ok || !isIndex || err != nil || strconv.FormatUint(index, 10) != number {
		return Inclusion{}, fmt.Errorf("%w: it has no index", ErrProof)
	}
	c, err := Read([]byte(signed))
	if err != nil {
		return Inclusion{}, err
	}
	p := Inclusion{Journal: c.Journal, Seq: index + 1, Index: index, Tree: c.Head(), Checkpoint: signed}
	p.Proof, err = readHashes(lines[1:])
	return p, err
}

// Check verifies that these are the bytes of the record, by the checkpoint in
// the proof. Whether that is to be believed, [Open] says. The error is
// [ErrProof].
func (p Inclusion) Check(record []byte) error {
	err := tlog.CheckRecord(hashes(p.Proof), int64(p.Tree.Size), tlog.Hash(p.Tree.Root), int64(p.Index), tlog.RecordHash(record))
	if err != nil {
		return fmt.Errorf("%w that this is record %d of the journal: %w", ErrProof, p.Seq, err)
	}
	return nil
}

func readHashes(lines []string) ([]HashText, error) {
	if len(lines) > maxPath {
		return nil, fmt.Errorf("%w: %d hashes are more than any needs", ErrProof, len(lines))
	}
	out := make([]HashText, len(lines))
	for i, line := range lines {
		h, err := parseHash(line)
		if err != nil {
			return nil, err
		}
		out[i] = HashText(h)
	}
	return out, nil
}

func texts(proof []tlog.Hash) []HashText {
	out := make([]HashText, len(proof)) // a list in JSON, also where it is empty
	for i, h := range proof {
		out[i] = HashText(h)
	}
	return out
}

func hashes(proof []HashText) []tlog.Hash {
	out := make([]tlog.Hash, len(proof))
	for i, h := range proof {
		out[i] = tlog.Hash(h)
	}
	return out
}
