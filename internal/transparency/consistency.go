package transparency

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// consistencyTitle begins a consistency proof.
const consistencyTitle = "edged/consistency-proof@v1"

// Consistency says that the tree of a signed checkpoint is an older one with
// records added, and nothing else. It proves that to whoever knows the root of
// the older one (RFC 6962, 2.1.2).
type Consistency struct {
	Journal    string     `json:"journal"`
	Old        TreeHead   `json:"old"`
	New        TreeHead   `json:"new"`
	Proof      []HashText `json:"proof"`
	Checkpoint string     `json:"checkpoint"`
}

// Consistency proves that the tree begins with the records that an old
// checkpoint is over. The error is [ErrOther] where it does not: the history
// was rewritten since; [ErrSize] where the tree is the smaller one.
func (t *Tree) Consistency(old Checkpoint, signed []byte) (Consistency, error) {
	if err := t.signedBy(signed); err != nil {
		return Consistency{}, err
	}
	switch {
	case old.Journal != t.src.ID():
		return Consistency{}, fmt.Errorf("%w: it is of journal %s, this is journal %s", ErrOther, old.Journal, t.src.ID())
	case old.Size > t.size:
		return Consistency{}, fmt.Errorf("%w: it is over %d records, here are %d: the history was cut short, or put back to an older copy", ErrSize, old.Size, t.size)
	}
	c := Consistency{Journal: old.Journal, Old: old.Head(), New: t.Checkpoint().Head(), Checkpoint: string(signed)}
	proof, err := tlog.ProveTree(int64(t.size), int64(old.Size), t)
	if err != nil {
		return Consistency{}, err
	}
	c.Proof = texts(proof)
	if c.Check() != nil {
		return Consistency{}, fmt.Errorf("%w: the first %d are not those that it is over: the history was rewritten", ErrOther, old.Size)
	}
	return c, nil
}

// Text is the proof for people and for shells: title, origin, both trees, the
// hashes, one a line; an empty line; the newer checkpoint.
func (c Consistency) Text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%s\nold %d %s\nnew %d %s\n", consistencyTitle, Origin(c.Journal), c.Old.Size, c.Old.Root, c.New.Size, c.New.Root)
	for _, h := range c.Proof {
		fmt.Fprintf(&b, "%s\n", h)
	}
	fmt.Fprintf(&b, "\n%s", c.Checkpoint)
	return b.Bytes()
}

// ReadConsistency reads the text of a proof and verifies nothing of it but
// that it names the tree of the checkpoint in it; see Check. The error is
// [ErrProof], or that of the checkpoint.
func ReadConsistency(text []byte) (Consistency, error) {
	head, signed, ok := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(text) > 2*MaxCheckpoint || len(lines) < 4 || lines[0] != consistencyTitle {
		return Consistency{}, fmt.Errorf("%w: it does not begin with %s, an origin and two trees", ErrProof, consistencyTitle)
	}
	now, err := Read([]byte(signed))
	if err != nil {
		return Consistency{}, err
	}
	c := Consistency{Journal: now.Journal, New: now.Head(), Checkpoint: signed}
	if c.Old, err = readHead(lines[2], "old "); err != nil {
		return Consistency{}, err
	}
	if at, err := readHead(lines[3], "new "); err != nil || at != c.New || lines[1] != Origin(now.Journal) {
		return Consistency{}, fmt.Errorf("%w: it names another tree than the checkpoint in it", ErrProof)
	}
	c.Proof, err = readHashes(lines[4:])
	return c, err
}

func readHead(line, prefix string) (TreeHead, error) {
	rest, ok := strings.CutPrefix(line, prefix)
	number, root, _ := strings.Cut(rest, " ")
	size, err := strconv.ParseUint(number, 10, 63)
	if !ok || err != nil || strconv.FormatUint(size, 10) != number {
		return TreeHead{}, fmt.Errorf("%w: %q is no tree", ErrProof, line)
	}
	h, err := parseHash(root)
	return TreeHead{size, HashText(h)}, err
}

// Check verifies that the newer tree begins with the older one. Whether the
// newer checkpoint is to be believed, [Open] says. The error is [ErrProof].
func (c Consistency) Check() error {
	if c.Old.Size == c.New.Size && len(c.Proof) == 0 {
		if c.Old.Root != c.New.Root {
			return fmt.Errorf("%w: two roots of one size", ErrProof)
		}
		return nil
	}
	err := tlog.CheckTree(hashes(c.Proof), int64(c.New.Size), tlog.Hash(c.New.Root), int64(c.Old.Size), tlog.Hash(c.Old.Root))
	if err != nil {
		return fmt.Errorf("%w that the newer tree begins with the older: %w", ErrProof, err)
	}
	return nil
}
