package buckettest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/hub/bucket"
)

// Write does what a hub does, until an error: it puts a run of records under the hash of
// its content, then replaces the head, which names all the runs and has one more line each
// time. It reports each head to acked after the store has acknowledged it, in one call.
func Write(ctx context.Context, s bucket.Store, head string, acked io.Writer) error {
	for {
		data, old, err := s.Get(ctx, head)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		n := bytes.Count(data, []byte("\n"))
		run := runOf(head, n)
		record := recordName(run)
		if err := s.Put(ctx, record, run); err != nil {
			return err
		}
		if err := s.Swap(ctx, head, fmt.Appendf(data, "%s\n", record), old); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(acked, "%s %d\n", head, n+1); err != nil {
			return err
		}
	}
}

// runOf returns the records that a head's n-th write adds.
func runOf(head string, n int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%s %d\n", head, n), 1+n*7919%3000)
}

func recordName(run []byte) string { return fmt.Sprintf("records/%x", sha256.Sum256(run)) }

// Check tests a store after a writer or the store itself was killed: everything in acked
// is there, nothing was taken back or done twice, and every listed object is whole. Several
// writers of one head may have written acked.
func Check(t *testing.T, s bucket.Store, acked io.Reader) {
	t.Helper()
	ctx := t.Context()
	writes := map[string]int{} // of each head, as acknowledged
	seen := map[string]bool{}
	for in := bufio.NewScanner(acked); in.Scan(); {
		var head string
		var n int
		if _, err := fmt.Sscan(in.Text(), &head, &n); err != nil || seen[in.Text()] {
			t.Errorf("%q was acknowledged twice, or is none: %v", in.Text(), err)
		}
		seen[in.Text()] = true
		writes[head] = max(writes[head], n)
	}
	named := map[string]string{} // a record, by a head that names it
	for head, n := range writes {
		data, _, err := s.Get(ctx, head)
		if err != nil {
			t.Errorf("%s was acknowledged: %v", head, err)
			continue
		}
		// More may be stored: writes whose acknowledgement was lost.
		runs := strings.Fields(string(data))
		if len(runs) < n {
			t.Errorf("%s has %d runs, %d were acknowledged", head, len(runs), n)
		}
		for i, name := range runs {
			if name != recordName(runOf(head, i)) {
				t.Errorf("%s: write %d of %d was lost or done twice", head, i, len(runs))
			}
			named[name] = head
		}
	}
	// After the heads: other writers may be at work.
	records, _ := listed(t, s, "records/")
	_, exact := s.(*bucket.Folder) // the list of an object store may be wrong, see bucket.Store
	for _, name := range records {
		run, _, err := s.Get(ctx, name)
		if err == nil && recordName(run) != name || err != nil && (exact || named[name] != "" || !errors.Is(err, fs.ErrNotExist)) {
			t.Errorf("%s is listed: %d bytes, %v", name, len(run), err)
		}
		delete(named, name)
	}
	for name, head := range named {
		if run, _, err := s.Get(ctx, name); exact || err != nil || recordName(run) != name {
			t.Errorf("%s names %s, which is not listed, and read it has %d bytes: %v", head, name, len(run), err)
		}
	}
}
