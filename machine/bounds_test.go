package machine

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
)

// allocated returns the number of bytes that do allocates.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// next returns p as the next event of f's history.
func next(f *Fold, run string, p Payload) Event {
	s := f.State()
	return Event{Payload: p, Meta: Meta{Journal: "j", Seq: s.Seq + 1, Kind: p.Kind(), Run: run, Node: "n", Epoch: s.Epoch}}
}

// The cost of a history is linear in its records, not quadratic. It is counted in
// allocated bytes, so that no clock decides.
func TestFoldIsLinear(t *testing.T) {
	const records = 100_000
	detected := func(t *testing.T) *Fold {
		s := newSim(t)
		s.run(boot{live: "a"})
		s.run(boot{live: "b", manifest: "m", ops: MaxOperations, crashAfter: 3})
		return s.fold
	}
	settled := func(t *testing.T) *Fold { s := newSim(t); s.run(boot{live: "a"}); return s.fold }
	cases := map[string]struct {
		start func(*testing.T) *Fold
		make  func(i int) Payload
		bytes uint64 // a record, at most
	}{
		"repairs in one run":  {settled, func(i int) Payload { return ProjectionRepaired{V: 1, Path: fmt.Sprint("p", i)} }, 2048},
		"operations, again":   {detected, func(i int) Payload { return OpApplied{V: 1, Index: i % MaxOperations} }, 64 << 10},
		"checkpoint keys":     {settled, func(i int) Payload { return KeyReplaced{V: 1, Purpose: PurposeCheckpoint, NewKey: fmt.Sprint(i)} }, 2048},
		"repeated drills":     {settled, func(int) Payload { return DrillRequested{V: 1} }, 2048},
		"unknown kinds":       {settled, func(int) Payload { return Unknown{Name: "SomethingNew"} }, 2048},
		"failures in one run": {settled, func(int) Payload { return PrecheckFailed{V: 1, ExitCode: 3} }, 2048},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f, n := c.start(t), records
			if c.bytes > 2048 {
				n /= 10 // each costs as much as ten
			}
			run := f.State().Run.ID
			got := allocated(func() {
				for i := range n {
					if err := f.Apply(next(f, run, c.make(i))); err != nil {
						t.Fatal(err)
					}
				}
			})
			if per := got / uint64(n); per > c.bytes {
				t.Errorf("%d bytes for each of %d records, want at most %d", per, n, c.bytes)
			}
		})
	}
}

// Two folds that begin at the same state do not write into each other's lists.
func TestFoldsFromOneState(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	add := func(f *Fold, key string) {
		t.Helper()
		for _, p := range []Payload{KeyReplaced{V: 1, Purpose: PurposeManifest, NewKey: key}, ProjectionRepaired{V: 1, Path: key}} {
			if err := f.Apply(next(f, "ctl", p)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 5 { // whatever room the lists have at their end
		add(s.fold, fmt.Sprint(i))
		start := s.fold.State()
		one, other := NewFold(start), NewFold(start)
		add(one, "one")
		add(other, "other")
		add(s.fold, "the first")
		for want, f := range map[string]*Fold{"one": one, "other": other, "the first": s.fold} {
			keys, paths := f.State().Keys.Successors, f.State().Run.Repaired
			if keys[len(keys)-1] != want || paths[len(paths)-1] != want {
				t.Errorf("%q became %q and %q", want, keys, paths)
			}
		}
	}
}

// Each list whose length adds to the cost of a record is bounded.
func TestBounds(t *testing.T) {
	refused := func(f *Fold, run string, p Payload) {
		t.Helper()
		before := mustEncode(t, f.State())
		if err := f.Apply(next(f, run, p)); !errors.Is(err, ErrTransition) {
			t.Errorf("%T: %v", p, err)
		}
		if mustEncode(t, f.State()) != before {
			t.Errorf("%T was refused, and changed the state", p)
		}
	}
	s := newSim(t)
	s.run(boot{live: "a"})
	change := func(i int) Payload {
		key := fmt.Sprint("key", i)
		if i%2 == 0 {
			return KeyRotated{V: 1, Purpose: PurposeManifest, NewKey: key}
		}
		return KeyReplaced{V: 1, Purpose: PurposeManifest, NewKey: key}
	}
	for i := range MaxSuccessors {
		s.must("ctl", change(i))
	}
	refused(s.fold, "ctl", change(1))
	refused(s.fold, "ctl", change(2))
	s.must("ctl", KeyReplaced{V: 1, Purpose: PurposeCheckpoint, NewKey: "another list"})
	// An epoch under the newest key makes room again.
	st := s.fold.State()
	st.completeUnder(st.Keys.Newest())
	f := NewFold(st)
	if err := f.Apply(next(f, "ctl", change(0))); err != nil || len(f.State().Keys.Successors) != 1 {
		t.Errorf("%v, %v", err, f.State().Keys)
	}

	s = newSim(t)
	s.run(boot{live: "a"})
	s.run(boot{live: "b", manifest: "m", ops: MaxOperations, crashAfter: 2})
	run := s.fold.State().Run.ID
	refused(s.fold, run, ManifestVerified{V: 1, Operations: MaxOperations + 1})
	causes := make([]Cause, maxCauses+1)
	for i := range causes {
		causes[i] = Cause(fmt.Sprint(i))
	}
	causes[0] = CauseOSChanged
	refused(s.fold, run, UpdateDetected{V: 1, Attempt: 2, Cause: CauseOSChanged, Causes: causes, CurrentHash: hashOf("b")})
	s.must(run, UpdateDetected{V: 1, Attempt: 2, Cause: CauseOSChanged, Causes: causes[:maxCauses], CurrentHash: hashOf("b")})
	s.must(run, ManifestVerified{V: 1, Operations: MaxOperations})
}
