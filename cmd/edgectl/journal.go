package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
)

func journalCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "journal",
		Short: "read, verify and export the journal",
		Long: `The journal is the append-only history of everything the node's gate saw and
did. These commands only read it: on a live node, on a copy, or on a read-only
mount, they leave every byte and every modification time as they found it.`,
		Example: `  edgectl journal log --state-root /persist/edge
  edgectl journal verify --journal /mnt/evidence --json`,
	}
	e.target.evidenceFlag(cmd.PersistentFlags())
	cmd.AddCommand(journalLog(e), journalHead(e), journalShow(e), journalVerify(e), journalExport(e), journalCheckpoint(e), journalProve(e), journalTiles(e), journalSalvage(e), journalContinue(e), journalRename(e))
	return cmd
}

// open opens the history that is meant, and reports its damage.
func (e *env) open() (*history.Source, error) {
	src, err := e.openSource()
	if err == nil && e.damage != nil {
		fmt.Fprintf(e.stderr, "edgectl: the history is damaged or incomplete: %s\n", display.Clean(e.damage.Error()))
	}
	return src, err
}

func (e *env) openSource() (*history.Source, error) {
	path, err := e.evidence()
	if err != nil {
		return nil, err
	}
	src, err := history.Open(path)
	if err != nil {
		return nil, history.NameDamage(err, path, e.logSkipped)
	}
	src.EndWith(e.ctx)
	e.damage = src.Damage()
	if src.View() != nil {
		e.damage = history.NameDamage(e.damage, path, e.logSkipped)
	}
	if src.Kind() == history.Directory {
		fmt.Fprintf(e.stderr, "edgectl: %s is a journal without its head file: nothing vouches for its newest records\n", path)
	}
	return src, nil
}

// openAny is open, for a command whose outcome is wrong if the history is damaged.
func (e *env) openAny() (*history.Source, error) {
	src, err := e.open()
	return src, wrong(err)
}

// openWhole opens a history for a result that represents all of it. The error
// is the damage of one that is damaged or incomplete.
func (e *env) openWhole() (*history.Source, error) {
	src, err := e.openSource()
	if err == nil && e.damage != nil {
		err = e.damage
		_ = src.Close() // read-only
	}
	if err != nil {
		return nil, wrong(err)
	}
	return src, nil
}

// damaged is the outcome of a command that could look at a history and found it
// damaged: exit 1.
type damaged struct{ error }

func (d *damaged) Unwrap() error { return d.error }

// wrong makes damage of a history the outcome of a check. Other errors stay.
func wrong(err error) error {
	switch {
	case !history.IsDamage(err):
		return err
	case errors.Is(err, history.ErrLogSkipped):
		return &damaged{err} // it says what to do
	}
	return &damaged{errs.Advise("use another copy; edgectl journal log shows what can be read of this one, journal verify what is wrong with it", "%w", err)}
}

// writeRead prints what was read of a history as one JSON object. It has the
// member incomplete, in words, if the history is damaged or incomplete.
func (e *env) writeRead(v any) error {
	if e.damage == nil {
		return writeJSON(e.stdout, v)
	}
	var object, member bytes.Buffer
	if err := errors.Join(writeJSON(&object, v), writeJSON(&member, map[string]string{"incomplete": e.damage.Error()})); err != nil {
		return err
	}
	text := append(bytes.TrimSuffix(object.Bytes(), []byte("}\n")), ',')
	_, err := e.stdout.Write(append(text, member.Bytes()[1:]...))
	return err
}

// writeJSON prints one result on one line. A list is always a list, also if the
// slice is nil.
func writeJSON(w io.Writer, v any) error {
	text, err := json.Marshal(v, jsonv1.DefaultOptionsV1(), json.FormatNilSliceAsNull(false), jsontext.EscapeForHTML(false))
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}
