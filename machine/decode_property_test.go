package machine

import (
	"bufio"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawn sets v to anything that JSON can hold and a gate could write.
func drawn(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			sec := rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds") // years 1 to 9999
			v.Set(reflect.ValueOf(time.Unix(sec, rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).UTC()))
			return
		}
		for i := range v.NumField() {
			drawn(t, v.Field(i))
		}
	case reflect.String:
		v.SetString(rapid.String().Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64Range(-(1<<53), 1<<53).Draw(t, "int"))
	case reflect.Uint64:
		v.SetUint(rapid.Uint64Range(0, 1<<53).Draw(t, "uint"))
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "there") {
			v.Set(reflect.New(v.Type().Elem()))
			drawn(t, v.Elem())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes"))
			return
		}
		n := rapid.IntRange(0, 3).Draw(t, "length")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			drawn(t, v.Index(i))
		}
	default:
		t.Fatalf("a payload holds %s", v.Kind())
	}
}

// Whatever payload of whatever kind: it decodes to what it was, and damaged in
// any place to what encoding/json makes of it.
func TestDecodeProperty(t *testing.T) {
	all := Kinds()
	slices.Sort(all)
	rapid.Check(t, func(rt *rapid.T) {
		kind := rapid.SampledFrom(all).Draw(rt, "kind")
		zero, err := Decode(kind, true, []byte(`{"v":1}`))
		if err != nil {
			rt.Fatal(err)
		}
		v := reflect.New(reflect.TypeOf(zero)).Elem()
		drawn(rt, v)
		v.FieldByName("V").SetInt(1)
		p := v.Interface().(Payload)
		data := canonical(t, p)
		got, err := Decode(kind, true, data)
		if want, _ := Encode(p); err != nil || string(mustBe(t, got)) != string(want) {
			rt.Fatalf("%s: %s\nis %+v, %v", kind, data, got, err)
		}
		agree(t, kind, data)
		at := rapid.IntRange(0, len(data)-1).Draw(rt, "place")
		with := rapid.SliceOfN(rapid.SampledFrom([]byte("\"\\{}[]:,0-1tfne. \x00\x1f\x80\xff")), 0, 2).Draw(rt, "bytes put there")
		gone := rapid.IntRange(0, min(3, len(data)-at)).Draw(rt, "bytes taken away")
		agree(t, kind, slices.Replace(data, at, at+gone, with...))
	})
}

func mustBe(t *testing.T, p Payload) []byte {
	t.Helper()
	data, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Records as released versions wrote them are decoded without encoding/json.
func TestDecodeGolden(t *testing.T) {
	f, err := os.Open("../fixtures/journals/v1/reordered.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	seen := map[Kind]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r struct {
			Type Kind
			Data json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if _, ok := decodeCanonical(r.Type, r.Data); !ok {
			t.Errorf("%s: %s", r.Type, r.Data)
		}
		agree(t, r.Type, r.Data)
		seen[r.Type] = true
	}
	if len(seen) != 5 {
		t.Errorf("kinds: %v", seen)
	}
}

// times and whether the quick decoder knows them; the time package decides the rest.
var times = map[string]bool{
	"2026-03-04T10:00:00Z": true, "2026-03-04T10:00:00.1Z": true, "2026-03-04T10:00:00.123456789Z": true, "0000-01-01T00:00:00Z": true,
	"2024-02-29T23:59:59.999999999Z": true, "9999-12-31T23:59:59Z": true, "0001-01-01T00:00:00Z": true, "2026-04-30T00:00:00.000Z": true,
	"2026-02-29T00:00:00Z": false, "2026-04-31T00:00:00Z": false, "2026-00-01T00:00:00Z": false, "2026-13-01T00:00:00Z": false, "2026-01-00T00:00:00Z": false,
	"2026-01-01T24:00:00Z": false, "2026-01-01T00:60:00Z": false, "2026-01-01T00:00:60Z": false, "2026-01-01T00:00:00.Z": false, "2026-01-01T00:00:00,5Z": false,
	"2026-01-01T00:00:00+00:00": false, "2026-01-01T00:00:00.1234567890Z": false, "2026-01-01t00:00:00Z": false, "2026-01-01T00:00:00z": false,
	"2026-01-01T00:00:00": false, "2026-01-01T00:00Z": false, "": false, "Z": false, "+026-01-01T00:00:00Z": false, "2026-01-01T00:00:0xZ": false, "2026-01-01T00-00-00Z": false,
}

func sameTime(t *testing.T, text string) (known bool) {
	t.Helper()
	got, known := utc(text)
	if !known {
		return false
	}
	var want time.Time
	if err := want.UnmarshalText([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q: %#v, want %#v, %v", text, got, want, err)
	}
	return true
}

func TestUTC(t *testing.T) {
	for text, want := range times {
		if sameTime(t, text) != want {
			t.Errorf("%q: known is %t", text, !want)
		}
	}
}

func FuzzUTC(f *testing.F) {
	for text := range times {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { sameTime(t, text) })
}
