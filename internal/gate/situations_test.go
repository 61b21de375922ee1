package gate

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

var updateSituations = flag.Bool("update-situations", false, "write docs/situations.md again")

// situation is a row of the situations table, with its scenes.
type situation struct {
	row    string // the situation, in the words of the table
	scenes []scene
}

// scene plays one or a few boots in a situation. accident: it is the attack or
// accident for which the row exists. Every row needs scenes of both kinds.
type scene struct {
	name     string
	accident bool
	play     func(s *stage)
}

// situations returns all rows, in the order of the table. The last ones are from
// other sections of the specification: certificates, clock, keys.
func situations() []situation {
	return slices.Concat(firstRunRows(), legacyRows(), bootRows(), reconstructionRows(), fileRows(),
		historyRows(), requestRows(), diskRows(), certificateRows(), clockRows(), keyRows(), policyRows())
}

// TestSituations plays every scene of every row, and compares the results with
// docs/situations.md.
func TestSituations(t *testing.T) {
	rows := situations()
	acts := make([][][]act, len(rows)) // by row and scene; none of a scene that was not played
	t.Cleanup(func() {                 // once every scene has ended
		if page, whole := writePage(rows, acts); whole && !t.Failed() {
			comparePage(t, page)
		}
	})
	for i, row := range rows {
		acts[i] = make([][]act, len(row.scenes))
		accidents := 0
		for j, sc := range row.scenes {
			if sc.accident {
				accidents++
			}
			t.Run(slug(row.row)+"/"+slug(sc.name), func(t *testing.T) {
				t.Parallel()
				s := &stage{node: newNode(t)}
				s.edit = quick
				sc.play(s)
				if len(s.acts) == 0 {
					t.Fatal("the scene has no boot")
				}
				acts[i][j] = s.acts
				s.drilled()
			})
		}
		if accidents == 0 || accidents == len(row.scenes) {
			t.Errorf("the row %q has %d scenes, %d of them accidents; it needs both", row.row, len(row.scenes), accidents)
		}
	}
}

// writePage returns the page of the results; whole is false if some scenes were not
// played, as with -run.
func writePage(rows []situation, acts [][][]act) (page string, whole bool) {
	var b strings.Builder
	b.WriteString(pageHead)
	for i, row := range rows {
		fmt.Fprintf(&b, "\n## %s\n\n| scene | events appended | exit |\n|---|---|---|\n", capital(row.row))
		for j, sc := range row.scenes {
			kind := "row"
			if sc.accident {
				kind = "accident"
			}
			if acts[i][j] == nil {
				return "", false
			}
			for k, a := range acts[i][j] {
				name := fmt.Sprintf("`%s/%s` (%s)", slug(row.row), slug(sc.name), kind)
				if k > 0 {
					name = "… then"
				}
				fmt.Fprintf(&b, "| %s | %s | %d |\n", name, a.events, a.exit)
			}
		}
	}
	return b.String(), true
}

const pageHead = `# Situations

This page lists situations that a boot can find, the events that it appends to
the journal, and its exit code. ` + "`TestSituations`" + ` (internal/gate) plays every
scene and writes the page; it fails if the page differs. A situation has scenes
of the usual case (row), and of the accident or attack for which it exists
(accident). Before every boot, a dry run wrote nothing and ended with the same
exit code. To write the page again: ` + "`go test ./internal/gate -run TestSituations -update-situations`" + `.
`

func comparePage(t *testing.T, want string) {
	t.Helper()
	const path = "../../docs/situations.md"
	if *updateSituations {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("%s is stale: run `go test ./internal/gate -run TestSituations -update-situations`", path)
	}
}

func slug(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == '(', r == ')', r == ',', r == ':', r == '\'', r == '`':
			return -1
		}
		return '_'
	}, s), "_")
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// stage is the node of one scene and what its boots did.
type stage struct {
	*node
	mem  *memNode // set where the state root is in memory
	acts []act
}

type act struct {
	events string
	exit   int
}

// inMemory moves the scene's state root to a disk that can lose power.
func (s *stage) inMemory() *memNode {
	s.mem = newMemNode(s.t)
	s.node = s.mem.node
	return s.mem
}

// happens plays the boot that the scene is about: an examination and a dry run,
// which must write nothing and tell the same, then the boot itself, which must
// end in exit and append exactly events.
func (s *stage) happens(exit int, events string, opts ...func(*Options)) {
	s.t.Helper()
	planned := s.rehearsed(exit, opts...)
	before := s.events()
	s.boot(exit, opts...)
	after := s.events()
	var names []string
	for _, e := range after[len(before):] {
		names = append(names, describe(e))
	}
	got := strings.Join(names, " ")
	if got != events {
		s.t.Fatalf("events\n  %s\nwant\n  %s\n%s", got, events, s.logs.String())
	}
	if done := strings.TrimSuffix(got, unplanned(names)); strings.TrimSpace(done) != planned {
		s.t.Errorf("the dry run reported\n  %s\nthe boot did\n  %s", planned, done)
	}
	if got == "" {
		got = "none"
	}
	s.acts = append(s.acts, act{strings.ReplaceAll(got, " ", ", "), exit})
}

// drilled requests a drill on the node that the scene left, and requires that an
// examination before says how the next boot ends.
func (s *stage) drilled() {
	s.t.Helper()
	x := s.examine()
	if len(x.Boot) == 0 {
		_, err := Operate(context.Background(), s.root, s.host(), func(machine.State) (machine.Payload, error) {
			return machine.DrillRequested{V: 1, By: "op", Reason: "the scene is over"}, nil
		})
		if errors.Is(err, errs.ErrCorrupt) {
			return // damage that is met when one settles: verification finds it before
		}
		s.check(err)
	}
	exit := s.precheck()
	if fails := len(x.Boot)+len(x.Reconstruction) > 0; fails != (exit != ExitOK) {
		s.t.Errorf("a drill ends in %d, the examination says %v, then %v\n%s", exit, x.Boot, x.Reconstruction, s.logs.String())
	}
}

// unplanned is the event at the end that a dry run does not tell: a
// PrecheckFailed is its result, and it settles nothing.
func unplanned(names []string) string {
	if n := len(names); n > 0 && (strings.HasPrefix(names[n-1], "PrecheckFailed") || names[n-1] == string(machine.KindSnapshotTaken)) {
		return names[n-1]
	}
	return ""
}

// rehearsed makes an examination and a dry run, requires that they wrote nothing
// and say exit, and gives the events that the dry run told.
func (s *stage) rehearsed(exit int, opts ...func(*Options)) string {
	s.t.Helper()
	before, disk := tree(s.t, s.dir), s.dump()
	x, ends := s.examine(opts...), ExitOK
	if len(x.Boot) > 0 {
		ends = x.Boot[0].Exit
	}
	if ends != exit || x.Busy != nil {
		s.t.Errorf("the examination says exit %d, want %d: %v, busy: %v", ends, exit, x.Boot, x.Busy)
	}
	s.boot(exit, append(slices.Clone(opts), func(o *Options) { o.DryRun, o.JSON = true, true })...)
	sameTree(s.t, "the rehearsal", before, tree(s.t, s.dir))
	var warned []string
	for _, w := range x.Warnings {
		warned = append(warned, w.Event)
	}
	if exit == ExitOK && !slices.Equal(warned, s.warned()) { // otherwise the examination goes on
		s.t.Errorf("the examination warns of %v, the dry run of %v", warned, s.warned())
	}
	if !maps.Equal(disk, s.dump()) {
		s.t.Error("the rehearsal wrote to the disk in memory")
	}
	var res struct {
		ExitCode int `json:"exit_code"`
		Events   []struct {
			Type machine.Kind    `json:"type"`
			Data json.RawMessage `json:"data"`
		} `json:"events"`
	}
	s.check(json.Unmarshal(s.stdout.Bytes(), &res))
	if res.ExitCode != exit {
		s.t.Errorf("the dry run says exit %d, want %d", res.ExitCode, exit)
	}
	var names []string
	for _, e := range res.Events {
		p, err := machine.Decode(e.Type, true, e.Data)
		s.check(err)
		names = append(names, describe(machine.Event{Meta: machine.Meta{Kind: e.Type}, Payload: p}))
	}
	return strings.Join(names, " ")
}

// warned are the messages of the last boot's lines at WARN.
func (s *stage) warned() (messages []string) {
	for _, m := range warnLine.FindAllStringSubmatch(s.logs.String(), -1) {
		messages = append(messages, strings.Trim(m[1], `"`))
	}
	return messages
}

var warnLine = regexp.MustCompile(`(?m)^level=WARN msg=("[^"]*"|\S+)`)

func (s *stage) dump() map[string]string {
	if s.mem == nil {
		return nil
	}
	d, err := memfs.Tree(s.mem.disk)
	s.check(err)
	return d
}

// events reads the journal; one that is not there, or not readable, has none.
func (s *stage) events() []machine.Event {
	s.t.Helper()
	var disk durable.FS
	if s.mem != nil {
		disk = s.mem.disk
	} else {
		root, err := durable.OpenRootReadOnly(s.root)
		s.check(err)
		defer root.Close()
		disk = root
	}
	view, err := journal.OpenView(disk, layout)
	if err != nil {
		return nil
	}
	defer view.Close()
	var out []machine.Event
	for rec, err := range view.Records(1, view.Tip().Seq) {
		if err != nil {
			return out
		}
		e, err := replay.Event(rec)
		if err != nil {
			return out
		}
		out = append(out, e)
	}
	return out
}

// describe names an event with what distinguishes it from others of its kind.
func describe(e machine.Event) string {
	name := string(e.Meta.Kind)
	switch p := e.Payload.(type) {
	case machine.FingerprintCaptured:
		return name + ":" + string(p.Role)
	case machine.UpdateDetected:
		causes := make([]string, len(p.Causes))
		for i, c := range p.Causes {
			causes[i] = string(c)
		}
		name = fmt.Sprintf("%s:%s#%d", name, strings.Join(causes, "+"), p.Attempt)
		if p.Supersedes != 0 {
			name += ":supersedes"
		}
	case machine.ProjectionRepaired:
		_, base, _ := strings.Cut(p.Path, "/")
		return name + ":" + base + ":" + p.Reason
	case machine.PrecheckFailed:
		return fmt.Sprintf("%s:%d:%s", name, p.ExitCode, p.Stage)
	case machine.HeadRebuilt:
		return name + ":" + strings.ReplaceAll(p.Found, " ", "_")
	case machine.OpApplied:
		if p.AlreadyInPlace {
			return name + ":in_place"
		}
	}
	return name
}
