package audit

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/template"

	"github.com/klauspost/compress/zstd"

	"github.com/autonomyops/edged/docs"
	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal/record"
)

// Names of the bundle's files that package history does not know.
const (
	readmeName     = "README.txt"
	checkName      = "check.sh"
	verifierName   = "verify.py"
	checkpointName = "checkpoint"
	publicName     = "keys/journal-sign.pub"
)

//go:embed text/README.txt
var readme string

//go:embed text/check.sh
var checkScript []byte

// Options are the options of Write.
type Options struct {
	// Checkpoint is a signed note over exactly the records of the source, and
	// Public the key that verifies it. Without them the bundle is unsigned.
	Checkpoint []byte
	Public     string
	// Software is the name and version of the program that writes the bundle.
	Software string
	// Progress is called with the number of records that a stage has done, and
	// their total.
	Progress func(stage string, done, total uint64)
}

// Written describes a bundle that was written.
type Written struct {
	About history.About
	// Notes name what the bundle does not hold.
	Notes []string
}

// builder collects the files of a bundle.
type builder struct {
	*spool
	ctx      context.Context
	progress func(stage string, done, total uint64)
	before   []*history.Source // the journals that this one continues
	epochs   map[uint64]bool
	keys     map[string]bool
}

// close closes the predecessors and the spool.
func (b *builder) close() error {
	for _, p := range b.before {
		_ = p.Close()
	}
	return b.spool.close()
}

// Write writes an audit bundle of src to w. Its memory does not depend on the
// number of records. It does not verify: a history that cannot be replayed to
// its end is bundled whole, with a note. Errors are those of reading src and of
// writing to w.
func Write(ctx context.Context, w io.Writer, src *history.Source, opt Options) (done Written, err error) {
	if first := src.First(); first != 1 {
		return Written{}, fmt.Errorf("make an audit bundle of %s: it begins at record %d, but a bundle holds a whole history; name the journal itself", src.Path(), first)
	}
	if opt.Progress == nil {
		opt.Progress = func(string, uint64, uint64) {}
	}
	s, err := newSpool()
	if err != nil {
		return Written{}, err
	}
	b := &builder{spool: s, ctx: ctx, progress: opt.Progress, epochs: map[uint64]bool{}, keys: map[string]bool{}}
	defer func() { err = errors.Join(err, b.close()) }()
	newest, err := src.Record(src.Tip().Seq)
	if err != nil {
		return Written{}, err
	}
	done.About = history.About{Format: history.BundleFormat, V: history.BundleVersion, Journal: src.ID(), Node: newest.Node, Events: newest.Seq,
		Head: newest.Hash.String(), Signed: opt.Checkpoint != nil, Software: opt.Software}
	if done.Notes, err = b.addHistories(src); err != nil {
		return Written{}, err
	}
	if err := b.addSignature(opt); err != nil {
		return Written{}, err
	}
	if !done.About.Signed {
		done.Notes = append(done.Notes, "the bundle is not signed: nobody vouches for these records")
	}
	if err := b.addTexts(done); err != nil {
		return Written{}, err
	}
	return done, b.compress(w, newest)
}

// addHistories adds the journal and its predecessors.
func (b *builder) addHistories(src *history.Source) (notes []string, err error) {
	var note string
	b.before, note = verify.Predecessors(src)
	if note != "" {
		notes = append(notes, note)
	}
	for i, s := range append([]*history.Source{src}, b.before...) {
		name := history.BundleRecords
		if i > 0 {
			name = predecessorName(i)
		}
		if note, err = b.addEpochs(s); err != nil {
			return nil, err
		}
		if note != "" {
			notes = append(notes, note)
		}
		if err := b.stream(name, b.lines(s)); err != nil {
			return nil, err
		}
	}
	return notes, nil
}

// lines streams the exact bytes of a history's records, one a line.
func (b *builder) lines(src *history.Source) func(w io.Writer) error {
	return func(w io.Writer) error {
		out := bufio.NewWriterSize(w, 256<<10)
		for raw, err := range src.RawRecords(1, src.Tip().Seq) {
			if err != nil {
				return err
			}
			if raw.Seq%1024 == 0 {
				if err := b.ctx.Err(); err != nil {
					return err
				}
				b.progress("bundle", raw.Seq, src.Tip().Seq)
			}
			if _, err := out.Write(raw.Raw); err != nil {
				return err
			}
			if err := out.WriteByte('\n'); err != nil {
				return err
			}
		}
		return out.Flush()
	}
}

func (b *builder) addSignature(opt Options) error {
	if opt.Checkpoint == nil {
		return nil
	}
	if _, err := transparency.NewVerifier(opt.Public); err != nil {
		return fmt.Errorf("make an audit bundle: %w", err)
	}
	return errors.Join(b.add(checkpointName, opt.Checkpoint), b.add(publicName, []byte(opt.Public+"\n")))
}

func (b *builder) addTexts(done Written) error {
	about, err := json.MarshalIndent(done.About, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", history.BundleAbout, err)
	}
	page, err := template.New(readmeName).Parse(readme)
	if err != nil {
		return fmt.Errorf("write %s: %w", readmeName, err)
	}
	shown := done // names from a seized disk may hold control sequences
	shown.About.Node = display.Clean(done.About.Node)
	shown.Notes = make([]string, len(done.Notes))
	for i, note := range done.Notes {
		shown.Notes[i] = display.Clean(note)
	}
	var text bytes.Buffer
	if err := page.Execute(&text, shown); err != nil {
		return fmt.Errorf("write %s: %w", readmeName, err)
	}
	return errors.Join(b.add(history.BundleAbout, append(about, '\n')), b.add(readmeName, text.Bytes()), b.add(checkName, checkScript),
		b.add(verifierName, docs.Verifier))
}

// compress writes the bundle. One goroutine, so that the same input makes the
// same bytes; the window is one that every reader must allow.
func (b *builder) compress(w io.Writer, newest record.Record) error {
	enc, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(4<<20), zstd.WithEncoderCRC(true))
	if err != nil {
		return fmt.Errorf("make an audit bundle: %w", err)
	}
	if err := b.write(enc, newest.Time); err != nil {
		return errors.Join(err, enc.Close())
	}
	return enc.Close()
}
