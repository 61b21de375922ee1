package record

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/gowebpki/jcs"
	"pgregory.net/rapid"

	"github.com/autonomyops/edged/internal/errs"
)

const testJournal = "4f3c2b1a-0d9e-4c8b-8a7f-6e5d4c3b2a19"

// TestEncodeBytes pins the form, byte by byte.
func TestEncodeBytes(t *testing.T) {
	base := Entry{
		ID: uuid.MustParse("01957f3a-1c2d-7e4f-8a5b-6c7d8e9fa0b1"), Type: "OpApplied", Crit: true,
		Time:   time.Date(2026, 3, 4, 11, 0, 0, 5, time.FixedZone("", 3600)),
		BootID: "b7a3ab5e-0f3d-4b5c-9d56-0f1f6d6ab3a1", UptimeMS: 4711,
		Run: "01957f3a-1c2d-7000-8a5b-6c7d8e9fa0b1", Node: "tutorial-node-01", Epoch: 3,
		Data: []byte(` { "v" : 1.0, "b": "\u0041\u001F\/\u00e9", "a" : [1e2, -5, null, true, {}], "\ud83d\ude00": 1, "\ufb33": 2 } `),
	}
	raw, err := Encode(testJournal, 42, HashOf([]byte("x")), base)
	noErr(t, err)
	want := `{"boot_id":"b7a3ab5e-0f3d-4b5c-9d56-0f1f6d6ab3a1","crit":true,` +
		`"data":{"a":[100,-5,null,true,{}],"b":"A\u001f/é","v":1,"😀":1,"` + "\ufb33" + `":2},"epoch":3,` +
		`"id":"01957f3a-1c2d-7e4f-8a5b-6c7d8e9fa0b1","journal":"4f3c2b1a-0d9e-4c8b-8a7f-6e5d4c3b2a19","node":"tutorial-node-01",` +
		`"prev":"` + HashOf([]byte("x")).String() + `","run":"01957f3a-1c2d-7000-8a5b-6c7d8e9fa0b1","seq":42,` +
		`"time":"2026-03-04T10:00:00.000000005Z","type":"OpApplied","uptime_ms":4711,"v":1}`
	if string(raw) != want {
		t.Fatalf("got\n%s\nwant\n%s", raw, want)
	}
	r := must[Record](t)(Decode(raw))
	if r.Journal != testJournal || r.Seq != 42 || r.Type != "OpApplied" || !r.Crit || r.Epoch != 3 || r.UptimeMS != 4711 ||
		!r.Time.Equal(base.Time) || r.Node != base.Node || r.Run != base.Run || r.BootID != base.BootID || r.ID != base.ID.String() ||
		r.Prev != HashOf([]byte("x")) || r.Hash != HashOf(raw) || r.V != 1 || !bytes.HasPrefix(r.Data, []byte(`{"a":[100`)) {
		t.Errorf("decoded as %+v", r)
	}
}

func TestEncodeRefuses(t *testing.T) {
	with := func(change func(*Entry)) Entry { e := entry(1); change(&e); return e }
	tests := map[string]struct {
		e    Entry
		kind error
	}{
		"too large":      {with(func(e *Entry) { e.Data = fmt.Appendf(nil, `{"a":%q}`, strings.Repeat("x", MaxLen)) }), errs.ErrTooLarge},
		"not an object":  {with(func(e *Entry) { e.Data = []byte(`[]`) }), errs.ErrInvalid},
		"not JSON":       {with(func(e *Entry) { e.Data = []byte(`{"a"}`) }), errs.ErrInvalid},
		"duplicate":      {with(func(e *Entry) { e.Data = []byte(`{"a":1,"a":2}`) }), errs.ErrInvalid},
		"trailing":       {with(func(e *Entry) { e.Data = []byte(`{} {}`) }), errs.ErrInvalid},
		"lone surrogate": {with(func(e *Entry) { e.Data = []byte(`{"a":"\ud800"}`) }), errs.ErrInvalid},
		"2^53+1":         {with(func(e *Entry) { e.Data = []byte(`{"a":9007199254740993}`) }), errs.ErrInvalid},
		"2^53":           {with(func(e *Entry) { e.Data = []byte(`{"a":9007199254740992}`) }), errs.ErrInvalid},
		"a fraction":     {with(func(e *Entry) { e.Data = []byte(`{"a":1.5}`) }), errs.ErrInvalid},
		"an exponent":    {with(func(e *Entry) { e.Data = []byte(`{"a":1e300}`) }), errs.ErrInvalid},
		"2^60":           {with(func(e *Entry) { e.Data = []byte(`{"a":[1152921504606846976]}`) }), errs.ErrInvalid},
		"too deep":       {with(func(e *Entry) { e.Data = []byte(strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)) }), errs.ErrInvalid},
		"no kind":        {with(func(e *Entry) { e.Type = "" }), errs.ErrInvalid},
		"random id":      {with(func(e *Entry) { e.ID = uuid.MustParse(testJournal) }), errs.ErrInvalid},
		"node not UTF-8": {with(func(e *Entry) { e.Node = "\xff" }), errs.ErrInvalid},
		"year 10000":     {with(func(e *Entry) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }), errs.ErrInvalid},
		"uptime":         {with(func(e *Entry) { e.UptimeMS = -1 }), errs.ErrInvalid},
		"epoch":          {with(func(e *Entry) { e.Epoch = 1 << 60 }), errs.ErrInvalid},
	}
	for name, tt := range tests {
		if _, err := Encode(testJournal, 1, Hash{}, tt.e); !errors.Is(err, tt.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Encode("not a uuid", 1, Hash{}, entry(1)); !errors.Is(err, errs.ErrInvalid) {
		t.Errorf("journal id: %v", err)
	}
	if _, err := Encode(testJournal, 0, Hash{}, entry(1)); !errors.Is(err, errs.ErrInvalid) {
		t.Errorf("seq 0: %v", err)
	}
	e := entry(1)
	e.Data = []byte(`{"a":9007199254740991,"b":-9007199254740991}`)
	if _, err := Encode(testJournal, 1, Hash{}, e); err != nil {
		t.Errorf("2^53-1: %v", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	raw := string(must[[]byte](t)(Encode(testJournal, 7, Hash{}, entry(7))))
	repl := func(old, new string) string {
		s := strings.Replace(raw, old, new, 1)
		if s == raw {
			t.Fatalf("%q is not in the record", old)
		}
		return s
	}
	tests := map[string]struct {
		raw  string
		kind error
	}{
		"empty":            {"", errs.ErrCorrupt},
		"cut":              {raw[:len(raw)-1], errs.ErrCorrupt},
		"trailing":         {raw + " ", errs.ErrCorrupt},
		"space":            {repl(`,"seq"`, `, "seq"`), errs.ErrCorrupt},
		"order":            {repl(`"seq":7,`, ``), errs.ErrCorrupt},
		"leading zero":     {repl(`"seq":7`, `"seq":07`), errs.ErrCorrupt},
		"seq 0":            {repl(`"seq":7`, `"seq":0`), errs.ErrCorrupt},
		"seq float":        {repl(`"seq":7`, `"seq":7.0`), errs.ErrCorrupt},
		"seq too large":    {repl(`"seq":7`, `"seq":9007199254740992`), errs.ErrCorrupt},
		"seq very large":   {repl(`"seq":7`, `"seq":99999999999999999999999`), errs.ErrCorrupt},
		"negative":         {repl(`"uptime_ms":1`, `"uptime_ms":-1`), errs.ErrCorrupt},
		"crit":             {repl(`"crit":false`, `"crit":0`), errs.ErrCorrupt},
		"data order":       {repl(`{"composite_hash"`, `{"z":1,"composite_hash"`), errs.ErrCorrupt},
		"data duplicate":   {repl(`"n":7`, `"n":7,"n":7`), errs.ErrCorrupt},
		"data number":      {repl(`"n":7`, `"n":7.0`), errs.ErrCorrupt},
		"data exponent":    {repl(`"n":7`, `"n":1e2`), errs.ErrCorrupt},
		"data fraction":    {repl(`"n":7`, `"n":1.5`), errs.ErrCorrupt},
		"data small":       {repl(`"n":7`, `"n":1e-7`), errs.ErrCorrupt},
		"data large":       {repl(`"n":7`, `"n":1e+300`), errs.ErrCorrupt},
		"data 2^53":        {repl(`"n":7`, `"n":9007199254740992`), errs.ErrCorrupt},
		"data -2^53":       {repl(`"n":7`, `"n":-9007199254740992`), errs.ErrCorrupt},
		"data minus zero":  {repl(`"n":7`, `"n":-0`), errs.ErrCorrupt},
		"data minus":       {repl(`"n":7`, `"n":-`), errs.ErrCorrupt},
		"data nothing":     {repl(`"n":7`, `"n":`), errs.ErrCorrupt},
		"data escape":      {repl(`"role":"match"`, `"role":"m\u0061tch"`), errs.ErrCorrupt},
		"data upper hex":   {repl(`"role":"match"`, `"role":"\u001F"`), errs.ErrCorrupt},
		"data slash":       {repl(`"role":"match"`, `"role":"\/"`), errs.ErrCorrupt},
		"data control":     {repl(`"role":"match"`, "\"role\":\"\n\""), errs.ErrCorrupt},
		"data UTF-8":       {repl(`"role":"match"`, "\"role\":\"\xc3\""), errs.ErrCorrupt},
		"data array":       {repl(`"n":7`, `"n":[1,]`), errs.ErrCorrupt},
		"data array end":   {repl(`"n":7`, `"n":[1 2]`), errs.ErrCorrupt},
		"data word":        {repl(`"n":7`, `"n":nul`), errs.ErrCorrupt},
		"data not object":  {repl(`"data":{`, `"data":[{`), errs.ErrCorrupt},
		"data colon":       {repl(`"n":7`, `"n" 7`), errs.ErrCorrupt},
		"no such day":      {repl(`2026-03-04`, `2026-02-29`), errs.ErrCorrupt},
		"no such month":    {repl(`2026-03-04`, `2026-13-04`), errs.ErrCorrupt},
		"no such hour":     {repl(`T10:`, `T24:`), errs.ErrCorrupt},
		"time t":           {repl(`T10:`, `t10:`), errs.ErrCorrupt},
		"time comma":       {repl(`.000000007Z`, `,000000007Z`), errs.ErrCorrupt},
		"time slashes":     {repl(`2026-03-04`, `2026/03/04`), errs.ErrCorrupt},
		"time points":      {repl(`:00:`, `.00.`), errs.ErrCorrupt},
		"time zone":        {repl(`007Z`, `007z`), errs.ErrCorrupt},
		"time digits":      {repl(`007Z`, `07Z`), errs.ErrCorrupt},
		"time letters":     {repl(`2026`, `20x6`), errs.ErrCorrupt},
		"prev upper":       {repl(`"prev":"0`, `"prev":"A`), errs.ErrCorrupt},
		"id version":       {repl(`-7000-`, `-4000-`), errs.ErrCorrupt},
		"journal upper":    {repl(testJournal, strings.ToUpper(testJournal)), errs.ErrCorrupt},
		"no type":          {repl(`"type":"Tested"`, `"type":""`), errs.ErrCorrupt},
		"v 0":              {repl(`07,"v":1}`, `07,"v":0}`), errs.ErrCorrupt},
		"v 2":              {repl(`07,"v":1}`, `07,"v":2}`), errs.ErrNewer},
		"v 2, other shape": {`{"v":2,"new":[1]}`, errs.ErrNewer},
		"v is text":        {repl(`07,"v":1}`, `07,"v":"2"}`), errs.ErrCorrupt},
		"v twice":          {`{"v":2,"v":2}`, errs.ErrCorrupt},
		"not an object":    {`[]`, errs.ErrCorrupt},
		"too long":         {strings.Repeat(" ", MaxLen+1), errs.ErrTooLarge},
		"very deep":        {`{"boot_id":"","crit":true,"data":{"a":` + strings.Repeat("[", 60000), errs.ErrCorrupt},
	}
	for name, tt := range tests {
		if _, err := Decode([]byte(tt.raw)); !errors.Is(err, tt.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// anyJSON draws JSON text of any kind, canonical or not.
func anyJSON(depth int) *rapid.Generator[string] {
	quoted := func(s string) string {
		b, err := jsontext.AppendQuote(nil, s)
		if err != nil {
			return `""`
		}
		return string(b)
	}
	text := rapid.Map(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "é", "\ufb33", "😀", "\u2028", "\x00\x1f\x7f", `"\/`, "a\tb"})), quoted)
	number := rapid.OneOf(
		rapid.Map(rapid.Float64(), func(f float64) string { return fmt.Sprint(f) }),
		rapid.Map(rapid.Int32(), func(i int32) string { return fmt.Sprint(i) }),
		rapid.Map(rapid.Int64Range(-maxInt, maxInt), func(i int64) string { return fmt.Sprint(i) }),
		rapid.SampledFrom([]string{"0", "-0", "1e21", "1e-7", "0.000001", "1.50", "1E3", "123456789012345", "9007199254740991", "9007199254740992"}))
	leaf := rapid.OneOf(text, number, rapid.SampledFrom([]string{"true", "false", "null", "[]", "{}", `"\u0041"`, ` 1 `}))
	if depth == 0 {
		return leaf
	}
	inner := anyJSON(depth - 1)
	array := rapid.Map(rapid.SliceOfN(inner, 0, 4), func(v []string) string { return "[" + strings.Join(v, ",") + "]" })
	object := rapid.Map(rapid.MapOfN(text, inner, 0, 5), func(m map[string]string) string {
		var parts []string
		for k, v := range m {
			parts = append(parts, k+":"+v)
		}
		return "{" + strings.Join(parts, ",") + "}"
	})
	return rapid.OneOf(leaf, array, object)
}

// allWhole reports whether every number in canonical JSON is a whole number of at
// most 2^53-1.
func allWhole(canon jsontext.Value) bool {
	for d := jsontext.NewDecoder(bytes.NewReader(canon)); ; {
		t, err := d.ReadToken()
		if err != nil {
			return true
		}
		if n, err := strconv.ParseInt(t.String(), 10, 64); t.Kind() == '0' && (err != nil || n < -maxInt || n > maxInt) {
			return false
		}
	}
}

// TestCanonicalAgainstOthers: the scanner accepts exactly what two other
// implementations of RFC 8785 write, as long as all numbers are whole.
func TestCanonicalAgainstOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := `{"a":` + anyJSON(3).Draw(t, "value") + `}`
		canon := jsontext.Value(text)
		if canon.Canonicalize() != nil {
			t.Skip("not JSON")
		}
		if other, err := jcs.Transform([]byte(text)); err == nil && string(other) != string(canon) {
			t.Skip("the others disagree")
		}
		for _, s := range []string{text, string(canon)} {
			sc := scanner{b: []byte(s)}
			sc.value(0)
			took := sc.err == "" && sc.i == len(s)
			if took != (s == string(canon) && allWhole(canon)) {
				t.Fatalf("%s: accepted %v (%s); canonical is %s", s, took, sc.err, canon)
			}
		}
		e := entry(1)
		e.Data = []byte(text)
		raw, err := Encode(testJournal, 1, Hash{}, e)
		if (err == nil) != allWhole(canon) {
			t.Fatalf("%s: %v", canon, err)
		}
		if err != nil {
			return
		}
		whole := jsontext.Value(append([]byte(nil), raw...))
		if whole.Canonicalize() != nil || !bytes.Equal(whole, raw) {
			t.Fatalf("not canonical: %s", raw)
		}
		if r, err := Decode(raw); err != nil || !bytes.Equal(r.Data, canon) {
			t.Fatalf("decode: %v, %s", err, r.Data)
		}
	})
}

// TestTextMembers: strings with escapes are decoded to what was encoded.
func TestTextMembers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := entry(1)
		e.Node = rapid.String().Draw(t, "node")
		e.Type = "x" + rapid.String().Draw(t, "type")
		raw, err := Encode(testJournal, 1, Hash{}, e)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Decode(raw)
		if err != nil || r.Node != e.Node || r.Type != e.Type {
			t.Fatalf("%v: %q %q from %q %q", err, r.Node, r.Type, e.Node, e.Type)
		}
	})
}

func TestHash(t *testing.T) {
	h := HashOf(nil)
	if h.String() != "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262" {
		t.Errorf("BLAKE3 of nothing is %s", h)
	}
	if got, err := ParseHash(h.String()); err != nil || got != h || h.IsZero() || !(Hash{}).IsZero() {
		t.Errorf("%v, %v", got, err)
	}
	for _, s := range []string{"", "AF", strings.ToUpper(h.String()), h.String() + "0", strings.Repeat("g", 64)} {
		if _, err := ParseHash(s); err == nil {
			t.Errorf("%q is accepted as a hash", s)
		}
	}
}

func FuzzDecode(f *testing.F) {
	raw, err := Encode(testJournal, 7, Hash{}, entry(7))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			return
		}
		canon := jsontext.Value(bytes.Clone(b))
		if canon.Canonicalize() != nil || !bytes.Equal(canon, b) {
			t.Fatalf("accepted, but not canonical: %s", b)
		}
		id, err := uuid.Parse(r.ID)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Encode(r.Journal, r.Seq, r.Prev, Entry{ID: id, Type: r.Type, Crit: r.Crit, Time: r.Time, BootID: r.BootID,
			UptimeMS: r.UptimeMS, Run: r.Run, Node: r.Node, Epoch: r.Epoch, Data: r.Data})
		if err == nil && !bytes.Equal(again, b) {
			t.Fatalf("written again as %s, was %s", again, b)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	raw, err := Encode(testJournal, 7, Hash{}, entry(7))
	noErr(b, err)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	var r Record
	for b.Loop() {
		if r.Decode(raw) != nil {
			b.Fatal()
		}
	}
}

func BenchmarkScan(b *testing.B) {
	raw, err := Encode(testJournal, 7, Hash{}, entry(7))
	noErr(b, err)
	b.ReportAllocs()
	var r Record
	for b.Loop() {
		if r.scan(raw) != nil {
			b.Fatal()
		}
	}
}
