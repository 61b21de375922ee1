// Package buckettest holds what every store of a hub must do, as tests.
//
//	conformance.go  each method, alone and in races
//	history.go      a writer that is killed, and what must be there afterwards
package buckettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/hub/bucket"
)

// Conformance tests an empty store. Each call of open returns another handle of it.
func Conformance(t *testing.T, open func(t *testing.T) bucket.Store) {
	for name, test := range map[string]func(*testing.T, bucket.Store){
		"put": testPut, "swap": testSwap, "delete": testDelete, "list": testList, "names": testNames, "ended": testEnded,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
	t.Run("race", func(t *testing.T) {
		Race(t, 16, 100, open(t), open(t))
	})
}

func testPut(t *testing.T, s bucket.Store) {
	ctx := t.Context()
	if _, _, err := s.Get(ctx, "records/absent"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "records/absent") {
		t.Errorf("get of an absent object: %v", err)
	}
	for _, data := range [][]byte{{}, []byte("one"), bytes.Repeat([]byte("0123456789abcdef"), 1<<19)} { // to 8 MiB
		for _, name := range []string{"records/one", "checkpoints/put/1/2"} {
			must(t, s.Put(ctx, name, data))
			if got, v, err := s.Get(ctx, name); err != nil || !bytes.Equal(got, data) || v == "" {
				t.Errorf("get %s: %d bytes for %d, version %q: %v", name, len(got), len(data), v, err)
			}
		}
	}
	if err := s.Put(ctx, "records/large", make([]byte, bucket.MaxObject+1)); !errors.Is(err, errs.ErrTooLarge) {
		t.Errorf("an object over the limit: %v", err)
	}
}

func testSwap(t *testing.T, s bucket.Store) {
	ctx := t.Context()
	const name = "heads/swapped"
	swap := func(data string, old bucket.Version, want error) {
		t.Helper()
		if err := s.Swap(ctx, name, []byte(data), old); !errors.Is(err, want) || err != nil && !strings.Contains(err.Error(), name) {
			t.Fatalf("swap to %q: %v, want %v", data, err, want)
		}
	}
	at := func(data string) bucket.Version {
		t.Helper()
		got, v, err := s.Get(ctx, name)
		if err != nil || string(got) != data {
			t.Fatalf("%q, %v, want %q", got, err, data)
		}
		return v
	}
	swap("early", "6d656c6f6e", bucket.ErrChanged) // absent, but a version is expected
	swap("first", "", nil)
	first := at("first")
	swap("second", "", bucket.ErrChanged)
	swap("second", first, nil)
	second := at("second")
	swap("third", first, bucket.ErrChanged)
	swap("third", "", bucket.ErrChanged)
	at("second")
	swap("third", second, nil)
	third := at("third")
	must(t, s.Delete(ctx, name))
	swap("fourth", third, bucket.ErrChanged)
	swap("fourth", "", nil)
	at("fourth")
	must(t, s.Delete(ctx, name))
}

func testDelete(t *testing.T, s bucket.Store) {
	ctx := t.Context()
	must(t, s.Put(ctx, "views/here", []byte("x")))
	for range 2 {
		must(t, s.Delete(ctx, "views/here"))
		if _, _, err := s.Get(ctx, "views/here"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a deleted object: %v", err)
		}
	}
	must(t, s.Delete(ctx, "views/never/was"))
}

func testList(t *testing.T, s bucket.Store) {
	ctx := t.Context()
	var want []string
	// More than a page of S3, and names whose order depends on the slash.
	for i := range 1100 {
		want = append(want, fmt.Sprintf("keys/many/%d", i))
	}
	want = append(want, "keys/a", "keys/a-b", "keys/a.b", "keys/aa", "keys/b/1", "keys/b/2", "keys/b-c/1", "keys/b0", "keys/many-0")
	var group sync.WaitGroup
	for part := range slices.Chunk(want, 100) {
		group.Go(func() {
			for _, name := range part {
				must(t, s.Put(ctx, name, []byte(name)))
			}
		})
	}
	group.Wait()
	must(t, s.Put(ctx, "heads/other", []byte("x")))
	slices.Sort(want)
	for prefix, want := range map[string][]string{"keys/": want, "keys/b/": {"keys/b/1", "keys/b/2"}, "keys/absent/": nil, "rollbacks/": nil} {
		if got, _ := listed(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("list of %s: %q\nwant %q", prefix, got, want)
		}
	}
	time.Sleep(1100 * time.Millisecond) // the folder gives a new file no lasting stamp
	_, before := listed(t, s, "keys/b/")
	must(t, s.Put(ctx, "keys/b/2", []byte("other")))
	if _, after := listed(t, s, "keys/b/"); before["keys/b/1"] != after["keys/b/1"] || before["keys/b/2"] == after["keys/b/2"] {
		t.Errorf("stamps %q before, %q after", before, after)
	}
	for range s.List(ctx, "keys/") {
		break // a reader that stops
	}
	// A file in place of a folder.
	if err := s.Delete(ctx, "keys/a"); err != nil {
		t.Error(err)
	}
}

func listed(t *testing.T, s bucket.Store, prefix string) (names []string, stamps map[string]string) {
	t.Helper()
	stamps = map[string]string{}
	for item, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		names, stamps[item.Name] = append(names, item.Name), item.Stamp
	}
	return names, stamps
}

func testNames(t *testing.T, s bucket.Store) {
	ctx := t.Context()
	for _, name := range []string{"", ".", "heads", "heads/", "/heads/x", "heads//x", "heads/../x", "heads/./x", "heads/X", "heads/x y", "heads/\u00e4", "heads/x\x00",
		"tmp/x", "locks/00", "probe/x", "other/x", "heads/" + strings.Repeat("x", 256), "heads/" + strings.Repeat("x/", 400) + "x"} {
		_, _, get := s.Get(ctx, name)
		for what, err := range map[string]error{"get": get, "put": s.Put(ctx, name, nil), "swap": s.Swap(ctx, name, nil, ""), "delete": s.Delete(ctx, name)} {
			if !errors.Is(err, errs.ErrInvalid) {
				t.Errorf("%s %q: %v", what, name, err)
			}
		}
	}
	for _, prefix := range []string{"", "/", "heads", "tmp/", "probe/", "heads/../"} {
		for _, err := range s.List(ctx, prefix) {
			if !errors.Is(err, errs.ErrInvalid) {
				t.Errorf("list %q: %v", prefix, err)
			}
		}
	}
}

// testEnded: every method ends with its context.
func testEnded(t *testing.T, s bucket.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, get := s.Get(ctx, "heads/ended")
	for what, err := range map[string]error{"get": get, "put": s.Put(ctx, "records/ended", nil), "swap": s.Swap(ctx, "heads/ended", nil, ""), "delete": s.Delete(ctx, "heads/ended")} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Race has many goroutines replace one version, many times: each time one of them must
// succeed and the others must see ErrChanged. It shares them among the handles.
func Race(t *testing.T, racers, rounds int, handles ...bucket.Store) {
	t.Helper()
	ctx, name := t.Context(), "heads/raced"
	old := bucket.Version("")
	for round := range rounds {
		var winner atomic.Int64
		var winners, changed atomic.Int32
		var group sync.WaitGroup
		for i := range racers {
			group.Go(func() {
				err := handles[i%len(handles)].Swap(ctx, name, fmt.Appendf(nil, "%d %d", round, i), old)
				switch {
				case err == nil:
					winner.Store(int64(i))
					winners.Add(1)
				case errors.Is(err, bucket.ErrChanged):
					changed.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		group.Wait()
		data, v, err := handles[0].Get(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if winners.Load() != 1 || int(changed.Load()) != racers-1 || string(data) != fmt.Sprint(round, winner.Load()) {
			t.Fatalf("round %d: %d winners, %d losers, %q is stored", round, winners.Load(), changed.Load(), data)
		}
		old = v
	}
	must(t, handles[0].Delete(ctx, name))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
