package journal

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

// entry makes the n-th event of a test.
func entry(n int) Entry {
	id := uuid.MustParse("01890000-0000-7000-8000-000000000000")
	id[15], id[14], id[13], id[12] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
	return Entry{
		ID: id, Type: "Tested", Time: time.Date(2026, 3, 4, 10, 0, 0, n%1e9, time.UTC),
		BootID: "b7a3ab5e-0f3d-4b5c-9d56-0f1f6d6ab3a1", UptimeMS: int64(1000 + n),
		Run: "01890000-0000-7000-8000-00000000000a", Node: "node-1", Epoch: uint64(n / 100),
		Data: fmt.Appendf(nil, `{"v":1,"n":%d,"role":"match","composite_hash":"%s"}`, n, HashOf([]byte{byte(n)})),
	}
}

// must ends the test at an error.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func noErr(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newRoot is an empty state root with the directory of the head file.
func newRoot(t testing.TB) *memfs.FS {
	t.Helper()
	m := memfs.New()
	noErr(t, m.Mkdir("bootstrap", 0o750))
	noErr(t, m.SyncDir("."))
	return m
}

// boot opens the journal, checks the head, and opens it for appending.
func boot(fsys durable.FS, refs ...Ref) (*Writer, HeadAction, error) {
	v, err := OpenView(fsys, DefaultLayout())
	if err != nil {
		return nil, HeadAction{}, err
	}
	act, err := v.CheckHead(refs)
	if err == nil {
		err = v.VerifyTail(1000)
	}
	if err != nil {
		return nil, act, errors.Join(err, v.Close())
	}
	w, err := OpenWriter(fsys, DefaultLayout(), v, act)
	return w, act, err
}

// grown makes a journal of n records, one boot each.
func grown(t testing.TB, fsys durable.FS, n int) []Record {
	t.Helper()
	w, rec, err := Create(fsys, DefaultLayout(), entry(1), CreateOptions{})
	noErr(t, err)
	recs := []Record{rec}
	noErr(t, w.Close())
	for i := 2; i <= n; i++ {
		w, act, err := boot(fsys)
		noErr(t, err)
		if act.Step != HeadNone {
			t.Fatalf("boot %d: head action %v", i, act)
		}
		recs = append(recs, must[Record](t)(w.Append(entry(i))))
		noErr(t, w.Close())
	}
	return recs
}

func TestBoots(t *testing.T) {
	for name, open := range map[string]func() durable.FS{
		"memory": func() durable.FS { return newRoot(t) },
		"disk": func() durable.FS {
			r := must[*durable.Root](t)(durable.OpenRoot(t.TempDir()))
			t.Cleanup(func() { noErr(t, r.Close()) })
			noErr(t, r.Mkdir("bootstrap", 0o750))
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := open()
			want := grown(t, fsys, 40)
			v := must[*View](t)(OpenView(fsys, DefaultLayout()))
			defer v.Close()
			n := 0
			for r, err := range v.Records(1, 1<<60) {
				noErr(t, err)
				if r.Hash != want[n].Hash {
					t.Errorf("record %d differs", r.Seq)
				}
				n++
			}
			if n != len(want) || v.Tip() != (Tip{40, want[39].Hash}) {
				t.Errorf("got %d records, tip %v", n, v.Tip())
			}
			names := must[[]durable.Info](t)(fsys.ReadDir("journal"))
			for _, f := range names {
				t.Log(f.Name, f.Size)
			}
		})
	}
}
