package machine

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// sim drives Decide and Apply as a gate would, with effects that succeed or
// fail as the test says. It keeps every event, so that a history can be folded
// again from the start.
type sim struct {
	t      *testing.T
	fold   *Fold
	events []Event
	now    time.Time
	runs   int
}

// boot is one boot of a sim: its observations and effects.
type boot struct {
	live       string
	legacy     *LegacyStateAdopted
	unreadable bool
	floor      uint64
	file       FoundFile
	repairs    []ProjectionRepaired
	manifest   string // "" means absent
	ops        int
	drift      bool
	pinned     bool         // a key is pinned
	gone       map[int]bool // applied operations that are not in place any more
	crashAfter int          // events of this boot after which power is lost; 0 never
	failAt     string       // step at which it fails: verify, op1, rotate
	exit       int          // exit code of that failure, default 5
}

func newSim(t *testing.T) *sim {
	return &sim{t: t, fold: NewFold(State{}), now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
}

func hashOf(s string) string {
	return fmt.Sprintf("%064x", []byte(s+strings.Repeat(".", 32-len(s))))
}

func (s *sim) add(run string, p Payload) error {
	st := s.fold.State()
	epoch := st.Epoch
	switch p := p.(type) {
	case EpochRotated:
		epoch = p.BootEpoch
	case LegacyStateAdopted:
		epoch = p.BootEpoch
	case UpdateDetected:
		epoch = max(epoch, p.EpochFloor)
	case JournalSalvaged:
		epoch = p.Epoch
	}
	node := st.Node
	if node == "" {
		node = "n"
	}
	s.now = s.now.Add(time.Second)
	data, err := Encode(p)
	if err != nil {
		s.t.Fatal(err)
	}
	decoded, err := Decode(p.Kind(), Critical(p.Kind()), data)
	if err != nil {
		s.t.Fatal(err)
	}
	e := Event{Payload: decoded, Meta: Meta{
		Journal: "j", Seq: st.Seq + 1, Hash: fmt.Sprintf("h%d", st.Seq+1), Prev: st.Hash, Kind: p.Kind(),
		Crit: Critical(p.Kind()), Time: s.now, BootID: "b" + run, Run: run, Node: node, Epoch: epoch,
	}}
	if err := s.fold.Apply(e); err != nil {
		return err
	}
	s.events = append(s.events, e)
	return nil
}

func (s *sim) must(run string, p Payload) {
	s.t.Helper()
	if err := s.add(run, p); err != nil {
		s.t.Fatal(err)
	}
}

// run boots once and returns the kinds appended and the exit code, -1 after a loss
// of power.
func (s *sim) run(b boot) (string, int) {
	s.t.Helper()
	s.runs++
	run := fmt.Sprintf("run%d", s.runs)
	o := Observations{
		Run: run, Live: Captured{CompositeHash: hashOf(b.live), Inputs: Inputs{EtcOSRelease: b.live, UnameRelease: "k"}},
		Legacy: b.legacy != nil, Unreadable: b.unreadable, EvidenceFloor: b.floor, File: b.file, Repairs: b.repairs,
		FingerprintPath: "fp", ManifestDue: b.manifest != "" || b.pinned, Drift: b.drift,
	}
	if s.fold.State().Phase == PhaseNew {
		o.Drift = false
	}
	var kinds []string
	fail := func(stage string) (string, int) {
		exit := 5
		if b.exit != 0 {
			exit = b.exit
		}
		attempt := 0
		if open := s.fold.State().Open; open != nil {
			attempt = open.Attempt
		}
		s.must(run, PrecheckFailed{V: 1, ExitCode: exit, Stage: stage, Attempt: attempt})
		return strings.Join(append(kinds, "PrecheckFailed"), " "), exit
	}
	for range 100 {
		if b.crashAfter > 0 && len(kinds) == b.crashAfter {
			return strings.Join(kinds, " "), -1
		}
		st := s.fold.State()
		var p Payload
		name := ""
		switch step := Decide(st, o).(type) {
		case Done:
			return strings.Join(kinds, " "), 0
		case Adopt:
			adopted := *b.legacy
			adopted.RuntimeDrift = o.Drift
			p = adopted
		case Capture:
			c := FingerprintCaptured{V: 1, Role: step.Role, CompositeHash: o.Live.CompositeHash, Inputs: o.Live.Inputs}
			if step.Role != RoleMatch {
				text, at := "ID="+b.live, s.now
				c.OSRelease, c.CapturedAt = &text, &at
			}
			p, name = c, ":"+string(step.Role)
		case Record:
			p = step.Payload
			if u, ok := p.(UpdateDetected); ok {
				name = fmt.Sprintf(":%v#%d", u.Causes, u.Attempt)
			}
		case VerifyManifest:
			if b.failAt == "verify" || b.manifest == "" {
				return fail("manifest")
			}
			p = ManifestVerified{V: 1, ManifestHash: b.manifest, KeyBLAKE3: "key", Operations: b.ops}
			plan := &Plan{Operations: b.ops, InPlace: map[int]bool{}}
			if st.Open != nil && st.Open.Manifest != nil && st.Open.Manifest.Hash == b.manifest {
				for _, op := range st.Open.Applied {
					plan.InPlace[op.Index] = !b.gone[op.Index]
				}
			}
			if step.First {
				o.Drift = b.drift // known from now on
			} else {
				o.Manifest = plan
			}
		case ApplyOperation:
			if b.failAt == fmt.Sprintf("op%d", step.Index) {
				return fail("operation")
			}
			o.Manifest.InPlace[step.Index] = true
			p, name = OpApplied{V: 1, Index: step.Index, Op: "copy_binary"}, fmt.Sprintf(":%d", step.Index)
		case Rotate:
			if b.failAt == "rotate" {
				return fail("epoch")
			}
			c := st.Run.Captured
			p = EpochRotated{V: 1, BootEpoch: st.Epoch + 1, ManifestHash: st.Open.Manifest.Hash, Inputs: c.Inputs,
				OSFingerprint: OSFingerprint{CompositeHash: c.CompositeHash, OSRelease: c.OSRelease, BootEpoch: st.Epoch + 1}}
		}
		s.must(run, p)
		kinds = append(kinds, string(p.Kind())+name)
	}
	s.t.Fatal("the loop does not end")
	return "", 0
}

// refold folds the whole history again and compares.
func (s *sim) refold() State {
	s.t.Helper()
	f := NewFold(State{})
	for _, e := range s.events {
		if err := f.Apply(e); err != nil {
			s.t.Fatal(err)
		}
	}
	got, want := mustEncode(s.t, f.State()), mustEncode(s.t, s.fold.State())
	if got != want {
		s.t.Fatalf("a full fold gives another state:\n%s\n%s", got, want)
	}
	return f.State()
}

func mustEncode(t *testing.T, s State) string {
	t.Helper()
	data, err := EncodeState(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
