package hub

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
)

// Codes of findings about a store. They are never renamed.
const (
	CodeObject     = "object"     // an object is missing or damaged
	CodeRoot       = "root"       // the records do not make the root that was signed
	CodeUnsigned   = "unsigned"   // a signature is missing or not valid
	CodeRecords    = "records"    // records are not as journal verify --deep wants them
	CodeAccepted   = "accepted"   // warning: a key of the node is in force by an operator's word
	CodeConflict   = "conflict"   // warning: the node showed something else
	CodeRollback   = "rollback"   // the store was put back to an older copy
	CodeNotHolding = "no_records" // warning: the records were removed
)

// Checked is the verdict about one journal.
type Checked struct {
	Journal  string            `json:"journal"`
	Node     string            `json:"node"`
	Records  uint64            `json:"records"`
	OK       bool              `json:"ok"`
	Findings []journal.Finding `json:"findings"`
}

// Check verifies what a store holds of a journal: every object, the chain, the Merkle root
// of each checkpoint that was signed, the signatures of node and hub, and with deep also
// whether a gate can have written the records. keys are the hub's; without any, its
// signatures are not verified. An error is one of reading: what is wrong is a finding.
func Check(ctx context.Context, s bucket.Store, id string, keys []*torchwood.CosignatureVerifier, deep bool) (Checked, error) {
	c := &checking{Checked: Checked{Journal: id, OK: true, Findings: []journal.Finding{}}, store: s, keys: keys}
	head, _, err := readHeld(ctx, s, id)
	switch {
	case history.IsDamage(err):
		c.bad(CodeObject, 0, "%v", err)
		return c.Checked, nil
	case err != nil:
		return c.Checked, err
	}
	c.Node, c.Records = head.Node, head.Size
	if head.Conflicts > 0 {
		c.warn(CodeConflict, head.Conflict.Size, "the node contradicted this history %s, last on %s: %s", display.Count(head.Conflicts, "time"), day(head.Conflict.Time), head.Conflict.Kind)
	}
	c.nodeKeys(head)
	c.signatures([]byte(head.Checkpoint), head.commitment())
	if f := head.Forgotten; f != nil {
		c.warn(CodeNotHolding, 0, "the records were removed on %s by %s: %s", day(f.Time), f.By, f.Reason)
		return c.Checked, nil
	}
	signed, err := c.checkpoints(ctx, head)
	if err != nil {
		return c.Checked, err
	}
	if err := c.records(newJournal(ctx, s, head), signed); err != nil {
		return c.Checked, err
	}
	if deep && c.OK {
		err = c.deep(ctx, newJournal(ctx, s, head))
	}
	return c.Checked, err
}

type checking struct {
	Checked
	store bucket.Store
	keys  []*torchwood.CosignatureVerifier
	node  []transparency.Verifier // the node's keys so far
}

func (c *checking) bad(code string, seq uint64, format string, args ...any) {
	c.OK = false
	c.Findings = append(c.Findings, journal.Finding{Severity: journal.SeverityError, Code: code, Seq: seq, Detail: fmt.Sprintf(format, args...)})
}

func (c *checking) warn(code string, seq uint64, format string, args ...any) {
	c.Findings = append(c.Findings, journal.Finding{Severity: journal.SeverityWarning, Code: code, Seq: seq, Detail: fmt.Sprintf(format, args...)})
}

// nodeKeys reads the node's keys: each must follow from the one before.
func (c *checking) nodeKeys(head *Head) {
	for i, text := range head.Keys {
		key, err := verifierOf(head.Journal, text)
		if err != nil {
			c.bad(CodeUnsigned, 0, "key %d of the node: %v", i+1, err)
			continue
		}
		if i > 0 {
			switch r, err := transparency.OpenRotation(head.Journal, []byte(text)); {
			case err != nil:
				c.warn(CodeAccepted, 0, "key %d of the node, %s, was accepted by an operator", i+1, key)
			case len(c.node) > 0 && r.Old.BLAKE3() != c.node[len(c.node)-1].BLAKE3():
				c.bad(CodeUnsigned, 0, "key %d of the node was not named by the one before it", i+1)
			}
		}
		c.node = append(c.node, key)
	}
}

// signatures checks that node and hub have signed a checkpoint, and that it is the one
// that is wanted.
func (c *checking) signatures(text []byte, want transparency.Checkpoint) {
	got, _, err := transparency.Open(text, c.node...)
	switch {
	case errors.Is(err, transparency.ErrSigner):
		c.bad(CodeUnsigned, want.Size, "no key of the node has signed the checkpoint of %d records", want.Size)
	case err != nil:
		c.bad(CodeObject, want.Size, "the checkpoint of %d records: %v", want.Size, err)
		return
	}
	if got.Journal != want.Journal || got.Size != want.Size || want.Root != (tlog.Hash{}) && got.Root != want.Root {
		c.bad(CodeRoot, want.Size, "the checkpoint of %d records is of %d records of journal %s with root %s", want.Size, got.Size, got.Journal, got.Root)
	}
	if len(c.keys) > 0 && !slices.ContainsFunc(c.keys, func(k *torchwood.CosignatureVerifier) bool { _, ok := transparency.Cosigned(text, k); return ok }) {
		c.bad(CodeUnsigned, want.Size, "no given key of a hub has signed the checkpoint of %d records", want.Size)
	}
}

// checkpoints reads every checkpoint that was signed, and returns their roots by size.
func (c *checking) checkpoints(ctx context.Context, head *Head) (map[uint64]tlog.Hash, error) {
	signed := map[uint64]tlog.Hash{head.Size: tlog.Hash(head.Root)}
	prefix := checkpointsDir + head.Journal + "/"
	for item, err := range c.store.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		text, _, err := c.store.Get(ctx, item.Name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case history.IsDamage(err):
			c.bad(CodeObject, 0, "%v", err)
			continue
		case err != nil:
			return nil, err
		}
		size, err := strconv.ParseUint(strings.TrimPrefix(item.Name, prefix), 10, 63)
		if err != nil {
			c.bad(CodeObject, 0, "%s: no checkpoint has this name", item.Name)
			continue
		}
		if size > head.Size {
			// The journal may have grown since the head was read: the checkpoint is written
			// after the head.
			if now, _, err := readHead(ctx, c.store, head.Journal); err == nil && now.Size >= size {
				continue
			}
			c.bad(CodeRollback, size, "%s: the hub signed %d records, but the head is over %d: the store was put back to an older copy", item.Name, size, head.Size)
			continue
		}
		c.signatures(text, transparency.Checkpoint{Journal: head.Journal, Size: size})
		if cp, err := transparency.Read(text); err == nil {
			signed[size] = cp.Root
		}
	}
	return signed, nil
}

// records reads every record: its form, place and link, and the root at each size that was
// signed.
func (c *checking) records(j *Journal, signed map[uint64]tlog.Hash) error {
	var edge transparency.Edge
	var prev record.Hash
	var rec record.Record
	for raw, err := range j.RawRecords(1, j.Tip().Seq) {
		switch {
		case errors.Is(err, fs.ErrNotExist), history.IsDamage(err):
			c.bad(CodeObject, edge.Count+1, "%v", err)
			return nil
		case err != nil:
			return err
		}
		if err := rec.Decode(raw.Raw); err != nil {
			c.bad(CodeRecords, raw.Seq, "%v", err)
			return nil
		}
		if rec.Seq != raw.Seq || rec.Journal != j.ID() || rec.Prev != prev {
			c.bad(CodeRecords, raw.Seq, "record %d of journal %s after %s is in the place of record %d", rec.Seq, rec.Journal, hex.EncodeToString(rec.Prev[:6]), raw.Seq)
			return nil
		}
		prev = rec.Hash
		edge.Push(tlog.RecordHash(raw.Raw))
		if root, ok := signed[edge.Count]; ok && edge.Root() != root {
			c.bad(CodeRoot, edge.Count, "the root of the first %d records is %s, but %s was signed", edge.Count, edge.Root(), root)
			return nil
		}
	}
	if prev != j.Tip().Hash {
		c.bad(CodeRecords, j.Tip().Seq, "the newest record's hash is %s, but the head names %s", prev, j.Tip().Hash)
	}
	return nil
}

// deep folds the records as journal verify --deep does.
func (c *checking) deep(ctx context.Context, j *Journal) error {
	return Opened(j, func(src *history.Source) error {
		rep, err := verify.Source(ctx, src, verify.Options{Deep: true})
		for _, f := range rep.Findings {
			if f.Severity == journal.SeverityError {
				c.bad(CodeRecords, f.Seq, "%s: %s", f.Code, f.Detail)
			} else {
				c.warn(CodeRecords, f.Seq, "%s: %s", f.Code, f.Detail)
			}
		}
		return err
	})
}
