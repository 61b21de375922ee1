package machine

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// fill sets every member of a payload to something that is not its zero value.
// n makes one filling differ from the next.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, *n*1000, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.String:
		v.SetString([]string{"plain", "", "two\nlines\t\"quoted\" \\", "ein Übel", "<&>ÿ", "0123456789abcdef"}[*n%6])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt([]int64{int64(*n), 0, -int64(*n), 999_999_999_999_999_999}[*n%4])
	case reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Pointer:
		if *n%3 > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), *n%4, *n%4))
		for i := range v.Len() {
			if v.Type().Elem().Kind() == reflect.Uint8 {
				v.Index(i).SetUint(uint64(*n + i))
				continue
			}
			fill(v.Index(i), n)
		}
	default:
		panic(v.Kind().String())
	}
}

// canonical is the JSON of a payload with its members in order.
func canonical(t testing.TB, p Payload) []byte {
	t.Helper()
	data, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	var members map[string]any
	if err := dec.Decode(&members); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(members); err != nil {
		t.Fatal(err)
	}
	return []byte(strings.TrimSpace(b.String()))
}

// often are the kinds that have a decoder of their own.
var often = []Payload{FingerprintCaptured{}, UpdateDetected{}, ManifestVerified{}, OpApplied{}, EpochRotated{}, PrecheckFailed{}, ProjectionRepaired{}}

// TestCanonicalDecoder: whatever this version writes is decoded without
// encoding/json, and as encoding/json decodes it.
func TestCanonicalDecoder(t *testing.T) {
	for _, zero := range often {
		kind := zero.Kind()
		for n := range 200 {
			p := reflect.New(reflect.TypeOf(zero)).Elem()
			at := n
			if n > 0 { // 0 is the payload with nothing in it
				fill(p, &at)
			}
			p.FieldByName("V").SetInt(1)
			data := canonical(t, p.Interface().(Payload))
			got, ok := decodeCanonical(kind, data)
			want, err := decodeAny(kind, true, data)
			if err != nil || !ok || !reflect.DeepEqual(got, want) {
				t.Fatalf("%s, filling %d: %s\nquick %t %+v\njson  %+v, %v", kind, n, data, ok, got, want, err)
			}
		}
	}
}

// strange are payloads that the quick decoder must leave to encoding/json.
var strange = []string{
	``, `{}`, `[]`, `null`, `{"v":1`, `{"v":1}}`, `{"v":2}`, `{"v":01}`, `{"v":-0}`, `{"v":1.0}`, `{"V":1}`, `{ "v":1}`, `{"v":1,"v":1}`, `{,"v":1}`, `{"v":1,}`,
	`{"path":"a","attempt":1,"v":1}`, `{"attempt":"1","v":1}`, `{"attempt":9223372036854775808,"v":1}`, `{"attempt":1e3,"v":1}`, `{"later":true,"v":1}`,
	`{"path":"a","path":"b","v":1}`, `{"path":"a` + "\x01" + `","v":1}`, `{"path":"` + "\xff" + `","v":1}`, `{"path":"\ud800","v":1}`, `{"path":"\q","v":1}`, `{"path":"a`, `{"path":"a\`,
	`{"path":null,"v":1}`, `{"PATH":"a","v":1}`, `{"serial":null,"v":1}`, `{"key":"!","v":1}`, `{"key":null,"v":1}`, `{"key":"QQ==","v":1}`, `{"causes":null,"v":1}`, `{"causes":[],"v":1}`,
	`{"causes":["a",],"v":1}`, `{"causes":["a" "b"],"v":1}`, `{"clock":{"floor":"2026-01-01T00:00:00Z","later":1},"v":1}`, `{"clock":{"floor":"today"},"v":1}`, `{"inputs":{},"v":1}`, `{"role":"match","v":1}`,
	`{"epoch_floor":-1,"v":1}`, `{"epoch_floor":-0,"v":1}`, `{"attempt":-0,"v":1}`, `{"hash_pinned":True,"v":1}`, `{"hash_pinned":true,"v":1}`, `{"captured_at":"2026-01-01T24:00:00Z","v":1}`,
}

// agree fails where the quick decoder takes what encoding/json refuses, or
// takes it otherwise.
func agree(t *testing.T, kind Kind, data []byte) {
	t.Helper()
	got, ok := decodeCanonical(kind, data)
	if !ok {
		return
	}
	want, err := decodeAny(kind, true, data)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %q\nquick %+v\njson  %+v, %v", kind, data, got, want, err)
	}
}

func TestCanonicalDecoderNeverMisreads(t *testing.T) {
	for _, p := range often {
		for _, data := range strange {
			agree(t, p.Kind(), []byte(data))
		}
		// Every byte of a payload, changed.
		n := 1
		v := reflect.New(reflect.TypeOf(p)).Elem()
		fill(v, &n)
		v.FieldByName("V").SetInt(1)
		whole := canonical(t, v.Interface().(Payload))
		for i := range whole {
			for _, b := range []byte{0, '"', '\\', '0', '1', ',', '}', 'a', 0x80, whole[i] ^ 1, whole[i] ^ 0x20} {
				data := append([]byte(nil), whole...)
				data[i] = b
				agree(t, p.Kind(), data)
			}
			agree(t, p.Kind(), whole[:i])
		}
	}
}

func FuzzDecode(f *testing.F) {
	for i, data := range strange {
		f.Add(uint8(i), []byte(data))
	}
	for i, p := range often {
		f.Add(uint8(i), canonical(f, p))
	}
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		agree(t, often[int(kind)%len(often)].Kind(), data)
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, p := range often {
		n := 1
		v := reflect.New(reflect.TypeOf(p)).Elem()
		fill(v, &n)
		v.FieldByName("V").SetInt(1)
		data := canonical(b, v.Interface().(Payload))
		b.Run(string(p.Kind()), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(p.Kind(), true, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
