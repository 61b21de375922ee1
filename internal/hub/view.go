package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"

	"github.com/go-json-experiment/json"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay/explain"
)

const (
	// viewVersion changes with the form or the meaning of a view.
	viewVersion = 1
	// maxFindings is the number of findings that a view keeps.
	maxFindings = 16
)

// view is what the records of a journal mean. It follows from them: one that is lost or
// older is made again.
type view struct {
	V        int               `json:"v"`
	Size     uint64            `json:"size"` // records that were folded
	Epoch    uint64            `json:"epoch"`
	System   string            `json:"system"`
	Kernel   string            `json:"kernel"`
	Boot     *Boot             `json:"boot"`
	Flags    []Flag            `json:"flags"`
	Findings []journal.Finding `json:"findings"` // of verify --deep; errors only
	// Claim is the reason why what the first record says of the journal before is not
	// true, as far as the hub holds that one; "" if nothing contradicts. Missing is the
	// number of its records that the hub holds and that this journal does not continue.
	Claim   string `json:"claim,omitempty"`
	Missing uint64 `json:"missing,omitempty"`
	// Stopped: the state after the records is not known, and the fold does not continue.
	Stopped  bool            `json:"stopped,omitempty"`
	Progress verify.Progress `json:"progress"`
}

// readView returns the view of a journal, nil if there is none of this version.
func readView(ctx context.Context, s bucket.Store, id string) (*view, error) {
	data, _, err := s.Get(ctx, viewsDir+id)
	if errors.Is(err, fs.ErrNotExist) || history.IsDamage(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var v view
	if json.Unmarshal(data, &v) != nil || v.V != viewVersion {
		return nil, nil
	}
	return &v, nil
}

// extend folds the records after those of a view, nil for none, and returns the new view.
func (v *view) extend(j *Journal) (*view, error) {
	next := &view{V: viewVersion, Flags: []Flag{}, Findings: []journal.Finding{}}
	fold := verify.NewFold(j.ID())
	if v != nil && v.Size <= j.Tip().Seq {
		if v.Stopped {
			next = v
		} else if resumed, err := verify.Resume(j.ID(), v.Progress); err == nil {
			copied := *v
			next, fold = &copied, resumed
		}
	}
	if next.Stopped {
		copied := *next
		copied.Size = j.Tip().Seq
		return &copied, nil
	}
	for rec, err := range j.Records(next.Size+1, j.Tip().Seq) {
		if err != nil {
			return nil, err
		}
		if !fold.Add(rec) {
			next.Stopped = true
			break
		}
		if machine.Kind(rec.Type).OfBoot() {
			next.boot(fold.State())
		}
	}
	next.Size = j.Tip().Seq
	for _, f := range fold.Findings {
		if f.Severity == journal.SeverityError && len(next.Findings) < maxFindings {
			f.Detail = short(f.Detail)
			next.Findings = append(next.Findings, f)
		}
	}
	state := fold.State()
	if state.Seq == 0 {
		return next, nil
	}
	next.Epoch = state.Epoch
	if b := state.Baseline; b != nil {
		next.System, next.Kernel = short(display.System(b.OSRelease)), short(b.UnameRelease)
	}
	if next.Boot != nil {
		next.Boot.Attempt = 0
		if state.Open != nil {
			next.Boot.Attempt = state.Open.Attempt
		}
	}
	var err error
	if next.Progress, err = fold.Progress(); err != nil {
		return nil, err
	}
	return next, next.flag(j, state.Epoch)
}

// short returns a text of a node as it is shown, and kept in memory: printable, and not
// longer than an honest one.
func short(text string) string {
	const most = 1000 // bytes
	if text = display.Clean(text); len(text) > most {
		text = text[:most] + "..."
	}
	return text
}

// boot sets the newest boot from a state after one of its records.
func (v *view) boot(s machine.State) {
	v.Boot = &Boot{Time: s.Run.Time, Outcome: "unfinished"}
	switch {
	case s.Run.Failed != 0:
		v.Boot.Outcome, v.Boot.Exit = "failed", s.Run.Failed
		if f := s.LastFail; f != nil {
			v.Boot.Stage, v.Boot.Reason = short(f.Failed.Stage), short(f.Failed.Reason)
		}
	case s.Run.Ended || s.Run.Closed:
		v.Boot.Outcome = "passed"
	}
}

// flag sets the flags of the epoch in force.
func (v *view) flag(j *Journal, epoch uint64) error {
	report, err := explain.Explain(j.ctx, j, explain.Options{Epoch: &epoch})
	if err != nil {
		return err
	}
	v.Flags = []Flag{}
	for _, f := range report.FlagSums() {
		v.Flags = append(v.Flags, Flag{f.Code, f.Severity, f.Meaning, f.Count})
	}
	return nil
}

// claims compares what the first record says of the journal before with what the hub
// holds of that one.
func (v *view) claims(ctx context.Context, s bucket.Store, c *Continuation) error {
	v.Claim, v.Missing = "", 0
	if c == nil {
		return nil
	}
	before, err := OpenJournal(ctx, s, c.Journal)
	switch {
	case errors.Is(err, ErrUnknown), errors.Is(err, ErrForgotten):
		return nil // nothing is known of it
	case err != nil:
		return err
	}
	held := before.Tip().Seq
	if held > c.Size {
		v.Missing = held - c.Size
	}
	if c.Size == 0 || held < c.Size {
		return nil
	}
	rec, err := before.Record(c.Size)
	if err != nil {
		return err
	}
	if rec.Hash.String() != c.Hash {
		v.Claim = fmt.Sprintf("it says that record %d of journal %s was %.12s, but the hub holds %.12s", c.Size, c.Journal, c.Hash, rec.Hash)
	}
	return nil
}

// views makes views in the background, one after the other.
type views struct {
	store bucket.Store
	index *index
	log   *slog.Logger

	mu      sync.Mutex
	wanted  map[string]bool
	changed chan struct{} // holds a value if wanted is not empty
}

func newViews(s bucket.Store, x *index, log *slog.Logger) *views {
	return &views{store: s, index: x, log: log, wanted: map[string]bool{}, changed: make(chan struct{}, 1)}
}

// want asks for the view of a journal.
func (v *views) want(id string) {
	v.mu.Lock()
	v.wanted[id] = true
	v.mu.Unlock()
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

// waiting returns the number of views to make.
func (v *views) waiting() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.wanted)
}

func (v *views) next() (id string, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id := range v.wanted {
		delete(v.wanted, id)
		return id, true
	}
	return "", false
}

func (v *views) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.changed:
		}
		for id, ok := v.next(); ok && ctx.Err() == nil; id, ok = v.next() {
			if err := v.make(ctx, id); err != nil && ctx.Err() == nil {
				// The next refresh asks again.
				v.log.Warn("a journal cannot be folded", "journal", id, "error", err)
				v.index.setUnfolded(id, err)
			}
		}
	}
}

func (v *views) make(ctx context.Context, id string) error {
	before, err := readView(ctx, v.store, id)
	if err != nil {
		return err
	}
	next, err := makeView(ctx, v.store, id, before)
	if err != nil {
		return err
	}
	data, err := json.Marshal(next, json.Deterministic(true))
	if err != nil {
		return err
	}
	if err := v.store.Put(ctx, viewsDir+id, data); err != nil {
		return err
	}
	// Forget marks the head, and then removes the view.
	if head, _, err := readHead(ctx, v.store, id); err != nil || head.Forgotten != nil {
		return errors.Join(err, v.store.Delete(ctx, viewsDir+id))
	}
	next.Progress = verify.Progress{} // not kept in memory
	v.index.setView(id, next)
	return nil
}

// makeView returns the view of all records that the hub holds of a journal. before is an
// older one, or nil.
func makeView(ctx context.Context, s bucket.Store, id string, before *view) (*view, error) {
	j, err := OpenJournal(ctx, s, id)
	if err != nil {
		return nil, err
	}
	next, err := before.extend(j)
	if err != nil {
		return nil, err
	}
	return next, next.claims(ctx, s, j.head.Continues)
}
