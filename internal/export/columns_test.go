package export

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

// shown returns a record's columns as text, without absent ones.
func shown(data string) map[string]any {
	var c cells
	c.fill([]byte(data))
	out := map[string]any{}
	for col, name := range columnNames() {
		switch v := c[col]; {
		case !v.set:
		case column(col).whole():
			out[name] = v.n
		default:
			out[name] = string(v.text)
		}
	}
	return out
}

func TestColumns(t *testing.T) {
	for _, tt := range []struct {
		data string
		want map[string]any
	}{
		{`{}`, nil},
		{`{"v":1}`, nil},
		{`{"exit_code":5,"path":"a\"b\\","reason":"x}y,\"z","stage":"\u0000"}`, map[string]any{"exit_code": int64(5), "path": `a"b\`, "reason": `x}y,"z`, "stage": "\x00"}},
		{`{"bytes":-3,"serial":9007199254740991}`, map[string]any{"bytes": int64(-3), "manifest_serial": int64(9007199254740991)}},
		{`{"bytes":1.5,"serial":null,"attempt":"2","path":3,"reason":["a"],"stage":{"b":1}}`, nil},
		{`{"bytes":10000000000000000000}`, nil},
		{`{"composite_hash":"a","inputs":{"etc_os_release":"b","uname_release":"c"},"role":"match"}`, map[string]any{"composite_hash": "a", "uname_release": "c", "role": "match"}},
		{`{"manifest_serial":3,"os_fingerprint":{"composite_hash":"d","uname_release":"e"}}`, map[string]any{"composite_hash": "d", "manifest_serial": int64(3)}},
		{`{"inputs":[{"uname_release":"c"}],"os_fingerprint":"composite_hash"}`, nil},
		{`{"deep":{"reason":"no","x":[{"path":"no"}]},"op":"copy_binary"}`, map[string]any{"op": "copy_binary"}},
	} {
		if got := shown(tt.data); !maps.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.data, got, tt.want)
		}
	}
}

// The columns of every format are the same, in the same order.
func TestColumnsOfParquet(t *testing.T) {
	var names []string
	for _, f := range parquet.SchemaOf(parquetRow{}).Fields() {
		names = append(names, f.Name())
	}
	own := columnNames()
	want := slices.Concat(envelopeColumns(), own[:], []string{"data"})
	want = slices.Insert(want, slices.Index(want, "time")+1, "time_nanos")
	if !slices.Equal(names, want) {
		t.Errorf("got %v\nwant %v", names, want)
	}
}

// FuzzColumns: any payload can be walked, and the members of an object without
// repeated names are those that encoding/json finds.
func FuzzColumns(f *testing.F) {
	for _, s := range []string{`{}`, `{"reason":"a","v":1}`, `{"bytes":1,"inputs":{"uname_release":"x"}}`, `{"a":[{"b":"}"}],"reason":"\\\""}`,
		`{"reason":"`, `{"reason":"\\`, `{"a":[`, `{"a"`, `[`, `{"path":"\u00"}`, `{"os_fingerprint":{`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data string) {
		got, taken := shown(data)["reason"]
		var members map[string]json.RawMessage
		compact := !strings.ContainsAny(data, " \t\r\n") && strings.Count(data, "reason") <= 1 && !strings.Contains(data, `\u`)
		if !compact || !utf8.ValidString(data) || json.Unmarshal([]byte(data), &members) != nil {
			return
		}
		var want string
		isText := strings.HasPrefix(string(members["reason"]), `"`) && json.Unmarshal(members["reason"], &want) == nil
		if taken != isText || taken && got != want {
			t.Errorf("%s: %v, want %q", data, got, want)
		}
	})
}
