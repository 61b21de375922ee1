package memfs

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestBlob compares blobs that share their blocks with plain byte slices.
func TestBlob(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		blobs, plain := []*blob{{}}, [][]byte{nil}
		size := rapid.IntRange(0, 3*blockSize+10)
		pick := func() int { return rapid.IntRange(0, len(blobs)-1).Draw(rt, "which") }
		rt.Repeat(map[string]func(*rapid.T){
			"share": func(*rapid.T) {
				i := pick()
				twin := blobs[i].share()
				blobs, plain = append(blobs, &twin), append(plain, bytes.Clone(plain[i]))
			},
			"resize": func(*rapid.T) {
				i, n := pick(), size.Draw(rt, "size")
				blobs[i].resize(n)
				plain[i] = append(plain[i], make([]byte, max(0, n-len(plain[i])))...)[:n]
			},
			"write": func(*rapid.T) {
				i, off := pick(), size.Draw(rt, "off")
				p := bytes.Repeat([]byte{rapid.Byte().Draw(rt, "byte")}, size.Draw(rt, "length"))
				blobs[i].write(p, off)
				plain[i] = append(plain[i], make([]byte, max(0, off+len(p)-len(plain[i])))...)
				copy(plain[i][off:], p)
			},
			"": func(*rapid.T) {
				for i, b := range blobs {
					if !bytes.Equal(b.bytes(), plain[i]) || len(b.blocks) != blocksOf(b.size) {
						rt.Fatalf("blob %d differs", i)
					}
					off := size.Draw(rt, "from")
					p := bytes.Repeat([]byte{0xff}, blockSize+1)
					n := b.read(p, off)
					if want := plain[i][min(off, len(plain[i])):]; n != min(len(p), len(want)) || !bytes.Equal(p[:n], want[:n]) {
						rt.Fatalf("reading blob %d from %d: %d bytes", i, off, n)
					}
				}
			},
		})
	})
}
