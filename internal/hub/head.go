package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/bits"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal/record"
)

// The names of objects:
//
//	heads/<journal id>            what the hub holds of a journal: Head
//	records/<sha256 of content>   a run of records, one a line; immutable
//	checkpoints/<id>/<size>       the first cosigned checkpoint of each size
//	keys/<id>/<n>                 the first key, then each rotation's signed note
//	conflicts/<id>/<n>            what contradicts, n from 1 to 16: Evidence
//	views/<id>                    what the records mean: view; made again if it is lost
//	rollbacks/<hash of key>       what shows that the store was put back: Rollback
const (
	headsDir       = "heads/"
	recordsDir     = "records/"
	checkpointsDir = "checkpoints/"
	keysDir        = "keys/"
	conflictsDir   = "conflicts/"
	viewsDir       = "views/"
	rollbacksDir   = "rollbacks/"
)

func checkpointName(id string, size uint64) string {
	return fmt.Sprintf("%s%s/%d", checkpointsDir, id, size)
}
func keyName(id string, n int) string      { return fmt.Sprintf("%s%s/%d", keysDir, id, n) }
func conflictName(id string, n int) string { return fmt.Sprintf("%s%s/%d", conflictsDir, id, n) }

// isJournalID reports whether a text has the form of a journal's id. Objects and addresses
// are named by it.
func isJournalID(text string) bool {
	id, err := uuid.Parse(text)
	return err == nil && id.String() == text
}

// headVersion is the version of Head that this package writes.
const headVersion = 1

// Head is what the hub holds of a journal. Its replacement is the commit point of a
// shipment. It is never deleted.
type Head struct {
	V       int                     `json:"v"`
	Journal string                  `json:"journal"`
	Node    string                  `json:"node"` // of the newest record
	Size    uint64                  `json:"size"` // records
	Root    transparency.HashText   `json:"root"`
	Edge    []transparency.HashText `json:"edge"` // transparency.Edge
	Hash    string                  `json:"hash"` // BLAKE3 of the newest record
	Runs    []Run                   `json:"runs"`
	// Received says when the records arrived: pairs of the last record and the time in
	// seconds since 1970.
	Received [][2]int64 `json:"received"`
	// Checkpoint is the first checkpoint of this size that the hub signed.
	Checkpoint string    `json:"checkpoint"`
	Signed     time.Time `json:"signed"` // the time in the hub's signature
	// Keys holds the node's first checkpoint key, and for each later one the signed note of
	// the rotation, or the key alone if an operator accepted it.
	Keys  []string  `json:"keys"`
	First time.Time `json:"first"` // when the journal was first seen
	Seen  time.Time `json:"seen"`  // when the node last showed this history
	// Continues is set if the journal continues another one.
	Continues *Continuation `json:"continues,omitempty"`
	// Conflicts is the number of requests that contradicted, and Conflict the newest one.
	Conflicts int            `json:"conflicts,omitempty"`
	Conflict  *ConflictPlace `json:"conflict,omitempty"`
	// Forgotten is set if the records were removed.
	Forgotten *Forgotten `json:"forgotten,omitempty"`
}

// Run is an object with records.
type Run struct {
	Last   uint64 `json:"last"` // record
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

// Continuation is what the first record of a journal says of the one before it.
type Continuation struct {
	Journal string `json:"journal"`
	Size    uint64 `json:"size"` // records kept
	Hash    string `json:"hash"` // of the last one kept
	Lost    string `json:"lost"`
	// ByCommand is true after edgectl journal continue, false after a salvage.
	ByCommand bool `json:"by_command"`
}

// ConflictPlace is the newest conflict of a journal: what the node showed, and when.
type ConflictPlace struct {
	Kind State                 `json:"kind"`
	Time time.Time             `json:"time"`
	Size uint64                `json:"size"`
	Root transparency.HashText `json:"root"`
	// Compared: the evidence names the first record that differs.
	Compared bool `json:"compared,omitempty"`
}

// Forgotten says who removed the records of a journal, and why.
type Forgotten struct {
	Time   time.Time `json:"time"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}

// ErrUnknown: the hub holds no such journal.
var ErrUnknown = errors.New("the hub holds no such journal")

// readHead returns the head of a journal and its version. The error is [ErrUnknown] if
// there is none, or that of the store.
func readHead(ctx context.Context, s bucket.Store, id string) (*Head, bucket.Version, error) {
	if !isJournalID(id) {
		return nil, "", fmt.Errorf("%w: %.80q is no id of a journal", ErrUnknown, id)
	}
	data, version, err := s.Get(ctx, headsDir+id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", fmt.Errorf("%w: %s", ErrUnknown, id)
	case err != nil:
		return nil, "", err
	}
	h, err := parseHead(data, id)
	return h, version, err
}

// readHeld is readHead, but a head that is missing although the journal's first key is there
// was lost: the error is errs.ErrCorrupt.
func readHeld(ctx context.Context, s bucket.Store, id string) (*Head, bucket.Version, error) {
	h, version, err := readHead(ctx, s, id)
	if !errors.Is(err, ErrUnknown) || !isJournalID(id) {
		return h, version, err
	}
	if _, _, keyErr := s.Get(ctx, keyName(id, 1)); keyErr != nil {
		return nil, "", err
	}
	// The key is written after the head, which may have been written meanwhile.
	h, version, err = readHead(ctx, s, id)
	if errors.Is(err, ErrUnknown) {
		err = &errs.Error{Kind: errs.ErrCorrupt, Path: headsDir + id, Detail: "read a head: the store has the key of this journal, but has lost its head", Next: nextLost}
	}
	return h, version, err
}

// heads yields the heads that a store lists. With all, it yields those that it has: the
// list of a MinIO that was killed lacks objects that it was replacing, until they are written
// again, and names some that it was creating and does not have. A journal's first key is
// written once, after its head, so it tells which heads must be there. A head that was found
// by its key has no stamp.
func heads(ctx context.Context, s bucket.Store, all bool) iter.Seq2[bucket.Item, error] {
	return func(yield func(bucket.Item, error) bool) {
		keyed := map[string]bool{}
		if all {
			for item, err := range s.List(ctx, keysDir) {
				if err != nil {
					yield(bucket.Item{}, err)
					return
				}
				if id, _, _ := strings.Cut(strings.TrimPrefix(item.Name, keysDir), "/"); isJournalID(id) {
					keyed[id] = true
				}
			}
		}
		for item, err := range s.List(ctx, headsDir) {
			if err != nil {
				yield(bucket.Item{}, err)
				return
			}
			id := strings.TrimPrefix(item.Name, headsDir)
			if !isJournalID(id) {
				continue
			}
			if all && !keyed[id] {
				if _, _, err := readHead(ctx, s, id); errors.Is(err, ErrUnknown) {
					continue
				}
			}
			delete(keyed, id)
			if !yield(item, nil) {
				return
			}
		}
		for id := range keyed {
			if !yield(bucket.Item{Name: headsDir + id}, nil) {
				return
			}
		}
	}
}

// Journals returns the ids of all journals in a store, in alphabetical order.
func Journals(ctx context.Context, s bucket.Store) (ids []string, err error) {
	for item, err := range heads(ctx, s, true) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, strings.TrimPrefix(item.Name, headsDir))
	}
	slices.Sort(ids)
	return ids, nil
}

const nextLost = "restore it from a copy of the store, and retire the hub's key"

func parseHead(data []byte, id string) (*Head, error) {
	var h Head
	corrupt := func(cause error, detail string) error {
		return &errs.Error{Kind: errs.ErrCorrupt, Path: headsDir + id, Detail: "read a head: " + detail, Err: cause, Next: nextLost}
	}
	if err := json.Unmarshal(data, &h); err != nil {
		return nil, corrupt(err, "it is no JSON of a head")
	}
	switch {
	case h.V > headVersion:
		return nil, &errs.Error{Kind: errs.ErrNewer, Path: headsDir + id, Detail: fmt.Sprintf("read a head of version %d", h.V), Next: errs.NextUpgrade}
	case h.V != headVersion, h.Journal != id, h.Size == 0, len(h.Keys) == 0, len(h.Runs) == 0 && h.Forgotten == nil, h.Forgotten == nil && h.Runs[len(h.Runs)-1].Last != h.Size,
		h.Conflicts < 0, (h.Conflicts > 0) != (h.Conflict != nil), slices.ContainsFunc(h.Runs, func(r Run) bool { return !isHash(r.SHA256) }):
		return nil, corrupt(nil, "its members contradict each other")
	}
	edge := h.edge()
	if len(h.Edge) != bits.OnesCount64(h.Size) || edge.Root() != tlog.Hash(h.Root) {
		return nil, corrupt(nil, "its root is not that of its edge")
	}
	return &h, nil
}

// isHash reports whether a text is a SHA-256 as the names of objects have it.
func isHash(text string) bool {
	return len(text) == 64 && strings.Trim(text, "0123456789abcdef") == ""
}

func (h *Head) edge() transparency.Edge {
	e := transparency.Edge{Count: h.Size}
	for _, hash := range h.Edge {
		e.Hashes = append(e.Hashes, tlog.Hash(hash))
	}
	return e
}

func (h *Head) setEdge(e transparency.Edge) {
	h.Size, h.Root, h.Edge = e.Count, transparency.HashText(e.Root()), nil
	for _, hash := range e.Hashes {
		h.Edge = append(h.Edge, transparency.HashText(hash))
	}
}

// commitment returns the checkpoint that the head is of.
func (h *Head) commitment() transparency.Checkpoint {
	return transparency.Checkpoint{Journal: h.Journal, Size: h.Size, Root: tlog.Hash(h.Root)}
}

// tip returns the newest record.
func (h *Head) tip() record.Tip {
	hash, _ := record.ParseHash(h.Hash) // checked when it was written
	return record.Tip{Seq: h.Size, Hash: hash}
}

// verifier returns the node's key in force.
func (h *Head) verifier() (transparency.Verifier, error) {
	return verifierOf(h.Journal, h.Keys[len(h.Keys)-1])
}

// verifierOf reads an element of Head.Keys.
func verifierOf(journal, key string) (transparency.Verifier, error) {
	if !strings.Contains(key, "\n\n") {
		return transparency.NewVerifier(key)
	}
	r, err := transparency.OpenRotation(journal, []byte(key))
	return r.New, err
}

// runAt returns the index of the run that holds a record, the number of runs if none
// does.
func runAt(runs []Run, seq uint64) int {
	return sort.Search(len(runs), func(i int) bool { return seq <= runs[i].Last })
}

func (h *Head) encode() []byte {
	data, err := json.Marshal(h, json.Deterministic(true))
	if err != nil {
		panic(err) // a head is plain data
	}
	return append(data, '\n')
}

// publish writes the files that follow from a committed head: its checkpoint, and its
// keys after the first known ones. They are there before the head is replaced.
func publish(ctx context.Context, s bucket.Store, h *Head, known int) error {
	for n := known; n < len(h.Keys); n++ {
		if err := create(ctx, s, keyName(h.Journal, n+1), []byte(h.Keys[n])); err != nil {
			return err
		}
	}
	return create(ctx, s, checkpointName(h.Journal, h.Size), []byte(h.Checkpoint))
}

// create writes an object unless there is one of this name.
func create(ctx context.Context, s bucket.Store, name string, data []byte) error {
	err := s.Swap(ctx, name, data, "")
	if errors.Is(err, bucket.ErrChanged) {
		return nil
	}
	return err
}

// lines splits a run into records. Each ends in a line feed.
func lines(data []byte) [][]byte {
	if len(data) == 0 {
		return nil
	}
	return bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
}
