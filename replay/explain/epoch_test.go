package explain_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/autonomyops/edged/internal/history/historytest"
)

// One edited epoch number hides no record of another epoch: for every record, the
// report on an epoch alone has all that the whole report has of that epoch.
func TestEditedEpoch(t *testing.T) {
	whole := lines(t)
	number := regexp.MustCompile(`"epoch":\d+,"id"`)
	for k := range whole {
		for _, lie := range []string{"0", "9"} {
			edited := slices.Clone(whole)
			edited[k] = number.ReplaceAll(whole[k], []byte(`"epoch":`+lie+`,"id"`))
			if bytes.Equal(edited[k], whole[k]) {
				continue
			}
			file := filepath.Join(t.TempDir(), "h.jsonl")
			historytest.Export(t, file, edited...)
			src := reopen(t, file)
			want := map[uint64][]string{}
			for _, e := range tell(t, src).Epochs {
				want[e.Epoch] = append(want[e.Epoch], fmt.Sprint(e.Began.Seq, e.Last.Seq))
			}
			for n := range uint64(4) {
				var got []string
				for _, e := range tell(t, src, n).Epochs {
					got = append(got, fmt.Sprint(e.Began.Seq, e.Last.Seq))
				}
				// A record far from the epoch that claims to be of it may be left out.
				if lie == fmt.Sprint(n) {
					continue
				}
				if a, _ := json.Marshal(got); !slices.Equal(got, want[n]) {
					t.Errorf("record %d says %s: epoch %d is %s, want %s", k+1, lie, n, a, want[n])
				}
			}
		}
	}
}
