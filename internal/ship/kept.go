package ship

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/transparency"
)

// Kept is the directory of the checkpoints of this node, as
// JOURNAL.SIZE.checkpoint. The checkpoint timer writes there too.
type Kept struct {
	root    *durable.Root
	journal string
}

// OpenKept opens the directory for the checkpoints of one journal.
func OpenKept(dir, journal string) (*Kept, error) {
	root, err := durable.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Kept{root, journal}, nil
}

// Close closes the directory.
func (k *Kept) Close() error { return k.root.Close() }

func (k *Kept) name(size uint64) string { return fmt.Sprintf("%s.%d.checkpoint", k.journal, size) }

// sizes returns the sizes of the checkpoints, the largest first.
func (k *Kept) sizes() ([]uint64, error) {
	names, err := durable.Names(k.root, ".")
	if err != nil {
		return nil, err
	}
	var sizes []uint64
	for _, name := range names {
		middle, ok := strings.CutPrefix(name, k.journal+".")
		middle, ok2 := strings.CutSuffix(middle, ".checkpoint")
		if size, err := strconv.ParseUint(middle, 10, 63); ok && ok2 && err == nil && size > 0 {
			sizes = append(sizes, size)
		}
	}
	slices.SortFunc(sizes, func(a, b uint64) int { return cmp.Compare(b, a) })
	return sizes, nil
}

// read returns the checkpoint of a size, or nil. It does not verify signatures.
func (k *Kept) read(size uint64) ([]byte, error) {
	text, _, err := durable.ReadFile(k.root, k.name(size), transparency.MaxCheckpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// add keeps a checkpoint with one more signature. Signatures that the file has
// stay. The error is [ErrContradicts] if the file is over other records: it is
// then left as it is.
func (k *Kept) add(c transparency.Checkpoint, signed []byte, line string) error {
	there, err := k.read(c.Size)
	if err != nil {
		return err
	}
	if there != nil {
		old, err := transparency.Read(there)
		switch {
		case err != nil: // it is damaged, and no evidence
		case old != c:
			return fmt.Errorf("%w: %s commits to other records", ErrContradicts, k.name(c.Size))
		default:
			signed = there
		}
	}
	return durable.WriteFile(k.root, k.name(c.Size), append(bytes.Clone(signed), line...), 0o644)
}

// Seen is what somebody else has seen of a journal.
type Seen struct {
	Witness string `json:"witness"`
	Size    uint64 `json:"size"` // records; 0 if it has seen nothing
	// Time is that of the signature, by the witness's clock; nil if there is none.
	Time *time.Time `json:"time"`

	checkpoint transparency.Checkpoint
}

// Seen returns the newest checkpoint that the witness has signed, size 0 if there
// is none. Damaged files are skipped: they are no evidence.
func (k *Kept) Seen(w Witness) (Seen, error) {
	sizes, err := k.sizes()
	if err != nil {
		return Seen{}, err
	}
	for _, size := range sizes {
		text, err := k.read(size)
		if err != nil {
			return Seen{}, err
		}
		c, err := transparency.Read(text)
		if err != nil || c.Journal != k.journal || c.Size != size {
			continue
		}
		if signed, ok := transparency.Cosigned(text, w.verifier); ok {
			return Seen{w.Name(), size, &signed.Time, c}, nil
		}
	}
	return Seen{Witness: w.Name()}, nil
}
