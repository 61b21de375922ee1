package pagetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/google/uuid"

	"github.com/autonomyops/edged/journal/record"
)

// export is an export in the making: records whose hashes and links are right,
// whatever they say.
type export struct {
	t    *testing.T
	out  bytes.Buffer
	tip  record.Record
	rand *rand.ChaCha8
}

// from returns an export that begins with the first n records of another.
func from(t *testing.T, path string, n int) *export {
	t.Helper()
	all, err := os.ReadFile(path) //nolint:gosec // a fixture
	if err != nil {
		t.Fatal(err)
	}
	e := &export{t: t, rand: rand.NewChaCha8([32]byte{1})}
	for line := range bytes.Lines(all) {
		if n--; n < 0 {
			break
		}
		e.out.Write(line)
		e.tip = decode(t, bytes.TrimSpace(line))
	}
	return e
}

func decode(t *testing.T, line []byte) record.Record {
	t.Helper()
	rec, err := record.Decode(bytes.Clone(line))
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// id returns a random id of version 7.
func (e *export) id() uuid.UUID {
	id, err := uuid.NewV7FromReader(e.rand)
	if err != nil {
		e.t.Fatal(err)
	}
	return id
}

// add adds a boot of one record like another: set changes its data.
func (e *export) add(like record.Record, later time.Duration, set map[string]any) {
	data := map[string]json.RawMessage{}
	if err := json.Unmarshal(like.Data, &data); err != nil {
		e.t.Fatal(err)
	}
	for name, value := range set {
		text, err := json.Marshal(value)
		if err != nil {
			e.t.Fatal(err)
		}
		data[name] = text
	}
	text, err := json.Marshal(data)
	if err != nil {
		e.t.Fatal(err)
	}
	run := e.id().String()
	line, err := record.Encode(e.tip.Journal, e.tip.Seq+1, e.tip.Hash, record.Entry{ID: e.id(), Type: like.Type, Crit: like.Crit, Time: e.tip.Time.Add(later),
		BootID: e.id().String(), UptimeMS: 4000 + int64(e.rand.Uint64()%5000), Run: run, Node: e.tip.Node, Epoch: e.tip.Epoch, Data: text}) //nolint:gosec // small
	if err != nil {
		e.t.Fatal(err)
	}
	e.out.Write(line)
	e.out.WriteByte('\n')
	e.tip.Seq, e.tip.Time, e.tip.Run, e.tip.Hash = e.tip.Seq+1, e.tip.Time.Add(later), run, record.HashOf(line)
}

// file writes the export, and returns its path.
func (e *export) file() string {
	path := filepath.Join(e.t.TempDir(), "export.jsonl")
	if err := os.WriteFile(path, e.out.Bytes(), 0o600); err != nil {
		e.t.Fatal(err)
	}
	return path
}

// Of 100,000 records one boot failed. The page is small beside the export, never
// has more nodes than a page of a few records, and finds that boot.
func TestHundredThousand(t *testing.T) {
	const size = 100_000
	e := from(t, depot, 434) // the next record is a failure
	all := from(t, depot, 435)
	failure := all.tip
	clean := decode(t, bytes.Split(e.out.Bytes(), []byte("\n"))[431])
	for e.tip.Seq < size {
		if e.tip.Seq == 70_000 {
			e.add(failure, 7*time.Minute, nil)
			continue
		}
		at := e.tip.Time.Add(7 * time.Minute).Format(time.RFC3339Nano)
		e.add(clean, 7*time.Minute, map[string]any{"clock": map[string]string{"floor": e.tip.Time.Format(time.RFC3339Nano), "used": at, "wall": at}})
	}
	path := fixture(t, e.file())
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("export %d bytes, page %d bytes (%.1f %%)", e.out.Len(), info.Size(), 100*float64(info.Size())/float64(e.out.Len()))
	if 3*info.Size() > int64(e.out.Len()) {
		t.Errorf("the page has %d bytes, the export %d", info.Size(), e.out.Len())
	}

	tb := open(t, path, "", desktop)
	tb.says(".found", "all 100,000 records")
	tb.says("#chain", "99,999 links hold")
	nodes := func(when string) {
		n := value[int](tb, `document.querySelectorAll("*").length`)
		t.Logf("%s: %d nodes", when, n)
		if n > 2500 {
			t.Errorf("%s: %d nodes", when, n)
		}
	}
	nodes("at first sight")
	tb.shot("hundred-thousand", true)
	tb.do(`document.querySelector(".vt-row[tabindex='0']").focus()`)
	tb.keys(kb.End)
	if last := value[string](tb, `document.activeElement.querySelector(".c-seq").textContent`); last != "100000" {
		t.Errorf("the last row is %s", last)
	}
	nodes("at the end of the table")
	tb.do(`document.querySelector(".vt-body").scrollTop = 1e6`)
	tb.settle()
	nodes("in the middle of the table")
	tb.do(`document.querySelector(".tl-stage").focus()`)
	for range 8 {
		tb.keys("+")
		nodes(fmt.Sprintf("%.1f days in sight", value[float64](tb, `(([a, b]) => (Date.parse(b) - Date.parse(a)) / 864e5)(new URLSearchParams(location.hash.slice(1)).get("view").split(","))`)))
	}
	// The failed boots stand out: those of the fixture, and the one.
	tb.press("Show all time")
	tb.press("clear all")
	tb.choose("kind", "PrecheckFailed")
	tb.enter("epoch", "12")
	tb.says(".found", "1 of 100,000 records")
	tb.click(".vt-row[data-i]")
	tb.says("#panel-title", "Record 70001")
	nodes("with the failure open")
	tb.press("clear all")
	tb.enter("q", e.tip.Run)
	tb.says(".found", "1 of 100,000 records")
	tb.says(".vt-row[data-i] .c-seq", "100000")
}
