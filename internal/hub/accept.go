package hub

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

const (
	// runBytes: a run grows until it has so many bytes; then the next one begins. A node
	// ships a few records a boot, and a head should name few objects.
	runBytes = 128 << 10
	// maxRaces is how often a shipment begins again because somebody else replaced the head.
	maxRaces = 32
	// maxAhead: the hub signs nothing if its newest signature is so far in the future.
	maxAhead = 5 * time.Minute
	// seenEvery: a node that shows the same checkpoint again is noted at most so often.
	seenEvery = time.Minute
	// maxName is the length of the longest name of a node, as its config allows it, in bytes.
	maxName = 128
	// maxHead bounds a head, in bytes: it is read and written as a whole. An honest node ships
	// 100,000 times before.
	maxHead = 4 << 20
)

// Accept verifies and keeps a shipment of a node, and signs its checkpoint. node is the
// name in the node's certificate, "" if there is none. The error is a [*Refusal], or that
// of the store: the shipment may then have been kept.
func (h *Hub) Accept(ctx context.Context, node string, s *Shipment) (transparency.Cosignature, error) {
	var last error
	for range maxRaces {
		head, version, err := readHead(ctx, h.store, s.Checkpoint.Journal)
		if errors.Is(err, ErrUnknown) {
			head, err = nil, nil
		}
		if err != nil {
			return transparency.Cosignature{}, err
		}
		c, err := h.consider(ctx, node, s, head, version)
		if !errors.Is(err, bucket.ErrChanged) {
			return c, err
		}
		last = err
	}
	if errors.Is(last, errLost) {
		h.log.Error("the store has lost the head of a journal: compare it with a backup", "journal", s.Checkpoint.Journal, "node", node)
		return transparency.Cosignature{}, refuse(http.StatusServiceUnavailable, "the hub's store has lost the head of journal %s: its operator has to restore it", s.Checkpoint.Journal)
	}
	return transparency.Cosignature{}, refuse(http.StatusServiceUnavailable, "others write to this journal: try again later")
}

// consider judges a shipment against the head with this version; nil if there is none.
func (h *Hub) consider(ctx context.Context, node string, s *Shipment, head *Head, version bucket.Version) (c transparency.Cosignature, err error) {
	if err := h.remembers(ctx, s, head, version); err != nil {
		return c, err
	}
	if head == nil {
		return h.enrol(ctx, node, s)
	}
	if head.Forgotten != nil {
		return c, refuse(http.StatusGone, "journal %s was removed from the hub: %s", head.Journal, head.Forgotten.Reason)
	}
	known, err := head.verifier()
	if err != nil {
		return c, err
	}
	added, err := s.signer(&known)
	if err != nil {
		return c, err
	}
	shown := s.Checkpoint
	switch {
	case node != "" && node != head.Node && shown.Size <= head.Size:
		return c, otherNode(head, node)
	case shown.Size > head.Size && s.Old != head.Size, shown.Size < head.Size && s.Old != head.Size && !s.fromFirst():
		// A node that has fewer records says that it knows how many the hub holds: an older
		// request that arrives late is no sign of anything.
		return c, &Refusal{Status: http.StatusConflict, Size: head.Size}
	case shown.Size < head.Size:
		root, err := newJournal(ctx, h.store, head).rootAt(shown.Size)
		if err != nil {
			return c, err
		}
		switch {
		case root != shown.Root:
			return c, h.conflict(ctx, Rewritten, s, head, version)
		case s.fromFirst():
			return c, &Refusal{Status: http.StatusConflict, Size: head.Size}
		}
		return c, h.conflict(ctx, RolledBack, s, head, version)
	case shown == head.commitment():
		return h.again(ctx, head, version)
	case shown.Size == head.Size, tlog.CheckTree(s.Proof, int64(shown.Size), shown.Root, int64(head.Size), tlog.Hash(head.Root)) != nil: //nolint:gosec // below 2^63
		if node != "" && node != head.Node {
			// A witness shows checkpoints, and a wrong proof is easily made: another node
			// must not accuse this one.
			return c, otherNode(head, node)
		}
		return c, h.conflict(ctx, Rewritten, s, head, version)
	}
	next := *head
	next.Keys = slices.Concat(head.Keys, added)
	if err := h.extend(&next, node, s); err != nil {
		return c, err
	}
	return h.commit(ctx, s, head, &next, version)
}

func otherNode(head *Head, node string) error {
	return refuse(http.StatusForbidden, "journal %s is of node %.80q, but the certificate is of node %.80q", head.Journal, head.Node, node)
}

// enrol considers the first shipment of a journal. Its key is taken as it is.
func (h *Hub) enrol(ctx context.Context, node string, s *Shipment) (c transparency.Cosignature, err error) {
	if s.Old != 0 {
		return c, &Refusal{Status: http.StatusConflict}
	}
	keys, err := s.signer(nil)
	if err != nil {
		return c, err
	}
	next := Head{V: headVersion, Journal: s.Checkpoint.Journal, Keys: keys, First: h.now()}
	if err := h.extend(&next, node, s); err != nil {
		return c, err
	}
	return h.commit(ctx, s, nil, &next, "")
}

// extend checks the records of a shipment, and adds them to a head: their form, chain,
// sequence and node, and that they make the root of the checkpoint.
func (h *Hub) extend(next *Head, node string, s *Shipment) error {
	edge, tip := next.edge(), next.tip()
	if n := uint64(bytes.Count(s.Records, []byte("\n"))); n != s.Checkpoint.Size-edge.Count { //nolint:gosec // not negative
		return malformed("there are %d records, but the checkpoint is over %d and the hub holds %d", n, s.Checkpoint.Size, edge.Count)
	}
	var rec record.Record
	renamed := false
	for line := range s.lines() {
		seq := edge.Count + 1
		if err := rec.Decode(line); err != nil {
			return malformed("record %d: %v", seq, err)
		}
		// The name changes with a record that says so. Whether it may is for the fold.
		renamed = renamed || rec.Type == string(machine.KindNodeRenamed)
		switch {
		case len(rec.Node) > maxName:
			return malformed("record %d is of a node whose name has %d bytes, and at most %d are possible", seq, len(rec.Node), maxName)
		case rec.Journal != next.Journal:
			return malformed("record %d names journal %.80q", seq, rec.Journal)
		case rec.Seq != seq:
			return malformed("record %d is in the place of record %d", rec.Seq, seq)
		case rec.Prev != tip.Hash:
			return malformed("record %d does not link to the one before it: verify the journal (edgectl journal verify)", seq)
		case next.Node != "" && rec.Node != next.Node && !renamed:
			return refuse(http.StatusForbidden, "record %d is of node %.80q, but the ones before it are of node %.80q", seq, rec.Node, next.Node)
		}
		if seq == 1 {
			next.Continues = continuation(rec)
		}
		next.Node, tip = rec.Node, record.Tip{Seq: seq, Hash: rec.Hash}
		edge.Push(tlog.RecordHash(line))
	}
	if node != "" && next.Node != node {
		return otherNode(next, node)
	}
	if edge.Root() != s.Checkpoint.Root {
		return malformed("the root of these records is not that of the checkpoint")
	}
	next.setEdge(edge)
	next.Hash = tip.Hash.String()
	return nil
}

// continuation returns what the first record says of a journal before; nil if it names
// none.
func continuation(first record.Record) *Continuation {
	if first.Type != string(machine.KindJournalSalvaged) {
		return nil
	}
	event, err := replay.Event(first)
	if err != nil {
		return nil // the fold reports it
	}
	p, ok := event.Payload.(machine.JournalSalvaged)
	if !ok {
		return nil
	}
	return &Continuation{Journal: short(p.Predecessor), Size: p.Size, Hash: short(p.LastHash), Lost: short(p.Lost), ByCommand: strings.Contains(p.Lost, replay.LostByCheckpoint)}
}

// signAt returns the time of the next signature: never before that of the newest one. The
// error is a [*Refusal] if the clock is wrong.
func (h *Hub) signAt(newest time.Time) (time.Time, error) {
	now := h.now()
	switch ahead := newest.Sub(now); {
	case ahead > maxAhead:
		return now, refuse(http.StatusServiceUnavailable, "the hub's clock is wrong: its newest signature is %s ahead of it", ahead.Round(time.Second))
	case ahead > 0:
		now = newest
	}
	return now, nil
}

// commit writes the records and replaces the head. It returns the signature after both
// are durable.
func (h *Hub) commit(ctx context.Context, s *Shipment, head, next *Head, version bucket.Version) (c transparency.Cosignature, err error) {
	at, err := h.signAt(next.Signed)
	if err != nil {
		return c, err
	}
	if c, err = h.key.cosign(s.Signed, at); err != nil {
		return c, err
	}
	next.Checkpoint, next.Signed, next.Seen = string(s.Signed)+c.Line, at, h.now()
	next.Received = append(next.Received[:len(next.Received):len(next.Received)], [2]int64{int64(next.Size), h.now().Unix()}) //nolint:gosec // below 2^63
	replaced, err := h.putRun(ctx, next, s)
	if err != nil {
		return c, err
	}
	known := 0
	if head != nil {
		if err := h.publish(ctx, head); err != nil {
			return c, err
		}
		known = len(head.Keys)
	}
	data := next.encode()
	if len(data) > maxHead {
		return c, refuse(http.StatusRequestEntityTooLarge, "journal %s has been shipped too often, or its key rotated too often, for one journal: begin another one (edgectl journal continue)", next.Journal)
	}
	// The commit point.
	if err := h.store.Swap(ctx, headsDir+next.Journal, data, version); err != nil {
		return c, err
	}
	if err := publish(ctx, h.store, next, known); err != nil {
		return c, err
	}
	h.index.put(next, true)
	h.views.want(next.Journal)
	if replaced != "" {
		// Readers that have the head before read again. If it stays, it is no harm.
		_ = h.store.Delete(ctx, recordsDir+replaced)
	}
	return c, nil
}

// publish writes the files that follow from a head that was read, unless this hub knows
// that they are there.
func (h *Hub) publish(ctx context.Context, head *Head) error {
	if h.index.published(head) {
		return nil
	}
	return publish(ctx, h.store, head, 0)
}

// putRun writes the records of a shipment: into the newest run, made longer, or into a new
// one. It returns the name of the run that was replaced.
func (h *Hub) putRun(ctx context.Context, next *Head, s *Shipment) (replaced string, err error) {
	runs := next.Runs[:len(next.Runs):len(next.Runs)]
	var data []byte
	if n := len(runs); n > 0 && runs[n-1].Bytes < runBytes {
		old := runs[n-1]
		data, _, err = h.store.Get(ctx, recordsDir+old.SHA256)
		if errors.Is(err, fs.ErrNotExist) {
			return "", bucket.ErrChanged // the head that was read is an old one
		}
		if err != nil {
			return "", err
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != old.SHA256 {
			return "", newJournal(ctx, h.store, next).corrupt(old.Last, "the SHA-256 of "+recordsDir+old.SHA256+" is another one")
		}
		runs, replaced = runs[:n-1:n-1], old.SHA256
	}
	if replaced == "" {
		data = s.Records
	} else {
		data = append(data, s.Records...)
	}
	sum := sha256.Sum256(data)
	r := Run{Last: next.Size, SHA256: hex.EncodeToString(sum[:]), Bytes: len(data)}
	next.Runs = append(runs, r)
	return replaced, h.store.Put(ctx, recordsDir+r.SHA256, data)
}

// again answers a node that shows the checkpoint which the hub holds.
func (h *Hub) again(ctx context.Context, head *Head, version bucket.Version) (c transparency.Cosignature, err error) {
	next := *head
	next.Seen = h.now()
	c, signed := transparency.Cosigned([]byte(head.Checkpoint), h.key.verifier)
	if !signed {
		// The hub has another key today.
		at, err := h.signAt(head.Signed)
		if err != nil {
			return c, err
		}
		if c, err = h.key.cosign([]byte(head.Checkpoint), at); err != nil {
			return c, err
		}
		next.Checkpoint, next.Signed = head.Checkpoint+c.Line, at
	} else if next.Seen.Sub(head.Seen) < seenEvery && h.index.published(head) {
		return c, nil
	}
	// It may be that no store has acknowledged the head that was read. Its replacement shows
	// that it is durable.
	if err := h.publish(ctx, head); err != nil {
		return c, err
	}
	if err := h.store.Swap(ctx, headsDir+next.Journal, next.encode(), version); err != nil {
		return c, err
	}
	h.index.put(&next, true)
	return c, nil
}
