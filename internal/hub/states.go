package hub

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/replay/explain"
)

// Policy says when a node that does not ship is behind, and when it is silent, and which
// nodes there should be.
type Policy struct {
	Behind, Silent time.Duration
	Inventory      []string // names; nil if they are not known
}

// DefaultPolicy is for nodes that ship after each boot and once a day.
func DefaultPolicy() Policy { return Policy{Behind: 26 * time.Hour, Silent: 7 * 24 * time.Hour} }

// States returns all states, the worst first.
func States() []State {
	return []State{Rewritten, Cloned, RolledBack, Wiped, Unsound, Continued, Salvaged, Failing, Stuck, NeverSeen, Silent, Flagged, Behind, Alive}
}

// Alert reports whether somebody has to look at a node in this state.
func (s State) Alert() bool { return s != Alive && s != Behind }

// Fleet returns the states of all nodes.
func (h *Hub) Fleet(p Policy) Fleet {
	f := fleetOf(h.index, p, h.now())
	f.Hub = h.key.Name()
	if r := h.stopped.Load(); r != nil {
		f.Stopped = r.String()
	}
	return f
}

// ReadFleet returns the states of all nodes from a store alone.
func ReadFleet(ctx context.Context, s bucket.Store, p Policy) (Fleet, error) {
	x := newIndex()
	// A journal that cannot be read is among the nodes.
	if err := x.refresh(ctx, s, func(string) {}); err != nil && (!x.complete || ctx.Err() != nil) {
		return Fleet{}, err
	}
	if err := x.foldAll(ctx, s); err != nil {
		return Fleet{}, err
	}
	f := fleetOf(x, p, time.Now().UTC())
	for item, err := range s.List(ctx, rollbacksDir) {
		if err != nil {
			return Fleet{}, err
		}
		var r Rollback
		if data, _, err := s.Get(ctx, item.Name); err == nil && json.Unmarshal(data, &r) == nil && x.newest().After(r.Time.Add(2*refreshEvery)) {
			continue // another key signs: every hub with this one has seen this by then
		}
		f.Stopped = "the store was put back to an older copy, see " + item.Name + " in it; a hub with that key signs nothing"
	}
	return f, nil
}

// foldAll makes the views that are behind. They are not kept: the store may be read-only.
func (x *index) foldAll(ctx context.Context, s bucket.Store) error {
	ids := make(chan string)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for id := range ids {
				before, err := readView(ctx, s, id)
				var v *view
				if err == nil {
					v, err = makeView(ctx, s, id, before)
				}
				if err != nil {
					x.setUnfolded(id, err)
					continue
				}
				v.Progress = verify.Progress{}
				x.setView(id, v)
			}
		})
	}
	for _, id := range x.behind() {
		select {
		case ids <- id:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(ids)
	wg.Wait()
	return ctx.Err()
}

func fleetOf(x *index, p Policy, now time.Time) Fleet {
	byNode, complete := x.all()
	f := Fleet{Time: now, Complete: complete, Counts: map[State]int{}, Nodes: []Node{}}
	for _, s := range States() {
		f.Counts[s] = 0
	}
	for _, name := range p.Inventory {
		if _, seen := byNode[name]; !seen {
			byNode[name] = nil
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byNode)) {
		// A node whose journals were all removed is gone.
		journals := slices.DeleteFunc(slices.Clone(byNode[name]), func(e entry) bool { return e.Forgotten != nil })
		if len(journals) == 0 && len(byNode[name]) > 0 {
			continue
		}
		n := p.node(name, journals, now)
		f.Counts[n.State]++
		f.Nodes = append(f.Nodes, n)
		for _, e := range journals {
			f.Records += e.Size
		}
	}
	return f
}

// stating collects the states of a node.
type stating struct{ Node }

func (n *stating) add(s State, format string, args ...any) {
	if slices.Contains(n.States, s) {
		return
	}
	n.States = append(n.States, s)
	n.Reasons = append(n.Reasons, fmt.Sprintf(format, args...))
}

// node returns a node from its journals, the newest first.
func (p Policy) node(name string, journals []entry, now time.Time) Node {
	n := stating{Node{Name: display.Clean(name), States: []State{}, Reasons: []string{}, Flags: []Flag{}, Others: []string{}, Conflicts: []Conflict{}}}
	if len(journals) == 0 {
		n.add(NeverSeen, "the inventory names it, and it has never shipped")
		return n.sorted()
	}
	newest := journals[0]
	if newest.Size == 0 {
		n.add(Unsound, "the hub cannot read what it holds of this journal, and does not know its node: %s", newest.unread)
		return n.sorted()
	}
	n.Journal, n.Records = newest.Journal, newest.Size
	first, seen := newest.First, newest.Seen
	for _, e := range journals {
		n.Conflicts = append(n.Conflicts, e.conflicts...)
		if trouble := cmp.Or(e.unread, e.unfolded); trouble != "" {
			n.add(Unsound, "the hub cannot read all that it holds of journal %s: %s (edgehub verify)", e.Journal, trouble)
		}
		if e.First.Before(first) {
			first = e.First
		}
		if e.Seen.After(seen) {
			seen = e.Seen
		}
		if e.Journal != newest.Journal {
			n.Others = append(n.Others, e.Journal)
		}
	}
	n.First, n.Seen = &first, &seen
	n.histories(journals)
	if v := newest.view; v != nil {
		n.Epoch, n.System, n.Kernel, n.Boot, n.Flags = v.Epoch, v.System, v.Kernel, v.Boot, v.Flags
		n.folded(v)
	}
	switch gone := since(now, seen); {
	case gone > p.Silent:
		n.add(Silent, "it has not shipped for %s", days(gone))
	case gone > p.Behind:
		n.add(Behind, "it has not shipped for %s", days(gone))
	case newest.view == nil || newest.view.Size < newest.Size:
		n.add(Behind, "the hub has not folded its newest records yet")
	}
	return n.sorted()
}

// histories adds what the journals of a node say of each other, and of what it showed.
func (n *stating) histories(journals []entry) {
	newest := journals[0]
	continued := map[string]bool{}
	for _, e := range journals {
		if e.Continues != nil {
			continued[e.Continues.Journal] = true
		}
	}
	for _, e := range journals {
		c := e.Conflict
		switch {
		case c == nil, continued[e.Journal]:
		case c.Kind == Rewritten && e.Seen.After(c.Time):
			n.add(Cloned, "it showed another history of journal %s on %s, and then went on with this one: two copies of it are running", e.Journal, day(c.Time))
		case c.Kind == Rewritten:
			n.add(Rewritten, "it showed %d records of journal %s that contradict those that the hub holds, on %s", c.Size, e.Journal, day(c.Time))
		case e.Seen.Before(c.Time):
			n.add(RolledBack, "it showed %d records of journal %s, but had shown %d before, on %s: an older copy of its partition was put back", c.Size, e.Journal, e.Size, day(c.Time))
		}
	}
	for i, older := range journals[1:] {
		switch {
		case continued[older.Journal]:
		case older.Seen.After(journals[i].First):
			n.add(Cloned, "journals %s and %s both go on under its name", older.Journal, journals[i].Journal)
		case journals[i].Continues == nil:
			n.add(Wiped, "it began journal %s, which names none before it, and had journal %s before", journals[i].Journal, older.Journal)
		}
	}
	if c := newest.Continues; c != nil {
		missing := ""
		if v := newest.view; v != nil && v.Missing > 0 {
			missing = fmt.Sprintf("; the hub holds %d records of that one after them", v.Missing)
		}
		if c.ByCommand {
			n.add(Continued, "it continues journal %s after %d records, by edgectl journal continue; lost: %s%s", c.Journal, c.Size, display.Clean(c.Lost), missing)
		} else {
			n.add(Salvaged, "it continues the damaged journal %s, of which %d records were kept; lost: %s%s", c.Journal, c.Size, display.Clean(c.Lost), missing)
		}
	}
}

// folded adds what the records mean.
func (n *stating) folded(v *view) {
	if v.Claim != "" {
		n.add(Unsound, "%s", v.Claim)
	}
	if len(v.Findings) > 0 {
		f := v.Findings[0]
		n.add(Unsound, "record %d: %s (edgectl journal verify --deep)", f.Seq, f.Detail)
	}
	if b := v.Boot; b != nil {
		if b.Outcome == "failed" {
			n.add(Failing, "its newest boot failed with exit code %d at %s: %s", b.Exit, b.Stage, b.Reason)
		}
		if b.Attempt > 1 {
			n.add(Stuck, "a reconstruction is open, at attempt %d", b.Attempt)
		}
	}
	var warnings []string
	for _, f := range v.Flags {
		if f.Severity == explain.Warning {
			warnings = append(warnings, f.Code)
		}
	}
	if len(warnings) > 0 {
		n.add(Flagged, "%s", strings.Join(warnings, ", "))
	}
}

// sorted returns the node with the worst state first.
func (n *stating) sorted() Node {
	if len(n.States) == 0 {
		n.add(Alive, "nothing is wrong, as far as the hub can know")
	}
	order := States()
	type stated struct {
		state  State
		reason string
	}
	var all []stated
	for i, s := range n.States {
		all = append(all, stated{s, n.Reasons[i]})
	}
	slices.SortStableFunc(all, func(a, b stated) int {
		return cmp.Compare(slices.Index(order, a.state), slices.Index(order, b.state))
	})
	for i, s := range all {
		n.States[i], n.Reasons[i] = s.state, s.reason
	}
	n.State = n.States[0]
	return n.Node
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// days returns a duration in words, in whole days or hours.
func days(d time.Duration) string {
	hours := int(d.Hours())
	switch {
	case hours >= 48:
		return fmt.Sprintf("%d days", hours/24)
	case hours == 1:
		return "1 hour"
	}
	return fmt.Sprintf("%d hours", hours)
}

// Worst returns the nodes, those in the worst state first.
func (f *Fleet) Worst() []Node {
	order := States()
	nodes := slices.Clone(f.Nodes)
	slices.SortStableFunc(nodes, func(a, b Node) int {
		return cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State))
	})
	return nodes
}

// Alerts returns the number of nodes that somebody has to look at.
func (f *Fleet) Alerts() (n int) {
	for state, count := range f.Counts {
		if state.Alert() {
			n += count
		}
	}
	return n
}
