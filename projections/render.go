package projections

import (
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/autonomyops/edged/internal/digest"
	"github.com/autonomyops/edged/machine"
)

// Fingerprint returns bootstrap/os_fingerprint.json of the journal with this id. It
// fails only on text that is not UTF-8, which no record holds.
func Fingerprint(journalID string, b machine.Baseline) ([]byte, error) {
	data, err := render(func(w *writer, digest string) {
		w.open("", '{')
		w.fingerprint(machine.OSFingerprint{
			CompositeHash: b.CompositeHash, OSRelease: b.OSRelease, UnameRelease: b.UnameRelease,
			BootEpoch: b.Epoch, CapturedAt: b.CapturedAt,
		}, b.OSReleaseTruncated)
		w.reference(journalID, b.Seq, "hash", b.Hash, digest)
		w.close('}')
	})
	if err != nil {
		return nil, fmt.Errorf("render %s of record %d: %w", FingerprintPath, b.Seq, err)
	}
	return data, nil
}

// Evidence returns evidence.json of an epoch. It fails only on text that is not
// UTF-8, which no record holds.
func Evidence(r machine.EpochRecord) ([]byte, error) {
	e := r.Rotated
	data, err := render(func(w *writer, digest string) {
		w.open("", '{')
		w.open("os_fingerprint", '{')
		w.fingerprint(e.OSFingerprint, e.OSReleaseTruncated)
		w.close('}')
		w.str("binary_hash", e.BinaryHash)
		w.str("config_hash", e.ConfigHash)
		w.time("rotated_at", e.RotatedAt)
		w.str("manifest_hash", e.ManifestHash)
		if e.ManifestSerial == nil {
			w.raw("manifest_serial", "null")
		} else {
			w.int("manifest_serial", *e.ManifestSerial)
		}
		w.open("operations", '[')
		for _, op := range r.Operations {
			w.operation(op)
		}
		w.close(']')
		w.reference(r.Meta.Journal, r.Meta.Seq, "prev", r.Meta.Prev, digest)
		w.close('}')
	})
	if err != nil {
		return nil, fmt.Errorf("render evidence of epoch %d: %w", e.BootEpoch, err)
	}
	return data, nil
}

func (w *writer) fingerprint(f machine.OSFingerprint, truncated bool) {
	w.str("composite_hash", f.CompositeHash)
	w.str("os_release", f.OSRelease)
	if truncated {
		w.raw(memberTruncated, "true")
	}
	w.str("uname_release", f.UnameRelease)
	w.uint("boot_epoch", f.BootEpoch)
	w.time("captured_at", f.CapturedAt)
}

func (w *writer) operation(op machine.OpApplied) {
	w.open("", '{')
	w.int("index", int64(op.Index))
	w.str("op", op.Op)
	w.str("src", op.Src)
	w.str("dst", op.Dst)
	w.int("bytes", op.Bytes)
	w.str("blake3", op.BLAKE3)
	w.str("mode", op.Mode)
	w.raw("hash_pinned", strconv.FormatBool(op.HashPinned))
	w.raw("already_in_place", strconv.FormatBool(op.AlreadyInPlace))
	w.close('}')
}

func (w *writer) reference(id string, seq uint64, by, hash, digest string) {
	w.open("journal", '{')
	w.str("id", id)
	w.uint("seq", seq)
	w.str(by, hash)
	if digest != "" {
		w.str("digest", digest)
	}
	w.close('}')
}

// render builds a file twice: without its digest, to compute the digest, and with
// it.
func render(build func(w *writer, digest string)) ([]byte, error) {
	var bare writer
	build(&bare, "")
	if bare.err != nil {
		return nil, bare.err
	}
	canonical := jsontext.Value(bare.b)
	if err := canonical.Canonicalize(); err != nil {
		return nil, err
	}
	w := writer{b: make([]byte, 0, len(canonical)+512)}
	build(&w, digest.Of(canonical))
	return append(w.b, '\n'), w.err
}

// writer appends indented JSON. It keeps the order of the calls and escapes only
// what JSON requires; encoding/json would sort maps and escape for HTML.
type writer struct {
	b     []byte
	depth int
	empty bool // the innermost object or array is empty so far
	err   error
}

// next begins an element or, with a name, a member.
func (w *writer) next(name string) {
	if w.depth > 0 {
		if !w.empty {
			w.b = append(w.b, ',')
		}
		w.line()
	}
	w.empty = false
	if name != "" {
		w.quote(name)
		w.b = append(w.b, ':', ' ')
	}
}

func (w *writer) line() {
	w.b = append(w.b, '\n')
	for range w.depth {
		w.b = append(w.b, ' ', ' ')
	}
}

func (w *writer) open(name string, delim byte) {
	w.next(name)
	w.b = append(w.b, delim)
	w.depth++
	w.empty = true
}

func (w *writer) close(delim byte) {
	w.depth--
	if !w.empty {
		w.line()
	}
	w.b = append(w.b, delim)
	w.empty = false
}

func (w *writer) raw(name, value string) {
	w.next(name)
	w.b = append(w.b, value...)
}

func (w *writer) str(name, value string) {
	w.next(name)
	w.quote(value)
}

func (w *writer) quote(s string) {
	b, err := jsontext.AppendQuote(w.b, s)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.b = b
}

func (w *writer) int(name string, v int64)   { w.raw(name, strconv.FormatInt(v, 10)) }
func (w *writer) uint(name string, v uint64) { w.raw(name, strconv.FormatUint(v, 10)) }

// time writes RFC 3339 in UTC, with a fraction only if there is one.
func (w *writer) time(name string, t time.Time) {
	w.str(name, t.UTC().Format(time.RFC3339Nano))
}
