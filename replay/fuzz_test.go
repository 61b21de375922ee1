package replay

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/journal/record"
)

// The time that is found without decoding is the decoded one, whatever the payload and
// the other strings are.
func FuzzTimeOf(f *testing.F) {
	f.Add("x", "y", `{"time":"2000-01-01T00:00:00.000000000Z","v":1}`, int64(0))
	f.Add(`,"time":"`, `","time":"2000-01-01T00:00:00.000000000Z`, `{"a":{"time":"b"}}`, int64(1)<<40)
	f.Fuzz(func(t *testing.T, kind, run, data string, sec int64) {
		at := time.Unix(sec, sec&0xffff).UTC()
		raw, err := record.Encode("00000000-0000-4000-8000-000000000000", 1, record.Hash{}, record.Entry{
			ID: uuid.MustParse("018f0000-0000-7000-8000-000000000000"), Type: kind, Time: at, BootID: run, Run: run, Node: kind, Data: []byte(data)})
		if err != nil {
			t.Skip()
		}
		if got := string(timeOf(raw)); got != at.Format(record.TimeLayout) {
			t.Errorf("%s: %q, want %s", raw, got, at.Format(record.TimeLayout))
		}
	})
}

// The removed and added lines turn one text into the other.
func FuzzCompareLines(f *testing.F) {
	f.Add("ID=a\nV=1\n", "ID=a\nV=2\n")
	f.Add("", "\n\n")
	f.Fuzz(func(t *testing.T, from, to string) {
		if len(from)+len(to) > 1<<12 {
			t.Skip()
		}
		count := map[string]int{}
		for _, l := range lines(from) {
			count[l]++
		}
		for _, l := range CompareLines(from, to) {
			if l.Op == "-" {
				count[l.Text]--
			} else {
				count[l.Text]++
			}
		}
		for _, l := range lines(to) {
			count[l]--
		}
		for l, n := range count {
			if n != 0 {
				t.Errorf("%d of %q too many", n, l)
			}
		}
		if same := strings.TrimSuffix(from, "\n") == strings.TrimSuffix(to, "\n"); same && len(from) > 1 && len(to) > 1 && len(CompareLines(from, to)) != 0 {
			t.Errorf("%q and %q differ", from, to)
		}
	})
}
