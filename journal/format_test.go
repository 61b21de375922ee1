package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/journal/internal/store"
	"github.com/autonomyops/edged/journal/record"
)

// checksum is the checksum of a block, computed as the format defines it.
func checksum(b []byte, number int) []byte {
	h := record.HashOf(binary.BigEndian.AppendUint64(bytes.Clone(b[:4064]), uint64(number)))
	return h[:]
}

func TestHeaderBytes(t *testing.T) {
	h := header{
		id: uuid.MustParse(testJournal), length: 4 << 20, generation: 7, base: record.Tip{Seq: 258, Hash: record.HashOf([]byte("base"))},
		snapLen: 5, snapHash: record.HashOf([]byte("state")), files: []store.File{{Name: "000004.sst", Size: 1025}, {Name: "MANIFEST-000005", Size: 2}},
	}
	b := h.encode(1)
	want := hex.EncodeToString([]byte("EDGETAIL")) + "00000001" + "00000002" + strings.ReplaceAll(testJournal, "-", "") +
		"0000000000400000" + "0000000000000007" + "0000000000000102" + h.base.Hash.String() + "0000000000000005" + h.snapHash.String() +
		"0000000000000401" + "0a" + hex.EncodeToString([]byte("000004.sst")) + "0000000000000002" + "0f" + hex.EncodeToString([]byte("MANIFEST-000005"))
	if got := hex.EncodeToString(b[:len(want)/2]); got != want || len(b) != 4096 {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if rest := b[len(want)/2 : 4064]; bytes.Count(rest, []byte{0}) != len(rest) || !bytes.Equal(checksum(b, 1), b[4064:]) {
		t.Error("bytes after the header or checksum")
	}
	got, state := parseHeader(b, 1)
	if state != blockGood || !bytes.Equal(got.encode(1), b) || len(got.files) != 2 {
		t.Errorf("read as %d, %+v", state, got)
	}
	if _, state := parseHeader(b, 0); state != blockBad {
		t.Error("header B in the place of header A is good")
	}
	for name, change := range map[string]func(b []byte){
		"a file without a name":    func(b []byte) { b[15] = 3 },
		"more files than fit":      func(b []byte) { b[14] = 9; copy(b[171:4064], bytes.Repeat([]byte{1}, 4064)) },
		"a snapshot of 2^63 bytes": func(b []byte) { b[88] = 0x80 },
	} {
		bad := bytes.Clone(b)
		change(bad)
		copy(bad[4064:], checksum(bad, 1))
		if h, state := parseHeader(bad, 1); state != blockBad {
			t.Errorf("%s: %d, %+v", name, state, h)
		}
	}
	// Lists that do not fit, and names too long for the format.
	for n := range 300 {
		h.files = append(h.files, store.File{Name: "0000000000000000.sst"})
		if fits := 128+9+10+9+15+(n+1)*29 <= 4064; h.fits() != fits {
			t.Fatalf("%d files: fits %t", len(h.files), h.fits())
		}
	}
	h.files = []store.File{{Name: strings.Repeat("x", 256)}}
	if h.fits() {
		t.Error("a name of 256 bytes fits")
	}
}

func TestFrameBytes(t *testing.T) {
	raw := bytes.Repeat([]byte("0123456789abcdef"), 500) // 8,000 bytes: three blocks
	hash := record.HashOf(raw)
	b := encodeFrame(3, 9, hash, raw, 200)
	if len(b) != 3*4096 {
		t.Fatalf("%d bytes", len(b))
	}
	for i := range 3 {
		p := b[i*4096:][:4096]
		want := hex.EncodeToString([]byte("EDGEFRAM")) + "00000001" + "000" + string("012"[i]) + "0003" + "0000000000000003" + "0000000000000009" + "00001f40" + "00000000" + hash.String()
		if got := hex.EncodeToString(p[:72]); got != want {
			t.Errorf("part %d: got  %s\nwant %s", i, got, want)
		}
		data := raw[i*3992 : min(len(raw), (i+1)*3992)]
		if !bytes.Equal(p[72:][:len(data)], data) || !bytes.Equal(checksum(p, 200+i), p[4064:]) {
			t.Errorf("part %d: data or checksum", i)
		}
		if _, state := parseFramePart(p, 200); (state == blockGood) != (i == 0) {
			t.Errorf("part %d in the place of the first: %d", i, state)
		}
	}
	for n, want := range map[int]int{0: 1, 1: 1, 3992: 1, 3993: 2, 65535: 17} {
		if parts(n) != want {
			t.Errorf("%d bytes: %d parts, want %d", n, parts(n), want)
		}
	}
	for name, change := range map[string]func(b []byte){
		"too many parts": func(b []byte) { b[15] = 4 },
		"part of none":   func(b []byte) { b[13] = 3 },
		"too long":       func(b []byte) { b[33] = 1 },
		"older format":   func(b []byte) { b[11] = 0 },
	} {
		bad := bytes.Clone(b[:4096])
		change(bad)
		copy(bad[4064:], checksum(bad, 200))
		if _, state := parseFramePart(bad, 200); state != blockBad {
			t.Errorf("%s: %d", name, state)
		}
	}
	if state := judgeBlock(make([]byte, 4096), frameMagic, 5); state != blockUnwritten {
		t.Errorf("zeros: %d", state)
	}
}

// TestTailLayout pins the places in the tail and the length of a gate's tail.
func TestTailLayout(t *testing.T) {
	if snapArea(0) != 2 || snapArea(1) != 66 || firstFrame != 130 || DefaultLayout().tailLength() != 4<<20 || minTail != 148*4096 {
		t.Errorf("%d %d %d %d", snapArea(0), snapArea(1), firstFrame, minTail)
	}
	m := newRoot(t)
	w, _, err := Create(m, DefaultLayout(), entryOf("b", "Tested", 1), CreateOptions{})
	noErr(t, err)
	noErr(t, w.Close())
	for name, size := range map[string]int64{tailFile: 4 << 20, headFile: 8192} {
		if info := must[durable.Info](t)(m.Lstat(name)); info.Size != size || info.Mode.Perm() != fileMode {
			t.Errorf("%+v", info)
		}
	}
	if used := m.Used(); used < 4<<20 { // written, so that it is no hole
		t.Errorf("%d bytes are used", used)
	}
}

func FuzzHeader(f *testing.F) {
	h := header{id: uuid.MustParse(testJournal), length: minTail, generation: 1, files: []store.File{{Name: "000004.sst", Size: 9}}}
	f.Add(h.encode(0), 0)
	f.Add(make([]byte, blockSize), 1)
	f.Fuzz(func(t *testing.T, b []byte, number int) {
		block := make([]byte, blockSize)
		copy(block, b)
		copy(block[blockSum:], blockHash(block, number)) // so that the header is judged
		h, state := parseHeader(block, number)
		if state != blockGood {
			return
		}
		if h.snapLen > maxSnapshot || !h.fits() {
			t.Fatalf("taken: %+v", h)
		}
		again, state := parseHeader(h.encode(number), number)
		if state != blockGood || again.generation != h.generation || again.base != h.base || len(again.files) != len(h.files) {
			t.Fatalf("written again as %+v, was %+v", again, h)
		}
	})
}

func FuzzFrameBlock(f *testing.F) {
	raw := []byte(`{"a":1}`)
	f.Add(encodeFrame(1, 1, record.HashOf(raw), raw, 130), 130)
	f.Add(make([]byte, blockSize), 0)
	f.Fuzz(func(t *testing.T, b []byte, number int) {
		block := make([]byte, blockSize)
		copy(block, b)
		copy(block[blockSum:], blockHash(block, number))
		p, state := parseFramePart(block, number)
		if state == blockGood && (p.part >= p.parts || p.parts > maxParts || p.length > record.MaxLen || parts(p.length) != p.parts) {
			t.Fatalf("taken: %+v", p)
		}
	})
}

func FuzzHead(f *testing.F) {
	slot := encodeSlot(uuid.MustParse(testJournal), record.Tip{Seq: 7, Hash: record.HashOf(nil)}, 0)
	f.Add(append(slot, encodeSlot(uuid.MustParse(testJournal), record.Tip{Seq: 8}, 1)...))
	f.Add(slot)
	f.Fuzz(func(t *testing.T, in []byte) {
		b := bytes.Clone(in)
		for i := range min(2, len(b)/blockSize) {
			block := b[i*blockSize:][:blockSize]
			copy(block[blockSum:], blockHash(block, i))
		}
		for i, s := range parseHead(b) {
			if s.State != SlotGood {
				continue
			}
			again := encodeSlot(uuid.MustParse(s.Journal), s.Tip, i)
			if was := b[i*blockSize:][:blockSize]; !bytes.Equal(was[16:72], again[16:72]) || s.Tip.Seq == 0 {
				t.Fatalf("slot %d is read as %+v", i, s)
			}
		}
	})
}

// FuzzTail: a tail of any bytes is refused or read. Without right checksums no
// record is invented and none is lost, and nothing panics.
func FuzzTail(f *testing.F) {
	m := memfs.New()
	noErr(f, m.Mkdir("bootstrap", 0o750))
	boot(f, m, 1, 2)
	settled(f, m, 1)
	recs := map[record.Hash]bool{}
	for _, r := range history(f, m) {
		recs[r.Hash] = true
	}
	whole := read(f, m, tailFile)
	used := whole[:(firstFrame+8)*blockSize]
	f.Add(0, used[:2*blockSize], true)
	f.Add(firstFrame*blockSize, used[firstFrame*blockSize:], true)
	f.Add(firstFrame*blockSize+24, []byte{9}, false)
	f.Add(44, []byte{0, 0, 0, 9}, true)
	f.Fuzz(func(t *testing.T, at int, change []byte, seal bool) {
		if at < 0 || at >= len(whole) {
			return
		}
		b := bytes.Clone(whole)
		copy(b[at:], change)
		if seal {
			for n := at / blockSize; n <= min(at+len(change), len(b)-1)/blockSize; n++ {
				block := b[n*blockSize:][:blockSize]
				copy(block[blockSum:], blockHash(block, n))
			}
		}
		d := m.Clone()
		overwrite(t, d, tailFile, b)
		v, err := OpenView(d, small)
		if err != nil {
			if f := FindingOf(err); f.Code == "" || f.Detail == "" {
				t.Errorf("%+v", f)
			}
			return
		}
		defer v.Close()
		_, headErr := v.CheckHead(nil)
		n := 0
		for r, err := range v.Records(1, v.Tip().Seq) {
			if err != nil {
				break
			}
			if n++; !recs[r.Hash] && !seal {
				t.Errorf("record %d is invented", r.Seq)
			}
		}
		if headErr == nil && n < len(recs) && !seal {
			t.Errorf("%d records are left", n)
		}
	})
}
