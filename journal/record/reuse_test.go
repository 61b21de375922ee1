package record

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// agree checks that a Record that was used before accepts raw exactly if a new one
// does, and decodes the same from it.
func agree(t *testing.T, r *Record, raw []byte) {
	t.Helper()
	want, wantErr := Decode(raw)
	err := r.Decode(raw)
	if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
		t.Fatalf("%s: %v, Decode returns %v", raw, err, wantErr)
	}
	if wantErr == nil && !reflect.DeepEqual(*r, want) {
		t.Fatalf("%s:\n%+v\nDecode returns\n%+v", raw, *r, want)
	}
}

// TestDecodeAgain: any difference between one record and the next, and any fault in
// the next.
func TestDecodeAgain(t *testing.T) {
	first := must[[]byte](t)(Encode(testJournal, 7, Hash{}, entry(7)))
	changes := map[string]func(e *Entry){
		"nothing":      func(*Entry) {},
		"kind":         func(e *Entry) { e.Type = "Another" },
		"node":         func(e *Entry) { e.Node = "ano\"ther" },
		"boot":         func(e *Entry) { e.BootID = uuid.NewString() },
		"run":          func(e *Entry) { e.Run = uuid.NewString() },
		"run's form":   func(e *Entry) { e.Run = strings.ToUpper(uuid.NewString()) },
		"crit":         func(e *Entry) { e.Crit = !e.Crit },
		"epoch":        func(e *Entry) { e.Epoch = maxInt },
		"uptime":       func(e *Entry) { e.UptimeMS = 0 },
		"data":         func(e *Entry) { e.Data = []byte(`{"é":[1,{"a":null,"b":"\n"}]}`) },
		"no data":      func(e *Entry) { e.Data = []byte(`{}`) },
		"a nanosecond": func(e *Entry) { e.Time = e.Time.Add(1) },
		"a leap day":   func(e *Entry) { e.Time = time.Date(2028, 2, 29, 23, 59, 59, 999999999, time.UTC) },
		"a short day":  func(e *Entry) { e.Time = time.Date(2027, 4, 30, 0, 0, 0, 0, time.UTC) },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			var r Record
			agree(t, &r, first)
			e := entry(8)
			change(&e)
			raw := must[[]byte](t)(Encode(testJournal, 8, HashOf(first), e))
			agree(t, &r, raw)
			agree(t, &r, first)
			for i := range raw {
				bad := bytes.Clone(raw)
				for _, c := range []byte{bad[i] ^ 1, bad[i] ^ 0x80, '"', '0', '9', 'z'} {
					bad[i] = c
					agree(t, &r, bad)
				}
				agree(t, &r, raw[:i])
				agree(t, &r, first)
			}
		})
	}
}

// TestDecodeRefuses_Numbers: faults of more than one byte.
func TestDecodeRefuses_Numbers(t *testing.T) {
	e := entry(8)
	e.Time = time.Date(2026, 3, 4, 12, 34, 56, 123456789, time.UTC)
	raw := string(must[[]byte](t)(Encode(testJournal, 8, Hash{}, e)))
	for _, change := range [][2]string{
		{`"seq":8`, `"seq":0`}, {`"seq":8`, `"seq":08`}, {`"seq":8`, `"seq":9007199254740992`},
		{"T12:", "T24:"}, {"T12:", "T1 :"}, {":34:", ":60:"}, {":56.", ":60."}, {"123456789Z", "1234567890Z"},
		{"2026-03-04", "2026-02-30"}, {"2026-03-04", "2026-04-31"}, {"2026-03-04", "2100-02-29"}, {"2026-03-04", "0000-03-04"},
		{`8,"v":1}`, `8,"v":1} `}, {`8,"v":1}`, `8,"v":1,"w":1}`}, {`"data":{`, `"data":[{`}, {`"data":{`, `"data":"{`},
		{`"id":"01890000-0000-`, `"id":"01890000_0000-`}, {`"id":"0189`, `"id":"0`}, {`"role":"match"`, `"role":"\u002g"`}, {`"role":"match"`, `"role":"\u0009"`},
		{`"role":"match"`, `"role":"\`},
	} {
		bad := strings.Replace(raw, change[0], change[1], 1)
		if bad == raw {
			t.Fatalf("no %s in %s", change[0], raw)
		}
		var r Record
		agree(t, &r, []byte(raw))
		if r.Decode([]byte(bad)) == nil {
			t.Errorf("%s is accepted", bad)
		}
		agree(t, &r, []byte(raw))
	}
}

func FuzzDecodeAgain(f *testing.F) {
	first, err := Encode(testJournal, 7, Hash{}, entry(7))
	noErr(f, err)
	next, err := Encode(testJournal, 8, HashOf(first), entry(8))
	noErr(f, err)
	f.Add(next)
	f.Add([]byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Record
		agree(t, &r, first)
		agree(t, &r, b)
		agree(t, &r, next)
	})
}

// TestWords compares each function with a slow one.
func TestWords(t *testing.T) {
	for _, s := range []string{"01234567", "89abcdef", "ffffffff", "00000000", "/0000000", "0000000:", "0000`000", "000g0000", "ABCDEF00", "0000000\x80", "\xff0000000", "12345678", "9876543a"} {
		w := uint64(0)
		for i, c := range []byte(s) {
			w |= uint64(c) << (8 * i)
		}
		hex, value := true, uint32(0)
		for i, c := range []byte(s) {
			hex = hex && hexDigit(c) < 16
			value |= uint32(hexDigit(c)) << (8*(i/2) + 4*(1-i%2))
		}
		if got := hexWord(w); got != hex {
			t.Errorf("%q: hex %t", s, got)
		}
		if got := unhexWord(w); hex && got != value {
			t.Errorf("%q: %x, want %x", s, got, value)
		}
	}
}
