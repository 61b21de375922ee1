package machine

import (
	"context"
	"errors"
	"testing"

	"github.com/looplab/fsm"
	"pgregory.net/rapid"
)

// A stepper reaches the same phases as a table that is asked about every step.
func TestStepper(t *testing.T) {
	triggers := []string{"no such trigger"}
	for _, e := range table() {
		triggers = append(triggers, e.Name)
	}
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.SampledFrom(anyPhase).Draw(t, "phase")
		s, plain := newStepper(at), newTable(at)
		for _, tr := range rapid.SliceOfN(rapid.SampledFrom(triggers), 1, 60).Draw(t, "triggers") {
			err := plain.Event(context.Background(), tr)
			if errors.As(err, new(fsm.NoTransitionError)) {
				err = nil
			}
			got, refused := s.step(trigger(tr))
			if (refused == nil) != (err == nil) || string(got) != plain.Current() || s.table.Current() != plain.Current() {
				t.Fatalf("%s: in %s, %v; want %s, %v", tr, got, refused, plain.Current(), err)
			}
		}
	})
}

// A state that a fold has returned does not change while the fold continues.
func TestFoldStatesAreValues(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	s.run(boot{live: "b", manifest: "m", ops: 3})
	s.must("ctl", KeyReplaced{V: 1, Purpose: PurposeManifest, NewKey: "k1"})
	s.run(boot{live: "b", repairs: []ProjectionRepaired{{V: 1, Path: "fp"}, {V: 1, Path: "ev"}, {V: 1, Path: "prev"}}})
	for _, key := range []string{"k2", "k3", "k4"} {
		s.must("ctl", KeyRotated{V: 1, Purpose: PurposeManifest, NewKey: key})
	}
	f := NewFold(State{})
	states, texts := []State{f.State()}, []string{mustEncode(t, f.State())}
	for _, e := range s.events {
		wrong := e
		wrong.Epoch += 7 // refused only after everything else of it was applied
		if err := f.Apply(wrong); !errors.Is(err, ErrTransition) || mustEncode(t, f.State()) != texts[len(texts)-1] {
			t.Fatalf("%v, and the fold is at %s", err, mustEncode(t, f.State()))
		}
		if err := f.Apply(e); err != nil {
			t.Fatal(err)
		}
		states, texts = append(states, f.State()), append(texts, mustEncode(t, f.State()))
	}
	for i, was := range states {
		if got := mustEncode(t, was); got != texts[i] {
			t.Errorf("the state after event %d became\n%s\nit was\n%s", i, got, texts[i])
		}
	}
}
