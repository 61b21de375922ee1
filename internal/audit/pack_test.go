package audit_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/autonomyops/edged/internal/history/historytest"
)

// archive is a bundle that tar and zstd unpacked, to be altered.
type archive struct {
	names []string // in order
	files map[string][]byte
	plain bool // keep the list of hashes and the order as they are
}

func takeApart(t testing.TB, data []byte) *archive {
	t.Helper()
	dec, err := zstd.NewReader(bytes.NewReader(data))
	historytest.Check(t, err)
	defer dec.Close()
	a := &archive{files: map[string][]byte{}}
	for r := tar.NewReader(dec); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return a
		}
		historytest.Check(t, err)
		text, err := io.ReadAll(r)
		historytest.Check(t, err)
		name := strings.TrimPrefix(h.Name, "audit/")
		a.names, a.files[name] = append(a.names, name), text
	}
}

func (a *archive) set(name string, data []byte) {
	if _, ok := a.files[name]; !ok {
		a.names = append(a.names, name)
	}
	a.files[name] = data
}

func (a *archive) remove(name string) {
	a.names = slices.DeleteFunc(a.names, func(n string) bool { return n == name })
	delete(a.files, name)
}

// lines alters the records.
func (a *archive) lines(alter func([][]byte) [][]byte) {
	text := bytes.SplitAfter(a.files["records.jsonl"], []byte("\n"))
	a.files["records.jsonl"] = bytes.Join(alter(text[:len(text)-1]), nil)
}

// pack makes a bundle of it, with a right list of hashes.
func (a *archive) pack(t testing.TB) []byte {
	t.Helper()
	if !a.plain {
		slices.Sort(a.names)
		var sums []byte
		for _, name := range a.names {
			if name != "B3SUMS" {
				sums = fmt.Appendf(sums, "%s  %s\n", historytest.Hash(a.files[name]), name)
			}
		}
		a.files["B3SUMS"] = sums
		a.names = slices.DeleteFunc(a.names, func(n string) bool { return n == "B3SUMS" || n == "bundle.json" })
		a.names = append([]string{"bundle.json", "B3SUMS"}, a.names...)
	}
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, name := range a.names {
		historytest.Check(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "audit/" + name, Size: int64(len(a.files[name])), Mode: 0o644}))
		_, err := w.Write(a.files[name])
		historytest.Check(t, err)
	}
	historytest.Check(t, w.Close())
	return compress(t, plain.Bytes())
}

func compress(t testing.TB, plain []byte) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	historytest.Check(t, err)
	return enc.EncodeAll(plain, nil)
}

// sortPlain sorts the names as a bundle must.
func sortPlain(a *archive) {
	slices.SortFunc(a.names, func(x, y string) int { return strings.Compare(rank(x), rank(y)) })
}

func rank(name string) string {
	switch name {
	case "bundle.json":
		return "\x00"
	case "B3SUMS":
		return "\x01"
	}
	return name
}
