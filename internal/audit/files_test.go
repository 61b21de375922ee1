package audit_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal"
)

// A verdict also checks the files of a bundle that people and other tools use.
func TestFilesThatOthersRead(t *testing.T) {
	h := begin(t)
	key, other := newSigner(t), newSigner(t)
	whole := key.bundle(t, h.Dir)
	about := func(old, new string) func(b *archive) {
		return func(b *archive) {
			b.files["bundle.json"] = bytes.Replace(b.files["bundle.json"], []byte(old), []byte(new), 1)
		}
	}
	for _, tt := range []struct {
		name  string
		alter func(b *archive)
		code  string
		says  string
	}{
		{"a manifest key under another's name", func(b *archive) {
			b.set("keys/manifest-"+strings.Repeat("0", 64)+".pub", b.files[manifestKey(b)])
		}, audit.CodeKey, "not the one in its name"},
		{"the checkpoint key is another", func(b *archive) {
			b.files["keys/journal-sign.pub"] = []byte(other.public + "\n")
		}, audit.CodeKey, "did not sign the checkpoint"},
		{"the checkpoint key is none", func(b *archive) { b.files["keys/journal-sign.pub"] = []byte("x\n") }, audit.CodeKey, "keys/journal-sign.pub: "},
		{"no checkpoint key", func(b *archive) { b.remove("keys/journal-sign.pub") }, audit.CodeAbsent, "keys/journal-sign.pub"},
		{"a key and no checkpoint", func(b *archive) { b.remove("checkpoint"); about(`"signed": true`, `"signed": false`)(b) }, audit.CodeKey, "holds keys/journal-sign.pub, but no checkpoint"},
		{"bundle.json of another node", about(`"node": "`, `"node": "x`), audit.CodeAbout, "the newest record is of node"},
		{"bundle.json says unsigned", about(`"signed": true`, `"signed": false`), audit.CodeAbout, "says that the bundle is not signed"},
		{"bundle.json with a member of another type", about(`"events": 13`, `"events": "13"`), audit.CodeAbout, "bundle.json: "},
		{"bundle.json with a member in capitals", about(`"events": 13`, `"events": 5, "EVENTS": 13`), audit.CodeAbout, `"EVENTS" is not named in lower-case letters`},
		{"records without their end", func(b *archive) {
			b.files["records.jsonl"] = bytes.TrimSuffix(b.files["records.jsonl"], []byte("\n"))
		}, audit.CodeForm, "records.jsonl: the last line has no line feed"},
		{"an epoch with one more file", func(b *archive) { b.set("epochs/1/more.json", nil) }, audit.CodeEpoch, "epochs/1/more.json"},
		{"an epoch with a number that is none", func(b *archive) { b.set("epochs/01/manifest.json", nil) }, audit.CodeEpoch, "epochs/01/manifest.json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := takeApart(t, whole)
			tt.alter(b)
			r := verdict(t, write(t, b.pack(t)), audit.VerifyOptions{Key: key.public})
			if r.OK || r.Verdict != audit.Inconsistent || !finds(r, tt.code, tt.says) {
				t.Errorf("want %s: %s: %+v", tt.code, tt.says, r)
			}
		})
	}
}

// Another check.sh or verify.py is a warning: it may be an attacker's that always
// reports ok, or another release's.
func TestScriptReplaced(t *testing.T) {
	key := newSigner(t)
	whole := key.bundle(t, begin(t).Dir)
	for _, name := range []string{"check.sh", "verify.py"} {
		b := takeApart(t, whole)
		b.files[name] = []byte("#!/bin/sh\necho 'ok: all'\n")
		r := verdict(t, write(t, b.pack(t)), audit.VerifyOptions{Key: key.public})
		if !r.OK || r.Verdict != audit.Intact || len(r.Findings) != 1 || !finds(r, audit.CodeScript, name+" is not the one") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// The verifier in a bundle is the file that docs/ holds.
func TestVerifierIsTheOneOfDocs(t *testing.T) {
	want, err := os.ReadFile("../../docs/verify.py")
	historytest.Check(t, err)
	b := takeApart(t, newSigner(t).bundle(t, begin(t).Dir))
	if !bytes.Equal(b.files["verify.py"], want) {
		t.Error("verify.py of a bundle is not docs/verify.py")
	}
}

// A list of hashes that b3sum --check refuses is refused.
func TestListOfHashesForm(t *testing.T) {
	key := newSigner(t)
	whole := key.bundle(t, begin(t).Dir)
	for name, tt := range map[string]struct {
		alter func(list string) string
		says  string
	}{
		"CRLF":               {func(l string) string { return strings.ReplaceAll(l, "\n", "\r\n") }, "line 1: "},
		"CRLF at the end":    {func(l string) string { return strings.TrimSuffix(l, "\n") + "\r\n" }, "a character that is not allowed"},
		"no line feed":       {func(l string) string { return strings.TrimSuffix(l, "\n") }, "it has no line feed"},
		"an empty line":      {func(l string) string { return l + "\n" }, "not a BLAKE3, two spaces and a name"},
		"a line twice":       {func(l string) string { i := strings.Index(l, "\n") + 1; return l[:i] + l }, "line 2: "},
		"a comment in front": {func(l string) string { return "# files\n" + l }, "line 1: "},
	} {
		t.Run(name, func(t *testing.T) {
			b := takeApart(t, whole)
			b.files["B3SUMS"], b.plain = []byte(tt.alter(string(b.files["B3SUMS"]))), true
			r := verdict(t, write(t, b.pack(t)), audit.VerifyOptions{Key: key.public})
			if r.OK || r.Verdict != audit.Inconsistent || len(r.Findings) != 1 || !finds(r, audit.CodeForm, tt.says) {
				t.Errorf("want %s: %+v", tt.says, r)
			}
		})
	}
}

// Damage in the newest record does not hide the history before it: the record is
// named, and the others are compared with keys and with what was seen before.
func TestNewestRecordDamaged(t *testing.T) {
	h := begin(t)
	key := newSigner(t)
	whole := key.bundle(t, h.Dir)
	older := takeApart(t, whole)
	early := filepath.Join(t.TempDir(), "early.jsonl")
	lines := bytes.SplitAfter(older.files["records.jsonl"], []byte("\n"))
	lines[4] = bytes.Replace(lines[4], []byte(`"uptime_ms":1000`), []byte(`"uptime_ms":1001`), 1)
	historytest.Check(t, os.WriteFile(early, bytes.Join(lines[:5], nil), 0o600))
	b := takeApart(t, whole)
	b.lines(func(l [][]byte) [][]byte { l[12] = append([]byte("{ "), l[12][1:]...); return l })
	path := write(t, b.pack(t))
	r := verdict(t, path, audit.VerifyOptions{Key: key.public})
	if r.OK || r.Verdict != audit.Rewritten || r.Events != 13 || r.Key != audit.KeyGiven || !finds(r, audit.CodeRewritten, "from record 13 on") {
		t.Errorf("%+v", r)
	}
	if r.First == nil || r.First.Seq != 13 || r.First.Journal != h.State.Journal {
		t.Errorf("first difference %+v", r.First)
	}
	// The key is checked, and the older history compared.
	if r := verdict(t, path, audit.VerifyOptions{Key: newSigner(t).public}); !has(r, audit.CodeSigner) {
		t.Errorf("another key: %+v", r)
	}
	if r := verdict(t, path, audit.VerifyOptions{Since: early}); r.Since == nil || r.Since.Events != 5 || !finds(r, audit.CodeRewritten, "record 5 of journal") && r.First.Seq != 5 {
		t.Errorf("since: %+v", r)
	}
}

// A million faults do not fill the memory, and the verdict depends on all of them.
func TestFindingsAreBounded(t *testing.T) {
	key := newSigner(t)
	b := takeApart(t, key.bundle(t, begin(t).Dir))
	b.pack(t)
	sums := b.files["B3SUMS"]
	for i := range 5000 {
		sums = fmt.Appendf(sums, "%064d  z%04d\n", 0, i)
	}
	b.files["B3SUMS"], b.plain = sums, true
	b.lines(func(l [][]byte) [][]byte { return append(l[:4:4], l[5:]...) })
	sortPlain(b)
	r := verdict(t, write(t, b.pack(t)), audit.VerifyOptions{Key: key.public})
	if r.Verdict != audit.Rewritten || len(r.Findings) > 1100 || !has(r, journal.CodeTooMany) || !has(r, audit.CodeFile) {
		t.Errorf("%s, %d findings", r.Verdict, len(r.Findings))
	}
}

// The number of predecessors is bounded: each needs a temporary file.
func TestTooManyPredecessors(t *testing.T) {
	key := newSigner(t)
	b := takeApart(t, key.bundle(t, begin(t).Dir))
	one, _, _ := bytes.Cut(b.files["records.jsonl"], []byte("\n"))
	for i := range 1200 {
		b.set(fmt.Sprintf("predecessor.%d.jsonl", i+2), append(bytes.Clone(one), '\n'))
	}
	if r := verdict(t, write(t, b.pack(t)), audit.VerifyOptions{Key: key.public}); r.OK || !finds(r, audit.CodePredecessor, "more than 1000 predecessors") || !finds(r, audit.CodePredecessor, "no journal here continues it") {
		t.Errorf("%s, %d findings", r.Verdict, len(r.Findings))
	}
}

// manifestKey returns the name of a bundle's manifest key.
func manifestKey(b *archive) string {
	for name := range b.files {
		if strings.HasPrefix(name, "keys/manifest-") {
			return name
		}
	}
	return ""
}

// finds reports whether a finding of this code has this text.
func finds(r audit.Report, code, text string) bool {
	for _, f := range r.Findings {
		if f.Code == code && strings.Contains(f.Detail, text) {
			return true
		}
	}
	return false
}
