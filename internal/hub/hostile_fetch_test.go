package hub_test

import (
	"compress/gzip"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal/record"
)

// A reader gets the records that the hub's checkpoint is over, or an error: from a hub that
// lies, too, and never more than it asked for.
func TestFetchFromHostileHub(t *testing.T) {
	d := newDevice(t).boots(3)
	other := newDevice(t).boots(3)
	journal := func(d *device, id string, all *remade) (checkpoint, records string) {
		var edge transparency.Edge
		for _, line := range all.lines {
			edge.Push(tlog.RecordHash(line))
			records += string(line) + "\n"
		}
		signed, err := transparency.Checkpoint{Journal: id, Size: edge.Count, Root: edge.Root()}.Sign(d.key)
		historytest.Check(t, err)
		return string(signed), records
	}
	same := func(uint64, *record.Entry) {}
	checkpoint, records := journal(d, d.id(), d.edited(math.MaxUint64, same))
	foreign, others := journal(other, other.id(), other.edited(math.MaxUint64, same))
	disguised, _ := journal(other, d.id(), other.edited(math.MaxUint64, same))
	lines := strings.SplitAfter(records, "\n")
	endless := func(w http.ResponseWriter, text string) {
		for written := 0; written < 64<<20; written += len(text) {
			if _, err := io.WriteString(w, text); err != nil {
				return
			}
		}
	}
	for name, tt := range map[string]struct {
		checkpoint string
		records    func(w http.ResponseWriter)
		want       string // of the error; "" for none
	}{
		"honest":                   {checkpoint, func(w http.ResponseWriter) { _, _ = io.WriteString(w, records) }, ""},
		"more than the checkpoint": {checkpoint, func(w http.ResponseWriter) { _, _ = io.WriteString(w, records); endless(w, lines[3]) }, ""},
		"fewer":                    {checkpoint, func(w http.ResponseWriter) { _, _ = io.WriteString(w, lines[0]+lines[1]) }, "holds 2 records"},
		"the last one cut short":   {checkpoint, func(w http.ResponseWriter) { _, _ = io.WriteString(w, records[:len(records)-1]) }, "holds 3 records"},
		"a line without end":       {checkpoint, func(w http.ResponseWriter) { endless(w, strings.Repeat("x", 1<<20)) }, "is too long"},
		"a record twice":           {checkpoint, func(w http.ResponseWriter) { _, _ = io.WriteString(w, lines[0]+lines[0]+lines[2]+lines[3]) }, "not those"},
		"another journal":          {foreign, func(w http.ResponseWriter) { _, _ = io.WriteString(w, others) }, other.id()},
		"another journal, as this": {disguised, func(w http.ResponseWriter) { _, _ = io.WriteString(w, others) }, other.id()},
		"another one's records":    {checkpoint, func(w http.ResponseWriter) { _, _ = io.WriteString(w, others) }, other.id()},
		"elsewhere":                {checkpoint, func(w http.ResponseWriter) { w.Header().Set("Location", "/elsewhere"); w.WriteHeader(http.StatusFound) }, "status 302"},
		"a checkpoint without end": {strings.Repeat(checkpoint, 1000), nil, "checkpoint"},
		"a bomb": {checkpoint, func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			for range 256 {
				_, _ = z.Write(make([]byte, 1<<20))
			}
			_ = z.Close()
		}, "."},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/checkpoint"):
					_, _ = io.WriteString(w, tt.checkpoint)
				case strings.HasSuffix(r.URL.Path, "/records.jsonl"):
					tt.records(w)
				default:
					t.Errorf("the reader follows to %s", r.URL)
				}
			}))
			defer server.Close()
			remote, ok := hub.ParseRemote(server.URL + "/edged/" + d.id())
			if !ok {
				t.Fatal("not a journal at a hub")
			}
			var got strings.Builder
			_, err := remote.Fetch(t.Context(), &got, hub.Reader{Token: uuid.NewString()})
			if tt.want == "" && (err != nil || got.String() != records) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, %d bytes", err, got.Len())
			}
			if got.Len() > 2*len(records) {
				t.Errorf("%d bytes were written", got.Len())
			}
		})
	}
}
