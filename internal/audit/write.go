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

// Names of the bundle's files that are not the reader's business.
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

// Options of Write.
type Options struct {
	// Checkpoint is a signed note over exactly the records of the source, and
	// Public the verifier key that it verifies under. Without them the bundle
	// is unsigned, and says so.
	Checkpoint []byte
	Public     string
	// Software is who made the bundle.
	Software string
	// Progress hears how many records are done in a stage, and of how many.
	Progress func(stage string, done, total uint64)
}

// Written is what a bundle was made of.
type Written struct {
	About history.About
	// Notes say what the bundle does not hold.
	Notes []string
}

// builder gathers a bundle.
type builder struct {
	*spool
	ctx      context.Context
	progress func(stage string, done, total uint64)
	before   []*history.Source // the journals that this one continues
	epochs   map[uint64]bool
	keys     map[string]bool
}

// close lets go of what was opened for the bundle, all of it only to be read.
func (b *builder) close() error {
	for _, p := range b.before {
		_ = p.Close()
	}
	return b.spool.close()
}

// Write writes an audit bundle of src to w, streaming: the memory it takes
// does not depend on the number of records. It judges nothing that it can
// still write down: a history that cannot be replayed to its end is bundled
// whole, with a note. Errors are what cannot be read of src, or written to w.
func Write(ctx context.Context, w io.Writer, src *history.Source, opt Options) (done Written, err error) {
	if first := src.First(); first != 1 {
		return Written{}, fmt.Errorf("make an audit bundle of %s: it begins at record %d, and a bundle holds a whole history; name the journal itself", src.Path(), first)
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

// addHistories adds the journal and those it continues.
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

// lines streams a history's exact records, one a line.
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
	shown := done // what a seized disk holds is not to write to a terminal
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

// compress writes what was gathered. One goroutine and a window that its
// readers are bound to allow; the same input gives the same bytes.
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
