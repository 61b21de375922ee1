package machine

import (
	"bufio"
	"cmp"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// drawn sets v to a random value that JSON can hold and a gate could write.
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
		n := rapid.IntRange(-1, 3).Draw(t, "length")
		if n < 0 {
			return // nil
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			drawn(t, v.Index(i))
		}
	default:
		t.Fatalf("a payload holds %s", v.Kind())
	}
}

// canonical returns the payload as a record holds it.
func canonical(t testing.TB, p Payload) string {
	t.Helper()
	data, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	value := jsontext.Value(data)
	if err := value.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	return string(value)
}

// Any encoded payload of any kind decodes to itself.
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
		data := canonical(t, v.Interface().(Payload))
		if std := standard(rt, v.Interface()); std != data {
			rt.Fatalf("%s: %s\nencoding/json: %s", kind, data, std)
		}
		got, err := Decode(kind, true, []byte(data))
		if err != nil || canonical(t, got) != data {
			rt.Fatalf("%s: %s\nis %+v, %v", kind, data, got, err)
		}
	})
}

// standard returns v as encoding/json encodes it, in canonical form.
func standard(t *rapid.T, v any) string {
	data, err := json.Marshal(v)
	value := jsontext.Value(data)
	if err = cmp.Or(err, value.Canonicalize()); err != nil {
		t.Fatal(err)
	}
	return string(value)
}

// A snapshot is encoded as encoding/json encodes it, and so is a text that is not
// UTF-8.
func TestEncodeProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var s State
		drawn(rt, reflect.ValueOf(&s).Elem())
		s.Node = string(rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(rt, "not UTF-8"))
		data, err := EncodeState(s)
		value := jsontext.Value(data)
		if err = cmp.Or(err, value.Canonicalize()); err != nil {
			rt.Fatal(err)
		}
		if std := standard(rt, snapshot{snapshotVersion, s}); std != string(value) {
			rt.Fatalf("%s\nencoding/json: %s", value, std)
		}
		p := PrecheckFailed{V: 1, Path: s.Node}
		if std := standard(rt, p); std != canonical(t, p) {
			rt.Fatalf("encoding/json: %s", std)
		}
	})
}

// Records of released versions are decoded with every member.
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
			Crit bool
			Data json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		p, err := Decode(r.Type, r.Crit, r.Data)
		if err != nil || canonical(t, p) != string(r.Data) {
			t.Errorf("%s: %s\nis %+v, %v", r.Type, r.Data, p, err)
		}
		seen[r.Type] = true
	}
	if len(seen) != 6 {
		t.Errorf("kinds: %v", seen)
	}
}
