package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// shown is one record with its surroundings.
type shown struct {
	Record   json.RawMessage `json:"record"`
	Hash     string          `json:"hash"`
	Previous *neighbour      `json:"previous"`
	Next     *neighbour      `json:"next"`
	Before   *machine.State  `json:"state_before"`
	After    *machine.State  `json:"state_after"`
	// Unknown says why a state is null.
	Unknown string `json:"state_unknown,omitempty"`

	record record.Record
}

type neighbour struct {
	Seq  uint64 `json:"seq"`
	Type string `json:"type"`
	Hash string `json:"hash"`
}

func journalShow(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show SEQ|ID",
		Short: "show one record whole, with the state before and after",
		Long: `show prints one record whole: its hash, its neighbours, the state of the node
before and after it, and the record itself. It is named by its seq, or by its
id or the beginning of it (8 characters or more).`,
		Example: `  edgectl journal show 7 --state-root /persist/edge
  edgectl journal show 019a2b4c-71d2 --journal evidence.jsonl --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := e.open()
			if err != nil {
				return err
			}
			defer src.Close() //nolint:errcheck // read-only
			seq, err := find(src, args[0])
			if err != nil {
				return err
			}
			s, err := show(src, seq)
			if err != nil {
				return err
			}
			if e.json {
				return e.writeRead(s)
			}
			return s.print(e.stdout)
		},
	}
	e.jsonFlag(cmd)
	return cmd
}

// find returns the seq that name means.
func find(src *history.Source, name string) (uint64, error) {
	if seq, err := strconv.ParseUint(name, 10, 64); err == nil && len(name) < 8 {
		return seq, nil
	}
	id := strings.ToLower(name)
	if !looksLikeID(id) {
		return 0, fail("pass a record's seq, or 8 characters or more of its id", "%q names no record", name)
	}
	if len(id) == fullID {
		// An id is used once. Its time says where it is likely to be; if it
		// is not there, all are looked at.
		if seq, ok := likely(src, id); ok {
			return seq, nil
		}
	}
	mark := []byte(`"id":"` + id)
	var found []uint64
	for raw, err := range src.RawRecords(src.First(), src.Tip().Seq) {
		if err != nil {
			return 0, err
		}
		if !bytes.Contains(raw.Raw, mark) {
			continue
		}
		// The text may be in the data of another record.
		if rec, err := record.Decode(raw.Raw); err == nil && strings.HasPrefix(rec.ID, id) {
			found = append(found, raw.Seq)
		}
	}
	switch seq, err := strconv.ParseUint(name, 10, 64); {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return 0, fail("pass more of it", "%d records have an id that begins with %s, the first ones are %d and %d", len(found), id, found[0], found[1])
	case err == nil:
		return seq, nil // a seq of eight digits or more
	}
	return 0, fail("edgectl journal log lists the records", "no record has an id that begins with %s", id)
}

// fullID is the length of a whole id.
const fullID = 36

// likely looks for an id where the ids around it would have it, were they in
// order: those of one clock that never went back are.
func likely(src *history.Source, id string) (uint64, bool) {
	first, tip := src.First(), src.Tip().Seq
	var failed error
	at := first + uint64(sort.Search(int(tip-first+1), func(i int) bool {
		rec, err := src.Record(first + uint64(i))
		if err != nil {
			failed = err
		}
		return failed != nil || rec.ID >= id
	}))
	if failed != nil || at > tip {
		return 0, false
	}
	rec, err := src.Record(at)
	return at, err == nil && rec.ID == id
}

func show(src *history.Source, seq uint64) (*shown, error) {
	rec, err := src.Record(seq)
	if err != nil {
		return nil, err
	}
	s := &shown{Record: rec.Raw, Hash: rec.Hash.String(), record: rec}
	s.Previous, s.Next = near(src, seq-1), near(src, seq+1)
	before := machine.NewFold(machine.State{}).State()
	if seq > 1 {
		if before, _, err = replay.State(src, seq-1); err != nil {
			s.Unknown = err.Error()
			return s, nil
		}
	}
	s.Before = &before
	event, err := replay.Event(rec)
	if err == nil {
		var after machine.State
		if after, err = machine.Apply(before, event); err == nil {
			s.After = &after
			return s, nil
		}
	}
	s.Unknown = err.Error()
	return s, nil
}

// near describes a neighbour, nil if there is none.
func near(src *history.Source, seq uint64) *neighbour {
	rec, err := src.Record(seq)
	if errors.Is(err, errs.ErrNotFound) {
		return nil
	}
	if err != nil {
		return &neighbour{Seq: seq, Type: "unreadable: " + err.Error()}
	}
	return &neighbour{Seq: seq, Type: rec.Type, Hash: rec.Hash.String()}
}

func (s *shown) print(w io.Writer) error {
	r := s.record
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-9s %s\n", name, display.Clean(fmt.Sprintf(format, args...)))
	}
	row("record", "%d of journal %s", r.Seq, r.Journal)
	row("type", "%s  %s", r.Type, display.Payload(r))
	row("time", "%s, %d ms after boot", r.Time.Format(display.TimeForm), r.UptimeMS)
	row("boot", "%s", r.BootID)
	row("run", "%s", r.Run)
	row("node", "%s, epoch %d", r.Node, r.Epoch)
	row("hash", "%s", s.Hash)
	row("previous", "%s", s.Previous)
	row("next", "%s", s.Next)
	states(&b, "before", s.Before, s.Unknown)
	states(&b, "after", s.After, s.Unknown)
	var text bytes.Buffer
	if err := json.Indent(&text, r.Raw, "  ", "  "); err != nil {
		return fmt.Errorf("print record %d: %w", r.Seq, err)
	}
	fmt.Fprintf(&b, "\n  %s\n", display.CleanJSON(text.String()))
	_, err := io.WriteString(w, b.String())
	return err
}

// String is a neighbour on one line.
func (n *neighbour) String() string {
	switch {
	case n == nil:
		return "none"
	case n.Hash == "":
		return fmt.Sprintf("%d  %s", n.Seq, n.Type)
	}
	return fmt.Sprintf("%d  %s  %s", n.Seq, n.Type, display.Short(n.Hash))
}

func states(b *strings.Builder, name string, s *machine.State, unknown string) {
	lines := []string{"unknown: " + unknown}
	if s != nil {
		lines = display.State(*s)
	}
	for _, line := range lines {
		fmt.Fprintf(b, "%-9s %s\n", name, display.Clean(line))
		name = ""
	}
}

// looksLikeID reports whether s may be a UUID or its beginning.
func looksLikeID(s string) bool {
	return len(s) >= 8 && len(s) <= 36 && strings.Trim(s, "0123456789abcdef-") == ""
}
