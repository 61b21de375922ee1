package report_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/fixtures/journals"
	"github.com/autonomyops/edged/fixtures/simnode"
	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/export"
	"github.com/autonomyops/edged/internal/gate"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/report"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/replay"
	"github.com/autonomyops/edged/replay/explain"
)

// page is a page, and what its script unpacks.
type page struct {
	html    string
	report  report.Report
	records []byte
}

// write returns the page about the history at path.
func write(t *testing.T, path string) page {
	t.Helper()
	src := open(t, path)
	var out bytes.Buffer
	if err := report.Write(context.Background(), &out, src, audit.VerifyOptions{}); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	p := page{html: out.String()}
	if err := json.Unmarshal(unpack(t, p.html, "report"), &p.report); err != nil {
		t.Fatal(err)
	}
	p.records = unpack(t, p.html, "records")
	return p
}

func open(t *testing.T, path string) *history.Source {
	t.Helper()
	src, err := history.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() }) // read-only
	return src
}

// unpack returns one of the texts of a page.
func unpack(t *testing.T, page, id string) []byte {
	t.Helper()
	found := regexp.MustCompile(`<script type="application/gzip;base64" id="` + id + `">([A-Za-z0-9+/=]*)</script>`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("the page holds no %s", id)
	}
	r, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(found[1])))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var years = []string{"../../fixtures/twoyears/depot-07.jsonl", "../../fixtures/twoyears/harbour-02.jsonl"}

// The page says everything that replay explain prints.
func TestExplained(t *testing.T) {
	for _, path := range years {
		p := write(t, path)
		var rows []string
		for _, f := range p.report.Flags {
			count := ""
			if f.Count > 1 {
				count = fmt.Sprintf("x%d", f.Count)
			}
			rows = append(rows, fmt.Sprintf("%s %s%s, first at record %d: %s", f.Severity, f.Code, count, f.First.Seq, f.Meaning))
		}
		for _, e := range p.report.Epochs {
			rows = append(rows, fmt.Sprintf("EPOCH %d: %s", e.Epoch, e.Why))
			for _, r := range e.Rows {
				rows = append(rows, r.Name+r.Op+" "+r.Text)
			}
		}
		why, err := explain.Explain(context.Background(), open(t, path), explain.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := display.Report(&text, why); err != nil {
			t.Fatal(err)
		}
		// Without spaces: the terminal's lines are folded.
		joined := func(text string) string { return strings.Join(strings.Fields(text), "") }
		_, flags, _ := strings.Cut(text.String(), "FLAGS\n")
		if got, want := joined(strings.Join(rows, " ")), joined(flags); got != want {
			t.Errorf("%s: the page says\n%s\nreplay explain prints\n%s", path, got, want)
		}
	}
}

// Of each record the page has the exact bytes, the hash, and the state after it as journal show prints
// it.
func TestRecords(t *testing.T) {
	for _, path := range years {
		p, src := write(t, path), open(t, path)
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p.records, want) {
			t.Errorf("%s: the records differ from the export", path)
		}
		lines := bytes.Split(bytes.TrimSpace(p.records), []byte("\n"))
		if len(p.report.TextOf) != len(lines) {
			t.Fatalf("%s: %d texts of %d records", path, len(p.report.TextOf), len(lines))
		}
		for i, line := range lines {
			rec, err := record.Decode(line)
			if err != nil {
				t.Fatal(err)
			}
			hash, named := p.report.Hashes[rec.Seq]
			if !named {
				next, err := record.Decode(lines[i+1])
				if err != nil {
					t.Fatal(err)
				}
				hash = next.Prev.String()
			}
			if hash != rec.Hash.String() {
				t.Errorf("record %d: hash %s, want %s", rec.Seq, hash, rec.Hash)
			}
			state, _, err := replay.State(src, rec.Seq)
			if err != nil {
				t.Fatal(err)
			}
			at := valueAt(p.report.StateAfter, rec.Seq)
			if at < 0 || !slices.Equal(p.report.States[at], display.State(state)) {
				t.Errorf("record %d: state %d, want %q", rec.Seq, at, display.State(state))
			}
			if got := p.report.Texts[p.report.TextOf[i]]; got != display.Payload(rec) {
				t.Errorf("record %d: %q, want %q", rec.Seq, got, display.Payload(rec))
			}
		}
		if uint64(len(p.report.Runs.First)) < p.report.Boots || len(p.report.Runs.First) != len(p.report.Runs.Outcome) {
			t.Errorf("%d runs with %d outcomes, but %d boots", len(p.report.Runs.First), len(p.report.Runs.Outcome), p.report.Boots)
		}
	}
}

// valueAt returns the value that points of change have at record seq.
func valueAt(points []int64, seq uint64) int64 {
	value := int64(-1)
	for i := 0; i < len(points) && points[i] <= int64(seq); i += 2 {
		value = points[i+1]
	}
	return value
}

// The golden journals, damaged ones included, are shown and left as they are.
func TestGoldenJournals(t *testing.T) {
	shown := 0
	for _, name := range journals.Names() {
		t.Run(name, func(t *testing.T) {
			path, err := journals.Unpack(name, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			src, err := history.Open(path)
			if err != nil {
				t.Skip(err)
			}
			defer src.Close() //nolint:errcheck // read-only
			before := tree(t, path)
			var out, again bytes.Buffer
			err = report.Write(context.Background(), &out, src, audit.VerifyOptions{})
			_, judged := audit.Verify(context.Background(), path, audit.VerifyOptions{})
			if (err == nil) != (judged == nil) {
				t.Fatalf("report: %v, audit verify: %v", err, judged)
			}
			if after := tree(t, path); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
			if err != nil {
				return
			}
			shown++
			if err := report.Write(context.Background(), &again, src, audit.VerifyOptions{}); err != nil || !bytes.Equal(out.Bytes(), again.Bytes()) {
				t.Errorf("the same history gives another page, %v", err)
			}
		})
	}
	if shown < 10 {
		t.Errorf("only %d journals were shown", shown)
	}
}

// tree lists a file, or the files and folders below a folder, with hashes and times.
func tree(t *testing.T, path string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(path, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		var data []byte
		if info.Mode().IsRegular() {
			if data, err = os.ReadFile(at); err != nil {
				return err
			}
		}
		fmt.Fprintf(&b, "%s %s %s %x\n", at, info.Mode(), info.ModTime(), sha256.Sum256(data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A state root, its bundle and its export give the same records and the same story.
func TestSources(t *testing.T) {
	n := node(t)
	dir := t.TempDir()
	simnode.Export(t, n.Disk, dir)
	src := open(t, dir)
	bundle, jsonl := filepath.Join(t.TempDir(), "audit.tar.zst"), filepath.Join(t.TempDir(), "history.jsonl")
	err := errors.Join(
		export.File(jsonl, "", func(w io.Writer) error {
			_, err := export.Write(w, src, "jsonl", export.Options{})
			return err
		}),
		export.File(bundle, "", func(w io.Writer) error {
			_, err := audit.Write(context.Background(), w, src, audit.Options{})
			return err
		}))
	if err != nil {
		t.Fatal(err)
	}
	root := write(t, dir)
	for _, path := range []string{filepath.Join(dir, stateroot.Journal), jsonl, bundle} {
		p := write(t, path)
		if !bytes.Equal(p.records, root.records) {
			t.Errorf("%s: other records", path)
		}
		if !slices.EqualFunc(p.report.Epochs, root.report.Epochs, func(a, b report.Epoch) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
			t.Errorf("%s: epochs %+v\nwant %+v", path, p.report.Epochs, root.report.Epochs)
		}
		if p.report.Verdict != root.report.Verdict || slices.Equal(p.report.Unjudged, root.report.Unjudged) {
			t.Errorf("%s: verdict %s, not judged %q", path, p.report.Verdict, p.report.Unjudged)
		}
	}
}

// hostile is an os-release that attacks a page.
const hostile = "ID=x\nPRETTY_NAME=\"</script><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\u001b[2J\"\n"

// node is a simulated node with one update.
func node(t *testing.T) *simnode.Node {
	t.Helper()
	n := simnode.New(t, "node-b", time.Date(2025, 1, 1, 8, 0, 0, 0, time.UTC), simnode.OS{Release: "ID=old\n", Kernel: "1.0"})
	n.Put(stateroot.DefaultBinary, []byte("the runtime"))
	n.Deploy(`{"version":"1","serial":1,"operations":[{"op":"copy_binary","src":"edged","dst":"runtime/edged"}]}`, simnode.Key("manifest"))
	n.Boot(gate.ExitOK)
	n.Now, n.OS = n.Now.AddDate(0, 1, 0), simnode.OS{Release: hostile, Kernel: "<script>"}
	n.Boot(gate.ExitOK)
	return n
}

// What a history says is text in the page, and the page's policy allows its own script alone.
func TestHostile(t *testing.T) {
	dir := t.TempDir()
	simnode.Export(t, node(t).Disk, dir)
	p := write(t, dir)
	scripts := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllStringSubmatch(p.html, -1)
	if len(scripts) != 1 || strings.Contains(p.html, "alert") {
		t.Errorf("%d scripts in\n%s", len(scripts), p.html)
	}
	policy := html.UnescapeString(regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(p.html)[1])
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(p.html)
	for source, text := range map[string]string{"script-src": scripts[0][1], "style-src": style[1]} {
		sum := sha256.Sum256([]byte(text))
		if want := source + " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "';"; !strings.Contains(policy, want) {
			t.Errorf("the policy is %s, want %s", policy, want)
		}
	}
	if !strings.HasPrefix(policy, "default-src 'none';") {
		t.Errorf("the policy is %s", policy)
	}
	if got := p.report.Epochs[1].System; !strings.Contains(got, "onerror=alert(1)") || strings.ContainsAny(got, "\u202e\u001b") {
		t.Errorf("system %q", got)
	}
}
