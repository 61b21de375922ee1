package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/transparency"
)

func TestIntact(t *testing.T) {
	h := begin(t)
	key := newSigner(t)
	before := historytest.Tree(t, h.Dir)
	path := write(t, key.bundle(t, h.Dir))
	historytest.SameTree(t, h.Dir, before)
	r := verdict(t, path, audit.VerifyOptions{Key: key.public})
	text, err := json.Marshal(r)
	historytest.Check(t, err)
	want := `{"verdict":"intact","ok":true,"journal":"` + h.State.Journal + `","events":13,"head":{"seq":13,"hash":"` + h.State.Hash +
		`"},"key":"given","since":null,"first_difference":null,"findings":[]}`
	if string(text) != want {
		t.Errorf("%s\nwant %s", text, want)
	}
	if r := verdict(t, path, audit.VerifyOptions{Key: key.public, Since: path}); r.Verdict != audit.Intact || !r.OK {
		t.Errorf("since itself: %+v", r)
	}
	r = verdict(t, path, audit.VerifyOptions{})
	if !r.OK || r.Key != audit.KeyBundled || !has(r, audit.CodeKeyOrigin) || len(r.Findings) != 1 {
		t.Errorf("without a key: %+v", r)
	}
}

// Each file of a bundle is altered, with the list of hashes corrected and with the
// old one.
func TestAltered(t *testing.T) {
	h := begin(t)
	key, other := newSigner(t), newSigner(t)
	whole := key.bundle(t, h.Dir)
	honest := write(t, whole)
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	historytest.Check(t, os.WriteFile(checkpoint, takeApart(t, whole).files["checkpoint"], 0o600))
	for _, tt := range []struct {
		name  string
		alter func(b *archive)
		code  string
		want  audit.Verdict
	}{
		{"a record edited", func(b *archive) {
			b.files["records.jsonl"] = bytes.Replace(b.files["records.jsonl"], []byte(`"uptime_ms":1000`), []byte(`"uptime_ms":1001`), 1)
		}, audit.CodeRewritten, audit.Rewritten},
		{"the last record gone", func(b *archive) {
			lines := bytes.SplitAfter(b.files["records.jsonl"], []byte("\n"))
			b.files["records.jsonl"] = bytes.Join(lines[:12], nil)
		}, audit.CodeTruncated, audit.Truncated},
		{"the last record cut short", func(b *archive) {
			b.files["records.jsonl"] = b.files["records.jsonl"][:len(b.files["records.jsonl"])-9]
		}, audit.CodeTruncated, audit.Truncated},
		{"a line deleted", func(b *archive) { b.lines(func(l [][]byte) [][]byte { return append(l[:4:4], l[5:]...) }) }, audit.CodeRewritten, audit.Rewritten},
		{"a line twice", func(b *archive) { b.lines(func(l [][]byte) [][]byte { return append(l[:5:5], l[4:]...) }) }, audit.CodeRewritten, audit.Rewritten},
		{"two lines exchanged", func(b *archive) {
			b.lines(func(l [][]byte) [][]byte { l[3], l[4] = l[4], l[3]; return l })
		}, audit.CodeRewritten, audit.Rewritten},
		{"a line that is no record", func(b *archive) { b.lines(func(l [][]byte) [][]byte { l[3] = []byte("{}\n"); return l }) }, audit.CodeRewritten, audit.Rewritten},
		{"the last line that is no record", func(b *archive) { b.lines(func(l [][]byte) [][]byte { l[12] = []byte("{}\n"); return l }) }, audit.CodeRewritten, audit.Rewritten},
		{"a line of another journal", func(b *archive) {
			b.lines(func(l [][]byte) [][]byte {
				l[5] = bytes.Replace(l[5], []byte(h.State.Journal), []byte(newID), 1)
				return l
			})
		}, audit.CodeRewritten, audit.Rewritten},
		{"no records", func(b *archive) { b.remove("records.jsonl") }, audit.CodeAbsent, audit.Inconsistent},
		{"records that are none", func(b *archive) { b.files["records.jsonl"] = []byte("{}\n") }, audit.CodeRewritten, audit.Rewritten},
		{"empty records", func(b *archive) { b.files["records.jsonl"] = nil }, audit.CodeTruncated, audit.Truncated},
		{"evidence edited", func(b *archive) { b.files["epochs/1/evidence.json"][20]++ }, audit.CodeEpoch, audit.Inconsistent},
		{"a manifest edited", func(b *archive) { b.files["epochs/2/manifest.json"][20]++ }, audit.CodeEpoch, audit.Inconsistent},
		{"a signature edited", func(b *archive) { b.files["epochs/2/manifest.json.sig"][20]++ }, audit.CodeEpoch, audit.Inconsistent},
		{"an epoch left out", func(b *archive) {
			for _, f := range []string{"evidence.json", "manifest.json", "manifest.json.sig"} {
				b.remove("epochs/2/" + f)
			}
		}, audit.CodeAbsent, audit.Inconsistent},
		{"an epoch added", func(b *archive) { b.set("epochs/3/evidence.json", b.files["epochs/2/evidence.json"]) }, audit.CodeEpoch, audit.Inconsistent},
		{"a manifest key exchanged", func(b *archive) {
			for name := range b.files {
				if strings.HasPrefix(name, "keys/manifest-") && strings.HasSuffix(name, ".pub") {
					b.files[name] = bytes.Repeat([]byte{7}, 32)
				}
			}
		}, audit.CodeEpoch, audit.Inconsistent},
		{"no checkpoint", func(b *archive) { b.remove("checkpoint") }, audit.CodeAbsent, audit.Inconsistent},
		{"no checkpoint at all", func(b *archive) { b.files["checkpoint"] = []byte("nothing\n") }, audit.CodeCheckpoint, audit.Inconsistent},
		{"a checkpoint of another root", func(b *archive) {
			lines := strings.Split(string(b.files["checkpoint"]), "\n")
			b.files["checkpoint"] = key.sign(t, lines[0]+"\n13\n"+strings.Repeat("A", 43)+"=\n")
		}, audit.CodeRewritten, audit.Rewritten},
		{"a checkpoint over fewer", func(b *archive) {
			src, err := history.Open(h.Dir)
			historytest.Check(t, err)
			defer src.Close() //nolint:errcheck // read-only
			b.files["checkpoint"] = key.checkpoint(t, src, 12)
		}, audit.CodeCheckpoint, audit.Inconsistent},
		{"a checkpoint of another journal", func(b *archive) {
			lines := strings.Split(string(b.files["checkpoint"]), "\n")
			b.files["checkpoint"] = key.sign(t, "edged/"+newID+"\n13\n"+lines[2]+"\n")
		}, audit.CodeCheckpoint, audit.Inconsistent},
		{"a checkpoint signed by another", func(b *archive) {
			text, _, _ := strings.Cut(string(b.files["checkpoint"]), "\n\n")
			b.files["checkpoint"] = other.sign(t, text+"\n")
		}, audit.CodeSigner, audit.Inconsistent},
		{"key and checkpoint of another", func(b *archive) {
			text, _, _ := strings.Cut(string(b.files["checkpoint"]), "\n\n")
			b.files["checkpoint"], b.files["keys/journal-sign.pub"] = other.sign(t, text+"\n"), []byte(other.public+"\n")
		}, audit.CodeSigner, audit.Inconsistent},
		{"bundle.json of another count", func(b *archive) {
			b.files["bundle.json"] = bytes.Replace(b.files["bundle.json"], []byte(`"events": 13`), []byte(`"events": 14`), 1)
		}, audit.CodeAbout, audit.Inconsistent},
		{"bundle.json of another journal", func(b *archive) {
			b.files["bundle.json"] = bytes.Replace(b.files["bundle.json"], []byte(h.State.Journal), []byte(newID), 1)
		}, audit.CodeAbout, audit.Inconsistent},
		{"a predecessor that is none", func(b *archive) { b.set("predecessor.jsonl", b.files["records.jsonl"]) }, audit.CodePredecessor, audit.Inconsistent},
		{"a predecessor too far back", func(b *archive) { b.set("predecessor.2.jsonl", b.files["records.jsonl"]) }, audit.CodePredecessor, audit.Inconsistent},
		{"a predecessor that is no record", func(b *archive) { b.set("predecessor.jsonl", []byte("{}\n")) }, audit.CodePredecessor, audit.Inconsistent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := takeApart(t, whole)
			tt.alter(b)
			r := verdict(t, write(t, b.pack(t)), audit.VerifyOptions{Key: key.public})
			if r.OK || r.Verdict != tt.want || !has(r, tt.code) || has(r, audit.CodeFile) || has(r, audit.CodeUnlisted) {
				t.Errorf("want %s, %s: %+v", tt.want, tt.code, r)
			}
			for _, since := range []string{checkpoint, honest} {
				if r := verdict(t, write(t, b.pack(t)), audit.VerifyOptions{Key: key.public, Since: since}); r.OK {
					t.Errorf("since %s: %+v", since, r)
				}
			}
			// The same with the old list of hashes.
			b = takeApart(t, whole)
			tt.alter(b)
			b.plain = true
			sortPlain(b)
			r = verdict(t, write(t, b.pack(t)), audit.VerifyOptions{Key: key.public})
			if r.OK || !has(r, audit.CodeFile) && !has(r, audit.CodeUnlisted) && !has(r, audit.CodeAbsent) {
				t.Errorf("with the old list of hashes: %+v", r)
			}
		})
	}
}

// A newer bundle may hold files that this version does not know.
func TestUnknownFiles(t *testing.T) {
	h := begin(t)
	key := newSigner(t)
	b := takeApart(t, key.bundle(t, h.Dir))
	b.set("zebra.txt", []byte("x"))
	b.set("more.jsonl", b.files["records.jsonl"])
	if r := verdict(t, write(t, b.pack(t)), audit.VerifyOptions{Key: key.public}); !r.OK || r.Verdict != audit.Intact {
		t.Errorf("%+v", r)
	}
	b.files["bundle.json"] = bytes.Replace(b.files["bundle.json"], []byte(`"v": 1`), []byte(`"v": 2`), 1)
	if _, err := audit.Verify(context.Background(), write(t, b.pack(t)), audit.VerifyOptions{}); !errors.Is(err, errs.ErrNewer) {
		t.Errorf("a newer format: %v", err)
	}
}

// An export or a journal is verified as far as possible.
func TestOtherEvidence(t *testing.T) {
	h := begin(t)
	key := newSigner(t)
	b := takeApart(t, key.bundle(t, h.Dir))
	older := filepath.Join(t.TempDir(), "older")
	historytest.Check(t, os.WriteFile(older, b.files["checkpoint"], 0o600))
	export := filepath.Join(t.TempDir(), "x.jsonl")
	historytest.Check(t, os.WriteFile(export, b.files["records.jsonl"], 0o600))
	for _, path := range []string{h.Dir, filepath.Join(h.Dir, "journal"), export} {
		r := verdict(t, path, audit.VerifyOptions{Since: older})
		if !r.OK || r.Verdict != audit.Intact || !has(r, audit.CodeUnsigned) || !has(r, audit.CodeKeyOrigin) || r.Key != audit.KeyNone {
			t.Errorf("%s: %+v", path, r)
		}
		if r := verdict(t, path, audit.VerifyOptions{Since: older, Key: key.public}); !r.OK || len(r.Findings) != 1 {
			t.Errorf("%s: %+v", path, r)
		}
		if r := verdict(t, path, audit.VerifyOptions{Since: older, Key: newSigner(t).public}); r.OK || !has(r, audit.CodeSigner) {
			t.Errorf("%s, another key: %+v", path, r)
		}
	}
	// A key requires a signature over all records: an export has none, and records
	// that a checkpoint does not cover are not signed.
	h.NextBoot()
	h.Match()
	h.Stop()
	historytest.Export(t, export, read(t, h.Dir).lines(t)...)
	for name, tt := range map[string]struct {
		path, since string
		ok          bool
	}{
		"an export":                            {export, "", false},
		"an export, longer than what was seen": {export, older, false},
		"a state root":                         {h.Dir, "", false},
		"a state root, by what was seen":       {h.Dir, older, true},
	} {
		if r := verdict(t, tt.path, audit.VerifyOptions{Since: tt.since, Key: key.public}); r.OK != tt.ok || !has(r, audit.CodeUnsigned) {
			t.Errorf("%s, and a key is held: %+v", name, r)
		}
	}
	historytest.Check(t, os.WriteFile(export, append([]byte("{}\n"), b.files["records.jsonl"]...), 0o600))
	if r := verdict(t, export, audit.VerifyOptions{}); r.OK || r.Verdict != audit.Rewritten {
		t.Errorf("%+v", r)
	}
}

func TestCannot(t *testing.T) {
	h := begin(t)
	key := newSigner(t)
	path := write(t, key.bundle(t, h.Dir))
	text := filepath.Join(t.TempDir(), "text")
	historytest.Check(t, os.WriteFile(text, []byte("edged/x\n1\nnothing\n"), 0o600))
	damaged := filepath.Join(t.TempDir(), "damaged.jsonl")
	lines := read(t, h.Dir).lines(t)
	lines[3] = bytes.Replace(lines[3], []byte(`"uptime_ms":1000`), []byte(`"uptime_ms":1001`), 1)
	historytest.Export(t, damaged, lines...)
	for _, tt := range []struct {
		name, path string
		opt        audit.VerifyOptions
		want       error
		says       string
	}{
		{"absent", path + "x", audit.VerifyOptions{}, history.ErrAbsent, "does not exist"},
		{"no evidence", text, audit.VerifyOptions{}, history.ErrNotEvidence, "does not begin with a record"},
		{"no key", path, audit.VerifyOptions{Key: "x"}, transparency.ErrKey, "NAME+HASH+KEY"},
		{"since nothing", path, audit.VerifyOptions{Since: path + "x"}, history.ErrAbsent, "does not exist"},
		{"since a text", path, audit.VerifyOptions{Since: text}, audit.ErrSince, "name a checkpoint"},
		{"since what is damaged", path, audit.VerifyOptions{Since: damaged}, audit.ErrSince, "damaged itself"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := audit.Verify(context.Background(), tt.path, tt.opt); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %v: %s", err, tt.want, tt.says)
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := audit.Verify(ctx, path, audit.VerifyOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
