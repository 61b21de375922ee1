package main

import (
	"fmt"
	"io"
	"iter"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/commandline"
	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

func replayCommand(e *env) *cobra.Command {
	var at, out string
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "show the node's state then, what changed, and why",
		Long: `replay folds the history up to a point and shows the state of the node as it
was then. A point is one of

  seq:N    just after record N
  epoch:N  just after the event that began epoch N
  time:T   just after the last record in sequence whose wall-clock time is not
           after T (RFC 3339, a date, or an age such as 36h or 7d; a second
           without a fraction is all of that second)

With --out DIR, a new or empty directory, it also writes the node's files as
they stood: bootstrap/os_fingerprint.json, epoch/current/evidence.json and
epoch/previous/evidence.json, and epochs/N/ with evidence.json, manifest.json
and manifest.json.sig of every epoch until then.

It does not judge: it exits 0 whatever the history says. A point that the
history does not reach is exit 2.`,
		Example: `  edgectl replay --at epoch:3 --state-root /persist/edge
  edgectl replay --at time:2026-03-04 --out then --journal /mnt/evidence
  edgectl replay diff epoch:2 epoch:3
  edgectl replay explain`,
		RunE: func(*cobra.Command, []string) error {
			if at == "" {
				return fail("pass --at seq:N, epoch:N or time:T; or use replay diff or replay explain", "replay needs a point")
			}
			point, err := parsePoint(at, time.Now())
			if err != nil {
				return err
			}
			src, err := e.open()
			if err != nil {
				return err
			}
			defer src.Close() //nolint:errcheck // read-only
			s, err := stateAt(src, point)
			if err != nil {
				return err
			}
			if out != "" {
				if err := s.extract(src, out); err != nil {
					return err
				}
			}
			if e.json {
				return e.writeRead(s)
			}
			return s.print(e.stdout, src.Tip().Seq)
		},
	}
	e.target.evidenceFlag(cmd.PersistentFlags())
	cmd.Flags().StringVar(&at, "at", "", "the point: seq:N, epoch:N or time:T")
	cmd.Flags().StringVar(&out, "out", "", "a new or empty directory to write the node's files of then to")
	commandline.Complete(cmd, "at", e.completePoint)
	e.jsonFlag(cmd)
	cmd.AddCommand(replayDiff(e), replayExplain(e))
	return cmd
}

// parsePoint reads a point as people write it.
func parsePoint(s string, now time.Time) (replay.Point, error) {
	kind, value, _ := strings.Cut(s, ":")
	switch kind {
	case "seq", "epoch":
		n, err := strconv.ParseUint(value, 10, 53) // what a record can hold
		if err != nil {
			break
		}
		if kind == "seq" {
			return replay.AtSeq(n), nil
		}
		return replay.AtEpoch(n), nil
	case "time":
		if t, err := parseEnd("", value, now); err == nil && value != "" {
			return replay.AtTime(t), nil
		}
	}
	return replay.Point{}, fail("write seq:N, epoch:N or time:T, such as epoch:3 or time:2026-03-04T10:00:00Z", "%q is not a point in a history", s)
}

// then is the state of a node at a point.
type then struct {
	At    where         `json:"at"`
	State machine.State `json:"state"`
	Out   string        `json:"out,omitempty"`
	Files []wrote       `json:"files,omitempty"`

	record record.Record
}

// where is a point, and the record that it is just after.
type where struct {
	Point string    `json:"point"`
	Seq   uint64    `json:"seq"`
	Hash  string    `json:"hash"`
	Time  time.Time `json:"time"`
	Type  string    `json:"type"`
	Epoch uint64    `json:"epoch"`
}

func (w where) String() string {
	return fmt.Sprintf("%s: record %d, %s, epoch %d, %s", w.Point, w.Seq, w.Time.Format(display.TimeForm), w.Epoch, w.Type)
}

type wrote struct {
	Path   string `json:"path"`
	Bytes  int    `json:"bytes"`
	BLAKE3 string `json:"blake3"`
}

func stateAt(src *history.Source, p replay.Point) (*then, error) {
	rec, err := p.Find(src)
	if err != nil {
		return nil, err
	}
	s, _, err := replay.State(src, rec.Seq)
	if err != nil {
		return nil, err
	}
	return &then{State: s, record: rec, At: where{
		Point: p.String(), Seq: rec.Seq, Hash: rec.Hash.String(), Time: rec.Time, Type: rec.Type, Epoch: rec.Epoch}}, nil
}

// extract writes the files of then to a directory.
func (s *then) extract(src *history.Source, out string) error {
	var files iter.Seq2[replay.File, error] = func(yield func(replay.File, error) bool) {
		for f, err := range replay.Files(src, s.State) {
			if err == nil {
				s.Files = append(s.Files, wrote{f.Path, len(f.Data), record.HashOf(f.Data).String()})
			}
			if !yield(f, err) {
				return
			}
		}
	}
	if err := history.Extract(out, src.Path(), files); err != nil {
		return err
	}
	s.Out = out
	return nil
}

func (s *then) print(w io.Writer, tip uint64) error {
	text := display.Point(s.record, tip, s.State)
	if s.Out != "" {
		epochs := 0
		for _, f := range s.Files {
			if strings.HasPrefix(f.Path, "epochs/") && path.Base(f.Path) == replay.EvidenceName {
				epochs++
			}
		}
		text += fmt.Sprintf("\n%d files written to %s, epochs with evidence: %d\n", len(s.Files), display.Clean(s.Out), epochs)
	}
	_, err := io.WriteString(w, text)
	return err
}
