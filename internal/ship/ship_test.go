package ship

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
)

const journalID = "6f0d1f6e-0000-4000-8000-000000000001"

// records is a history of opaque records.
type records []string

func historyOf(n int, fork string) records {
	r := records{}
	for i := range n {
		r = append(r, fmt.Sprintf("record %d%s", i+1, fork))
	}
	return r
}

func (r records) ID() string      { return journalID }
func (r records) First() uint64   { return 1 }
func (r records) Tip() record.Tip { return record.Tip{Seq: uint64(len(r))} }
func (r records) RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error] {
	return func(yield func(journal.RawRecord, error) bool) {
		for seq := from; seq <= to; seq++ {
			if !yield(journal.RawRecord{Seq: seq, Raw: []byte(r[seq-1])}, nil) {
				return
			}
		}
	}
}

// node is a node that ships.
type node struct {
	*testing.T
	key  transparency.Signer
	kept string
}

func newNode(t *testing.T) *node {
	key, err := transparency.GenerateSigner("n")
	if err != nil {
		t.Fatal(err)
	}
	return &node{t, key, t.TempDir()}
}

// ship ships a history to witnesses.
func (n *node) ship(r records, to ...*witness) []Result {
	n.Helper()
	results, err := n.try(r, to...)
	if err != nil {
		n.Fatal(err)
	}
	return results
}

func (n *node) try(r records, to ...*witness) ([]Result, error) {
	n.Helper()
	return n.shipSource(r, uint64(len(r)), n.config(to...))
}

// shipSource ships the first records of a history.
func (n *node) shipSource(src transparency.Source, size uint64, c *Config) ([]Result, error) {
	n.Helper()
	tree, err := transparency.Build(n.Context(), src, size, nil)
	if err != nil {
		n.Fatal(err)
	}
	results, _, err := Ship(n.Context(), c, tree, Node{Key: n.key})
	return results, err
}

// config names witnesses.
func (n *node) config(to ...*witness) *Config {
	n.Helper()
	c := &Config{Checkpoints: n.kept}
	for _, w := range to {
		c.Witnesses = append(c.Witnesses, Witness{URL: w.URL, Key: w.key.Verifier().String()})
	}
	for i := range c.Witnesses {
		if err := c.Witnesses[i].check(); err != nil {
			n.Fatal(err)
		}
	}
	return c
}

// files lists the directory of checkpoints.
func (n *node) files() (names []string) {
	n.Helper()
	entries, err := os.ReadDir(n.kept)
	if err != nil {
		n.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// witness is a tlog-witness as the specification describes it. A lie replaces its
// answer.
type witness struct {
	*httptest.Server
	key  *torchwood.CosignatureSigner
	mu   sync.Mutex
	c    torchwood.Checkpoint
	lie  func(w http.ResponseWriter, body []byte, honest func())
	asks int
}

func newWitness(t *testing.T, name string) *witness {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{}
	if w.key, err = torchwood.NewCosignatureSigner(name, private); err != nil {
		t.Fatal(err)
	}
	w.Server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.Close)
	return w
}

// lies makes the witness answer in another way, or honestly again.
func (w *witness) lies(lie func(w http.ResponseWriter, body []byte, honest func())) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lie = lie
}

// forgets makes the witness know a checkpoint, and nothing newer.
func (w *witness) forgets(c torchwood.Checkpoint) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.c = c
}

// knows returns the number of records that the witness knows.
func (w *witness) knows() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.c.N
}

// asked returns the number of questions.
func (w *witness) asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asks
}

func (w *witness) serve(rw http.ResponseWriter, req *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asks++
	body, err := io.ReadAll(req.Body)
	if err != nil || req.URL.Path != "/add-checkpoint" || req.Method != http.MethodPost {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	honest := func() { w.honest(rw, body) }
	if w.lie != nil {
		w.lie(rw, body, honest)
		return
	}
	honest()
}

func (w *witness) honest(rw http.ResponseWriter, body []byte) {
	head, signed, _ := bytes.Cut(body, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	var old int64
	if _, err := fmt.Sscanf(lines[0], "old %d", &old); err != nil {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	c, err := torchwood.ParseCheckpoint(string(text) + "\n")
	if err != nil || old > c.N {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	if old != w.c.N || old == c.N && c.Hash != w.c.Hash {
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		fmt.Fprintf(rw, "%d\n", w.c.N)
		return
	}
	var proof tlog.TreeProof
	for _, line := range lines[1:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		proof = append(proof, h)
	}
	if old > 0 && old < c.N && tlog.CheckTree(proof, c.N, c.Hash, old, w.c.Hash) != nil {
		rw.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	w.c = c
	_, _ = rw.Write(w.sign(string(text) + "\n"))
}

// sign returns the line of a cosignature.
func (w *witness) sign(text string) []byte {
	n, err := note.Sign(&note.Note{Text: text}, w.key)
	if err != nil {
		panic(err)
	}
	return n[len(text)+1:]
}

func TestShip(t *testing.T) {
	n, a, b := newNode(t), newWitness(t, "a.test/w"), newWitness(t, "b.test/w")
	for _, size := range []int{1, 2, 300, 300, 9000} {
		for _, r := range n.ship(historyOf(size, ""), a, b) {
			if r.Outcome != Cosigned || r.Size != uint64(size) || r.Time == nil || time.Since(*r.Time) > time.Hour {
				t.Errorf("%d records: %+v", size, r)
			}
		}
	}
	if got, want := n.files(), []string{journalID + ".1.checkpoint", journalID + ".2.checkpoint", journalID + ".300.checkpoint", journalID + ".9000.checkpoint"}; !slices.Equal(got, want) {
		t.Errorf("%q are kept, want %q", got, want)
	}
	kept, err := os.ReadFile(filepath.Join(n.kept, journalID+".300.checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open(kept, note.VerifierList(a.key.Verifier(), b.key.Verifier()))
	if err != nil || len(opened.Sigs) != 2 || len(opened.UnverifiedSigs) != 1 {
		t.Errorf("%s: %+v, %v", kept, opened, err)
	}
	if a.asked() != 5 {
		t.Errorf("%d questions for 5 runs", a.asked())
	}
}

// A witness that is away for a while, or whose answer was lost, gets what it
// lacks: it says itself how far it is.
func TestShipResumes(t *testing.T) {
	n, w := newNode(t), newWitness(t, "w.test")
	w.lies(func(rw http.ResponseWriter, _ []byte, honest func()) { rw.WriteHeader(http.StatusServiceUnavailable) })
	if r := n.ship(historyOf(3, ""), w); r[0].Outcome != Away || len(n.files()) != 0 {
		t.Errorf("%+v, %q", r, n.files())
	}
	w.lies(func(_ http.ResponseWriter, _ []byte, honest func()) {
		honest()
		panic(http.ErrAbortHandler)
	})
	if r := n.ship(historyOf(5, ""), w); r[0].Outcome != Away || w.knows() != 5 {
		t.Errorf("%+v, the witness knows %d", r, w.knows())
	}
	w.lies(nil)
	if r := n.ship(historyOf(8, ""), w); r[0].Outcome != Cosigned || r[0].Size != 8 {
		t.Errorf("%+v", r)
	}
}

// What contradicts the node is a finding, and nothing that was kept is lost.
func TestShipContradicts(t *testing.T) {
	for _, tt := range []struct {
		name         string
		then         records
		lost         bool // the directory of checkpoints is lost too
		want         Outcome
		detail       string
		asked, files int
	}{
		{"an older copy", historyOf(6, ""), false, RolledBack, "it has signed " + journalID + ".9.checkpoint, more than are here", 0, 1},
		{"an older copy of everything", historyOf(6, ""), true, RolledBack, "it says that it knows 9 records, more than", 1, 0},
		{"written again, shorter", historyOf(8, "x"), true, RolledBack, "it says that it knows 9", 1, 0},
		{"written again, as long", historyOf(9, "x"), false, Rewritten, "it has signed " + journalID + ".9.checkpoint, which is over other records", 0, 1},
		{"written again, as long, everything", historyOf(9, "x"), true, Rewritten, "have another root", 2, 0},
		{"written again, longer", historyOf(12, "x"), false, Rewritten, "it has signed", 0, 1},
		{"written again, longer, everything", historyOf(12, "x"), true, Rewritten, "it refuses the proof from 9 records", 2, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, w := newNode(t), newWitness(t, "w.test")
			n.ship(historyOf(9, ""), w)
			if tt.lost {
				n.kept = t.TempDir()
			}
			before := w.asked()
			r := n.ship(tt.then, w)[0]
			if r.Outcome != tt.want || !r.Contradicts() || !strings.Contains(r.Detail, tt.detail) {
				t.Errorf("%+v", r)
			}
			if asked := w.asked() - before; asked != tt.asked || len(n.files()) != tt.files || w.knows() != 9 {
				t.Errorf("%d questions, kept %q, the witness knows %d", asked, n.files(), w.knows())
			}
		})
	}
}

// A witness that is broken or lies costs nothing, and keeps nobody from the others.
func TestShipLies(t *testing.T) {
	other, third := newWitness(t, "other.test"), newWitness(t, "third.test")
	conflict := func(kind, size string) func(http.ResponseWriter, []byte, func()) {
		return func(rw http.ResponseWriter, _ []byte, _ func()) {
			rw.Header().Set("Content-Type", kind)
			rw.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(rw, size)
		}
	}
	answer := func(status int, text string) func(http.ResponseWriter, []byte, func()) {
		return func(rw http.ResponseWriter, _ []byte, _ func()) {
			rw.WriteHeader(status)
			_, _ = io.WriteString(rw, text)
		}
	}
	size := 0
	for _, tt := range []struct {
		name string
		lie  func(http.ResponseWriter, []byte, func())
		want Outcome
	}{
		{"nothing", answer(200, ""), Away},
		{"garbage", answer(200, "garbage\x00"), Away},
		{"an endless answer", func(rw http.ResponseWriter, _ []byte, _ func()) {
			for range 1 << 14 {
				if _, err := rw.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		}, Away},
		{"an endless header", func(rw http.ResponseWriter, _ []byte, _ func()) {
			rw.Header().Set("X", strings.Repeat("x", 1<<20))
		}, Away},
		{"a signature of another", func(rw http.ResponseWriter, body []byte, _ func()) {
			_, text, _ := bytes.Cut(body, []byte("\n\n"))
			text, _, _ = bytes.Cut(text, []byte("\n\n"))
			_, _ = rw.Write(third.sign(string(text) + "\n"))
		}, Away},
		{"a signature over another checkpoint", func(rw http.ResponseWriter, _ []byte, _ func()) {
			_, _ = rw.Write(other.sign("edged/x\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"))
		}, Away},
		{"another place", func(rw http.ResponseWriter, _ []byte, _ func()) {
			rw.Header().Set("Location", other.URL+"/add-checkpoint")
			rw.WriteHeader(http.StatusTemporaryRedirect)
		}, Away},
		{"a larger size", conflict("text/x.tlog.size", "900\n"), RolledBack},
		{"the same size again and again", conflict("text/x.tlog.size", "3\n"), Away},
		{"a different size each time", func(rw http.ResponseWriter, _ []byte, _ func()) {
			size = (size + 1) % 5
			conflict("text/x.tlog.size", fmt.Sprintf("%d\n", size))(rw, nil, nil)
		}, Away},
		{"no size", conflict("text/x.tlog.size", "many\n"), Away},
		{"a negative size", conflict("text/x.tlog.size", "-1\n"), Away},
		{"a size of no type", conflict("text/plain", "3\n"), Away},
		{"another root", answer(422, ""), Rewritten},
		{"not known", answer(404, ""), Stranger},
		{"another key", answer(403, ""), Stranger},
		{"an error", answer(500, strings.Repeat("x", 1<<20)), Away},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, honest := newNode(t), newWitness(t, "honest.test")
			w := &witness{Server: other.Server, key: other.key}
			other.lies(tt.lie)
			r := n.ship(historyOf(5, ""), w, honest)
			if r[0].Outcome != tt.want || r[0].Size != 0 || r[0].Detail == "" {
				t.Errorf("%+v", r[0])
			}
			if r[1].Outcome != Cosigned || len(n.files()) != 1 {
				t.Errorf("the honest one: %+v, %q", r[1], n.files())
			}
			if tt.want == RolledBack && !strings.Contains(r[0].Detail, "it says that it knows 900 records") {
				t.Errorf("what a witness only says is presented as more: %s", r[0].Detail)
			}
		})
	}
}

// A witness that does not answer is given up.
func TestShipSlow(t *testing.T) {
	n, w := newNode(t), newWitness(t, "w.test")
	ctx, cancel := context.WithCancel(t.Context())
	w.lies(func(_ http.ResponseWriter, _ []byte, _ func()) {
		cancel()
		time.Sleep(50 * time.Millisecond)
	})
	tree, err := transparency.Build(ctx, historyOf(2, ""), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &Config{Checkpoints: n.kept, Witnesses: []Witness{{URL: w.URL, Key: w.key.Verifier().String()}}}
	if err := c.Witnesses[0].check(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Ship(ctx, c, tree, Node{Key: n.key}); !errors.Is(err, context.Canceled) || len(n.files()) != 0 {
		t.Errorf("%v, %q", err, n.files())
	}
}

// A damaged file in the directory is no evidence, and is written again. One that is
// over other records stays.
func TestShipKept(t *testing.T) {
	n, w := newNode(t), newWitness(t, "w.test")
	n.ship(historyOf(3, ""), w)
	file := filepath.Join(n.kept, journalID+".3.checkpoint")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "garbage", string(good[:len(good)-9]), strings.Replace(string(good), "w.test", "x.test", 1)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := n.ship(historyOf(3, ""), w); r[0].Outcome != Cosigned {
			t.Errorf("%q: %+v", text, r)
		}
		if r := n.ship(historyOf(4, ""), w); r[0].Outcome != Cosigned {
			t.Errorf("%q: %+v", text, r)
		}
		w.forgets(must(torchwood.ParseCheckpoint(strings.Split(string(good), "\n\n")[0] + "\n")))
		_ = os.Remove(filepath.Join(n.kept, journalID+".4.checkpoint"))
	}
	// Only the node has signed the file, and it is over other records.
	if err := os.WriteFile(file, must(must(transparency.Build(t.Context(), historyOf(3, "x"), 3, nil)).Checkpoint().Sign(n.key)), 0o600); err != nil {
		t.Fatal(err)
	}
	before := must(os.ReadFile(file))
	if _, err := n.try(historyOf(3, ""), w); !errors.Is(err, ErrContradicts) || !bytes.Equal(must(os.ReadFile(file)), before) {
		t.Errorf("%v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestLoad(t *testing.T) {
	key := newWitness(t, "w.test").key.Verifier().String()
	hub := newWitness(t, "h.test").key.Verifier().String()
	good := "checkpoints: /persist/checkpoints\nwitnesses:\n  - url: https://w.test/x/\n    key: " + key + "\n"
	for _, tt := range []struct{ text, want string }{
		{good, ""},
		{strings.Replace(good, "/persist", "persist", 1), "no absolute path"},
		{strings.Replace(good, "https://w.test/x/", "ftp://w.test", 1), "is not https://HOST/PATH"},
		{strings.Replace(good, "https://w.test/x/", "https://w.test/?a", 1), "is not https://HOST/PATH"},
		{strings.Replace(good, key, "w.test+00000000+AAAA", 1), "of the type for cosignatures"},
		{good + "  - url: https://v.test\n    key: " + key + "\n", "is there twice"},
		{"checkpoints: /x\n", "neither witnesses nor a hub"},
		{good + "hub:\n  url: https://h.test\n  key: " + key + "\n", "also the name of a witness"},
		{good + "hub:\n  url: https://h.test\n  key: " + hub + "\n", ""},
		{"checkpoints: /x\nhub:\n  url: https://h.test\n  key: " + hub + "\n  certificate: /x\n", "belong together"},
		{"checkpoints: /x\nhub:\n  url: h.test\n  key: " + hub + "\n", "hub: url: "},
		{"", "no absolute path"},
		{good + "hubs: x\n", "line 5, column 1: unknown field \"hubs\""},
		{"[", "line 1"},
	} {
		file := filepath.Join(t.TempDir(), "ship.yaml")
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(file)
		switch {
		case tt.want == "" && (err != nil || c.Witnesses[0].URL != "https://w.test/x"):
			t.Errorf("%+v, %v", c, err)
		case tt.want != "" && (!errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
	}
}
