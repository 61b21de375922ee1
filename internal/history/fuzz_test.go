package history

import (
	"archive/tar"
	"bytes"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// FuzzBundle: reading any archive ends, and never returns more data than the
// bounds allow.
func FuzzBundle(f *testing.F) {
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, e := range [][2]string{{"bundle.json", `{"format":"edged-audit-bundle","v":1}`}, {"B3SUMS", ""}, {"records.jsonl", "{}\n"}} {
		if w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: BundleDir + e[0], Size: int64(len(e[1]))}) != nil {
			f.Fatal("seed")
		}
		_, _ = io.WriteString(w, e[1])
	}
	_ = w.Close()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain.Bytes(), true)
	f.Add(enc.EncodeAll(plain.Bytes(), nil), false)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, data []byte, tarred bool) {
		if tarred { // so that the fuzzer need not learn Zstandard first
			data = enc.EncodeAll(data, nil)
		}
		before, n, total := "", 0, int64(0)
		_ = walkArchive("fuzz", bytes.NewReader(data), int64(len(data)), func(m Member, r io.Reader) error {
			if n > 2 && m.Name <= before || m.Size < 0 {
				t.Errorf("%q after %q", m.Name, before)
			}
			before, n = m.Name, n+1
			size, err := io.Copy(io.Discard, &lines{r: r})
			total += size
			if size > m.Size {
				t.Errorf("%d bytes of %d", size, m.Size)
			}
			return err
		})
		if total > maxBundleRatio*int64(len(data))+1<<20 {
			t.Errorf("%d bytes came out of %d", total, len(data))
		}
	})
}
