package manifest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

const hash64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// op gives a manifest with one operation that has these members beside the
// required ones.
func op(members string) string {
	return `{"version":"1","operations":[{"op":"copy_binary","src":"a","dst":"b"` + members + `}]}`
}

// top gives a manifest without operations that has these members besides.
func top(members string) string { return `{"version":"1","operations":[]` + members + `}` }

func TestParse(t *testing.T) {
	serial, from := int64(7), int64(maxWhole)
	until := time.Date(2027, 1, 2, 3, 4, 5, 600e6, time.UTC)
	tests := []struct {
		in   string
		want Manifest
	}{
		{top(""), Manifest{Version: "1", Operations: []Operation{}}},
		{" \n" + top("") + "\t\r\n", Manifest{Version: "1", Operations: []Operation{}}},
		{top(`,"binary_path":"dir/edged","serial":7,"allow_rollback_from":9007199254740991,"not_after":"2027-01-02T03:04:05.6Z"`),
			Manifest{Version: "1", Operations: []Operation{}, BinaryPath: "dir/edged", Serial: &serial, AllowRollbackFrom: &from, NotAfter: &until}},
		{op(`,"blake3":"` + hash64 + `","mode":"0750"`),
			Manifest{Version: "1", Operations: []Operation{{CopyBinary, "a", "b", hash64, "0750"}}}},
		{`{"operations":[{"dst":"\u0062","src":"a","op":"install_config"}],"version":"\u0031"}`,
			Manifest{Version: "1", Operations: []Operation{{Op: InstallConfig, Src: "a", Dst: "b"}}}},
	}
	for _, tt := range tests {
		m, err := Parse([]byte(tt.in))
		if err != nil || !reflect.DeepEqual(*m, tt.want) {
			t.Errorf("%s\ngives %+v, %v", tt.in, m, err)
		}
		if problems := Lint([]byte(tt.in)); len(problems) != 0 {
			t.Errorf("%s: %v", tt.in, problems)
		}
	}
	if m, err := Parse([]byte(top(""))); err != nil || m.Binary() != DefaultBinary {
		t.Error(err)
	}
	if m, err := Parse([]byte(top(`,"binary_path":"x"`))); err != nil || m.Binary() != "x" {
		t.Error(err)
	}
	if m, err := Parse([]byte(top(`,"serial":0`))); err != nil || m.Serial == nil || *m.Serial != 0 {
		t.Error("serial 0 is a serial:", err)
	}
}

func TestParseRefuses(t *testing.T) {
	many := strings.Repeat(`{"op":"copy_binary","src":"a","dst":"b"},`, MaxOperations+1)
	tests := []struct {
		name, in, where, says string
	}{
		{"empty", "", "", "no JSON"},
		{"white space", " \n", "", "no JSON"},
		{"null", "null", "", "null, want an object"},
		{"array", "[]", "", "an array, want an object"},
		{"string", `"x"`, "", "a string, want an object"},
		{"true", `true`, "", "a boolean, want an object"},
		{"byte order mark", "\ufeff" + top(""), "", "at byte 0"},
		{"torn", `{"version":"1","operations":[`, "/operations", "unexpected EOF"},
		{"torn in a name", `{"vers`, "", "unexpected EOF"},
		{"trailing object", top("") + "{}", "", "data behind"},
		{"trailing letter", top("") + "x", "", "invalid character 'x'"},
		{"trailing zero", top("") + "\x00", "", "invalid character"},
		{"comment", "/**/" + top(""), "", "invalid character"},
		{"trailing comma", `{"version":"1","operations":[],}`, "", "invalid"},
		{"single quotes", `{'version':'1'}`, "", "invalid"},
		{"NaN", top(`,"serial":NaN`), "", "invalid"},
		{"invalid UTF-8", `{"version":"1","operations":[{"op":"copy_binary","src":"` + "\xff" + `","dst":"b"}]}`, "", "UTF-8"},
		{"lone surrogate", `{"version":"\ud800","operations":[]}`, "", "surrogate"},
		{"control character", "{\"version\":\"1\n\"}", "", "invalid"},
		{"deep nesting", top(`,"x":` + strings.Repeat("[", 11000) + strings.Repeat("]", 11000)), "", "depth"},
		{"too large", top(`,"x":"` + strings.Repeat("a", MaxBytes) + `"`), "", "the limit is 32768"},

		{"no version", `{"operations":[]}`, "/version", "missing"},
		{"version null", `{"version":null,"operations":[]}`, "/version", "null, want a string"},
		{"version number", `{"version":1,"operations":[]}`, "/version", "a number, want a string"},
		{"version 2", `{"version":"2","operations":[]}`, "/version", "want \"1\""},
		{"version 1.0", `{"version":"1.0","operations":[]}`, "/version", "want \"1\""},
		{"version empty", `{"version":"","operations":[]}`, "/version", "empty"},
		{"unknown", top(`,"extra":{"a":[1]}`), "/extra", "unknown member"},
		{"case", top(`,"Serial":1`), "/Serial", "unknown member"},
		{"case of required", `{"Version":"1","operations":[]}`, "/version", "missing"},
		{"slash in a name", top(`,"a/b~c":1`), "/a~1b~0c", "unknown member"},
		{"duplicate", top(`,"version":"1"`), "/version", "twice"},
		{"duplicate by escape", top(`,"\u0076ersion":"1"`), "/version", "twice"},
		{"duplicate operations", top(`,"operations":[]`), "/operations", "twice"},
		{"duplicate unknown", top(`,"x":1,"x":1`), "/x", "twice"},

		{"no operations", `{"version":"1"}`, "/operations", "missing"},
		{"operations null", `{"version":"1","operations":null}`, "/operations", "null, want an array"},
		{"operations object", `{"version":"1","operations":{}}`, "/operations", "an object, want an array"},
		{"operation null", `{"version":"1","operations":[null]}`, "/operations/0", "null, want an object"},
		{"operation string", `{"version":"1","operations":["rm"]}`, "/operations/0", "a string, want an object"},
		{"129 operations", `{"version":"1","operations":[` + strings.TrimSuffix(many, ",") + `]}`, "/operations", "129 operations, the limit is 128"},

		{"no op", `{"version":"1","operations":[{"src":"a","dst":"b"}]}`, "/operations/0/op", "missing"},
		{"no src", `{"version":"1","operations":[{"op":"copy_binary","dst":"b"}]}`, "/operations/0/src", "missing"},
		{"no dst", `{"version":"1","operations":[{"op":"copy_binary","src":"a"}]}`, "/operations/0/dst", "missing"},
		{"src empty", `{"version":"1","operations":[{"op":"copy_binary","src":"","dst":"b"}]}`, "/operations/0/src", "empty"},
		{"dst null", `{"version":"1","operations":[{"op":"copy_binary","src":"a","dst":null}]}`, "/operations/0/dst", "null, want a string"},
		{"unknown op", `{"version":"1","operations":[{"op":"exec","src":"a","dst":"b"}]}`, "/operations/0/op", `"exec" is not an operation`},
		{"op case", `{"version":"1","operations":[{"op":"Copy_Binary","src":"a","dst":"b"}]}`, "/operations/0/op", "is not an operation"},
		{"unknown member of op", op(`,"args":["-rf"]`), "/operations/0/args", "unknown member"},
		{"case in op", op(`,"Dst":"c"`), "/operations/0/Dst", "unknown member"},
		{"duplicate in op", op(`,"dst":"c"`), "/operations/0/dst", "twice"},

		{"blake3 null", op(`,"blake3":null`), "/operations/0/blake3", "null, want a string"},
		{"blake3 empty", op(`,"blake3":""`), "/operations/0/blake3", "empty"},
		{"blake3 short", op(`,"blake3":"` + hash64[:62] + `"`), "/operations/0/blake3", "64 lower-case hex"},
		{"blake3 odd", op(`,"blake3":"` + hash64[:63] + `"`), "/operations/0/blake3", "64 lower-case hex"},
		{"blake3 upper", op(`,"blake3":"` + strings.ToUpper(hash64) + `"`), "/operations/0/blake3", "64 lower-case hex"},
		{"blake3 prefixed", op(`,"blake3":"b3:` + hash64[:61] + `"`), "/operations/0/blake3", "64 lower-case hex"},
		{"mode null", op(`,"mode":null`), "/operations/0/mode", "null, want a string"},
		{"mode number", op(`,"mode":755`), "/operations/0/mode", "a number, want a string"},
		{"mode empty", op(`,"mode":""`), "/operations/0/mode", "empty"},
		{"setuid", op(`,"mode":"4755"`), "/operations/0/mode", "setuid"},
		{"binary_path null", top(`,"binary_path":null`), "/binary_path", "null, want a string"},
		{"binary_path empty", top(`,"binary_path":""`), "/binary_path", "empty"},

		{"not_after null", top(`,"not_after":null`), "/not_after", "null, want a string"},
		{"not_after date", top(`,"not_after":"2027-01-01"`), "/not_after", "RFC 3339"},
		{"not_after hour", top(`,"not_after":"2027-01-01T1:00:00Z"`), "/not_after", "RFC 3339"},
		{"not_after comma", top(`,"not_after":"2027-01-01T01:00:00,5Z"`), "/not_after", "RFC 3339"},
		{"not_after local", top(`,"not_after":"2027-01-01T01:00:00"`), "/not_after", "RFC 3339"},
		{"not_after zone", top(`,"not_after":"2027-01-01T01:00:00+25:00"`), "/not_after", "RFC 3339"},
		{"not_after day", top(`,"not_after":"2027-02-30T01:00:00Z"`), "/not_after", "RFC 3339"},
		{"not_after unix", top(`,"not_after":1893456000`), "/not_after", "a number, want a string"},
		{"not_after empty", top(`,"not_after":""`), "/not_after", "empty"},
	}
	for _, v := range []string{"1.0", "1e3", "-1", "-0", "0.5", "9007199254740992", "1e400", "18446744073709551616", strings.Repeat("9", 60)} {
		for _, member := range []string{"serial", "allow_rollback_from"} {
			tests = append(tests, struct{ name, in, where, says string }{member + " " + v, top(`,"` + member + `":` + v), "/" + member, "is not a whole number"})
		}
	}
	for _, v := range []string{"null", `"1"`, "true", "[1]", "{}"} {
		tests = append(tests, struct{ name, in, where, says string }{"serial " + v, top(`,"serial":` + v), "/serial", "want a whole number"})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Parse([]byte(tt.in))
			if m != nil || !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Parse gives %v, %v; want %q", m, err, tt.says)
			}
			for _, p := range Lint([]byte(tt.in)) {
				if strings.Contains(p.Reason, tt.says) && (tt.where == "" || p.Where == tt.where) {
					return
				}
			}
			t.Errorf("Lint gives %q, want %q at %s", Lint([]byte(tt.in)), tt.says, tt.where)
		})
	}
}

// TestLintTellsEverything: one run names every problem, each at its place.
func TestLintTellsEverything(t *testing.T) {
	in := `{"version":"3","extra":1,"serial":1.5,"serial":2,"not_after":"soon","binary_path":7,
		"operations":[null,{"op":"exec","src":"","blake3":"x","mode":"7777","who":"me"},{"op":"copy_binary","src":"a","dst":"b","dst":"c"}]} x`
	var where []string
	for _, p := range Lint([]byte(in)) {
		where = append(where, p.Where)
	}
	want := []string{"/version", "/extra", "/serial", "/serial", "/not_after", "/binary_path", "/operations/0",
		"/operations/1/op", "/operations/1/src", "/operations/1/blake3", "/operations/1/mode", "/operations/1/who",
		"/operations/1/dst", "/operations/2/dst", ""}
	if !reflect.DeepEqual(where, want) {
		t.Errorf("reported were\n%q, want\n%q", where, want)
	}
	_, err := Parse([]byte(in))
	if got := fmt.Sprint(err); !strings.Contains(got, "/version: \"3\"") || !strings.Contains(got, "and 7 more") {
		t.Error(got)
	}
	if p := (Problem{"/a", "b"}); p.String() != "/a: b" {
		t.Error(p.String())
	}
}

// TestErrorsStaySmall: what is quoted from a manifest is cut, between characters.
func TestErrorsStaySmall(t *testing.T) {
	long := strings.Repeat("ü", 5000)
	for _, in := range []string{
		top(`,"` + long + `":1`), top(`,"not_after":"` + long + `"`), op(`,"mode":"` + long + `"`),
		`{"version":"` + long + `","operations":[]}`, `{"version":"1","operations":[{"op":"` + long + `","src":"a","dst":"b"}]}`,
		top(`,"serial":` + strings.Repeat("1", 5000)),
	} {
		if _, err := Parse([]byte(in)); err == nil || len(err.Error()) > 400 || strings.ContainsRune(err.Error(), '\ufffd') || strings.Contains(err.Error(), `\x`) {
			t.Error(err)
		}
	}
	members := ""
	for i := range 1500 {
		members += fmt.Sprintf(`,"x%d":1`, i)
	}
	if _, err := Parse([]byte(top(members))); err == nil || len(err.Error()) > 1000 {
		t.Error(err)
	}
	if problems := Lint([]byte(top(members))); len(problems) != 1500 {
		t.Error(len(problems))
	}
}

func TestParseMode(t *testing.T) {
	for in, want := range map[string]uint32{"0750": 0o750, "755": 0o755, "0640": 0o640, "00600": 0o600, "0000": 0, "0775": 0o775} {
		if got, err := ParseMode(in); err != nil || got != want {
			t.Errorf("%s gives %o, %v", in, got, err)
		}
	}
	for in, says := range map[string]string{
		"": "octal", "0": "octal", "64": "octal", "0789": "octal", "0x1f": "octal", "+750": "octal", "-750": "octal", "0o75": "octal",
		" 755": "octal", "000755": "octal", "rwx": "octal", "7_5": "octal", "99999999999999999999": "octal",
		"4755": "setuid", "2755": "setuid", "1755": "setuid", "07777": "setuid", "10755": "setuid", "77777": "setuid",
	} {
		if _, err := ParseMode(in); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", in, err, says)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	for _, in := range []string{
		"", "null", "{}", top(""), op(`,"blake3":"` + hash64 + `","mode":"0750"`), op(`,"dst":"c"`),
		top(`,"serial":1,"allow_rollback_from":2,"not_after":"2027-01-01T00:00:00Z","binary_path":"x"`),
		`{"version":"1","operations":[[[[]]]]}`, top(`,"serial":-0`), `{"version":"1"`,
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data)
		if problems := Lint(data); (err == nil) != (len(problems) == 0) || (err == nil) == (m == nil) {
			t.Fatal(m, err, problems)
		}
		if err != nil {
			if !errors.Is(err, ErrMalformed) || len(err.Error()) > 4<<10 {
				t.Fatal(err)
			}
			return
		}
		if m.Version != "1" || len(m.Operations) > MaxOperations || len(data) > MaxBytes {
			t.Fatalf("%+v", m)
		}
		for _, n := range []*int64{m.Serial, m.AllowRollbackFrom} {
			if n != nil && (*n < 0 || *n > maxWhole) {
				t.Fatal(*n)
			}
		}
		for _, o := range m.Operations {
			if o.Src == "" || o.Dst == "" || o.Op != CopyBinary && o.Op != InstallConfig || o.BLAKE3 != "" && len(o.BLAKE3) != 64 {
				t.Fatalf("%+v", o)
			}
		}
	})
}
