package journal

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// sameRecord compares what two ways of reading give.
func sameRecord(a, b *Record) bool {
	return a.V == b.V && a.Journal == b.Journal && a.Seq == b.Seq && a.ID == b.ID && a.Type == b.Type && a.Crit == b.Crit &&
		a.Time == b.Time && a.BootID == b.BootID && a.UptimeMS == b.UptimeMS && a.Run == b.Run && a.Node == b.Node &&
		a.Epoch == b.Epoch && bytes.Equal(a.Data, b.Data) && a.Prev == b.Prev && bytes.Equal(a.Raw, b.Raw) && a.Hash == b.Hash
}

// agree sees that a decoder that has read others before takes raw exactly if
// Decode does, and reads the same from it.
func agree(t *testing.T, d *decoder, raw []byte) {
	t.Helper()
	want, wantErr := Decode(raw)
	for _, way := range []func([]byte) (*Record, error){d.check, d.record} {
		got, err := way(raw)
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("%s: %v, Decode gives %v", raw, err, wantErr)
		}
		if err == nil && got.Hash != want.Hash {
			t.Fatalf("%s: another hash", raw)
		}
	}
	if wantErr == nil && !sameRecord(&d.rec, &want) {
		t.Fatalf("%s:\n%+v\nDecode gives\n%+v", raw, d.rec, want)
	}
}

// TestDecoder: whatever differs from one record to the next, and whatever is
// wrong with the next.
func TestDecoder(t *testing.T) {
	first := must[[]byte](t)(Encode(testJournal, 7, Hash{}, entry(7)))
	changes := map[string]func(e *Entry){
		"nothing":      func(*Entry) {},
		"kind":         func(e *Entry) { e.Type = "Another" },
		"node":         func(e *Entry) { e.Node = "ano\"ther" },
		"boot":         func(e *Entry) { e.BootID = uuid.NewString() },
		"boot's form":  func(e *Entry) { e.BootID = "a boot" },
		"run":          func(e *Entry) { e.Run = uuid.NewString() },
		"run's form":   func(e *Entry) { e.Run = strings.ToUpper(uuid.NewString()) },
		"crit":         func(e *Entry) { e.Crit = !e.Crit },
		"epoch":        func(e *Entry) { e.Epoch = maxInt },
		"uptime":       func(e *Entry) { e.UptimeMS = 0 },
		"data":         func(e *Entry) { e.Data = []byte(`{"é":[1,{"a":null,"b":"\n"}]}`) },
		"no data":      func(e *Entry) { e.Data = []byte(`{}`) },
		"a nanosecond": func(e *Entry) { e.Time = e.Time.Add(1) },
		"a second":     func(e *Entry) { e.Time = e.Time.Add(time.Second) },
		"a day":        func(e *Entry) { e.Time = e.Time.AddDate(0, 0, 1) },
		"midnight":     func(e *Entry) { e.Time = e.Time.Truncate(24 * time.Hour) },
		"last moment":  func(e *Entry) { e.Time = e.Time.Truncate(24 * time.Hour).Add(24*time.Hour - 1) },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			var d decoder
			agree(t, &d, first)
			e := entry(8)
			change(&e)
			raw := must[[]byte](t)(Encode(testJournal, 8, HashOf(first), e))
			agree(t, &d, raw)
			agree(t, &d, first)
			for i := range raw {
				bad := bytes.Clone(raw)
				for _, c := range []byte{bad[i] ^ 1, bad[i] ^ 0x80, '"', '0', '9', 'z'} {
					bad[i] = c
					agree(t, &d, bad)
				}
				agree(t, &d, raw[:i])
				agree(t, &d, first)
			}
		})
	}
}

// TestDecoder_Refused: what takes more than one byte to get wrong.
func TestDecoder_Refused(t *testing.T) {
	e := entry(8)
	e.Time = time.Date(2026, 3, 4, 12, 34, 56, 123456789, time.UTC)
	raw := string(must[[]byte](t)(Encode(testJournal, 8, Hash{}, e)))
	for _, change := range [][2]string{
		{`"seq":8`, `"seq":0`}, {`"seq":8`, `"seq":08`}, {`"seq":8`, `"seq":9007199254740992`},
		{"T12:", "T24:"}, {"T12:", "T1 :"}, {":34:", ":60:"}, {":56.", ":60."}, {"2026-03-04", "2026-02-30"}, {"123456789Z", "1234567890Z"},
		{`8,"v":1}`, `8,"v":1} `}, {`8,"v":1}`, `8,"v":1,"w":1}`}, {`"data":{`, `"data":[{`}, {`"data":{`, `"data":"{`},
	} {
		bad := strings.Replace(raw, change[0], change[1], 1)
		if bad == raw {
			t.Fatalf("no %s in %s", change[0], raw)
		}
		var d decoder
		agree(t, &d, []byte(raw))
		if _, err := d.check([]byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
		agree(t, &d, []byte(raw))
		agree(t, &d, []byte(bad))
	}
}

func FuzzDecoder(f *testing.F) {
	first, err := Encode(testJournal, 7, Hash{}, entry(7))
	if err != nil {
		f.Fatal(err)
	}
	next, err := Encode(testJournal, 8, HashOf(first), entry(8))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(next)
	f.Add([]byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d decoder
		agree(t, &d, first)
		agree(t, &d, b)
		agree(t, &d, next)
	})
}

// TestWords compares each with its slow form.
func TestWords(t *testing.T) {
	for _, s := range []string{"01234567", "89abcdef", "ffffffff", "00000000", "/0000000", "0000000:", "0000`000", "000g0000", "ABCDEF00", "0000000\x80", "\xff0000000", "12345678", "9876543a"} {
		w := uint64(0)
		for i, c := range []byte(s) {
			w |= uint64(c) << (8 * i)
		}
		hex, dec, bytes, number := true, true, uint32(0), uint64(0)
		for i, c := range []byte(s) {
			hex = hex && hexDigit(c) < 16
			dec = dec && c >= '0' && c <= '9'
			bytes |= uint32(hexDigit(c)) << (8*(i/2) + 4*(1-i%2))
			number = 10*number + uint64(c-'0')
		}
		if got := hexWord(w); got != hex {
			t.Errorf("%q: hex %t", s, got)
		}
		if got := unhexWord(w); hex && got != bytes {
			t.Errorf("%q: %x, want %x", s, got, bytes)
		}
		if n, ok := digitsWord(w); ok != dec || ok && n != number {
			t.Errorf("%q: %d, %t", s, n, ok)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	raw, err := Encode(testJournal, 7, Hash{}, entry(7))
	noErr(b, err)
	b.ReportAllocs()
	var d decoder
	_, err = d.check(raw)
	noErr(b, err)
	for b.Loop() {
		if _, ok := d.similar(raw); !ok {
			b.Fatal()
		}
	}
}
