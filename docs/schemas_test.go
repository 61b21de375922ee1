package docs_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/doctor"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/status"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
	"github.com/autonomyops/edged/replay/explain"
)

const schemas = "docs/schemas"

// schema is a JSON schema, or a part of one.
type schema map[string]any

// readSchema reads one, in which $ref may name a definition or another file.
func readSchema(t *testing.T, name string) schema {
	t.Helper()
	var s schema
	if err := json.Unmarshal([]byte(read(t, schemas+"/"+name)), &s); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

func (s schema) sub(name string) schema {
	m, _ := s[name].(map[string]any)
	return m
}

// resolve follows references, and takes the other one of "this or null".
func (s schema) resolve(t *testing.T, root schema) (schema, schema) {
	t.Helper()
	if either, ok := s["anyOf"].([]any); ok && len(either) == 2 {
		return schema(either[0].(map[string]any)).resolve(t, root)
	}
	ref, ok := s["$ref"].(string)
	if !ok {
		return s, root
	}
	file, at, _ := strings.Cut(ref, "#")
	if file != "" {
		root = readSchema(t, file)
	}
	found := root
	for part := range strings.SplitSeq(strings.Trim(at, "/"), "/") {
		if part != "" {
			found = found.sub(part)
		}
	}
	if found == nil {
		t.Fatalf("%s leads nowhere", ref)
	}
	return found.resolve(t, root)
}

// same: an object's members, and which of them must be there, are a struct's.
func same(t *testing.T, at string, s, root schema, typ reflect.Type) {
	t.Helper()
	s, root = s.resolve(t, root)
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch {
	case typ.Kind() == reflect.Slice && typ.Elem().Kind() != reflect.Uint8:
		same(t, at+"[]", s.sub("items"), root, typ.Elem())
	case typ.Kind() == reflect.Struct && typ != reflect.TypeFor[time.Time]():
		fields := map[string]reflect.Type{}
		required := structMembers(typ, fields)
		documented := s.sub("properties")
		if !slices.Equal(slices.Sorted(maps.Keys(fields)), slices.Sorted(maps.Keys(documented))) {
			t.Errorf("%s: the schema has the members %q, the code %q", at, slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(fields)))
			return
		}
		var must []string
		for _, name := range s["required"].([]any) {
			must = append(must, name.(string))
		}
		slices.Sort(must)
		if !slices.Equal(must, slices.Sorted(slices.Values(required))) {
			t.Errorf("%s: the schema requires %q, the code always writes %q", at, must, required)
		}
		for name, typ := range fields {
			same(t, at+"."+name, documented.sub(name), root, typ)
		}
	}
}

// structMembers lists a struct's JSON members, and gives those that are always there.
func structMembers(typ reflect.Type, into map[string]reflect.Type) (required []string) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Anonymous {
			required = append(required, structMembers(f.Type, into)...)
			continue
		}
		name, rest, tagged := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || !tagged && name == "" || name == "-" {
			continue
		}
		into[name] = f.Type
		if !strings.Contains(rest, "omitempty") && !strings.Contains(rest, "omitzero") {
			required = append(required, name)
		}
	}
	return required
}

// TestRecordSchema: the schema of records has every kind, with its members.
func TestRecordSchema(t *testing.T) {
	s := readSchema(t, "record.schema.json")
	var kinds []string
	for _, rule := range s["allOf"].([]any) {
		rule := schema(rule.(map[string]any))
		kind := rule.sub("if").sub("properties").sub("type")["const"].(string)
		then := rule.sub("then").sub("properties")
		kinds = append(kinds, kind)
		if crit := then.sub("crit")["const"]; crit != machine.Critical(machine.Kind(kind)) {
			t.Errorf("%s: crit is %v in the schema", kind, crit)
		}
		i := slices.IndexFunc(payloads, func(p machine.Payload) bool { return string(p.Kind()) == kind })
		if i < 0 {
			t.Errorf("the schema has a kind %s, the machine has not", kind)
			continue
		}
		same(t, kind, then.sub("data"), s, reflect.TypeOf(payloads[i]))
	}
	slices.Sort(kinds)
	var known []string
	for _, k := range machine.Kinds() {
		known = append(known, string(k))
	}
	if slices.Sort(known); !slices.Equal(kinds, known) {
		t.Errorf("the schema has the kinds %q, the machine %q", kinds, known)
	}
	var envelope []string
	for name := range s.sub("properties") {
		envelope = append(envelope, name)
	}
	if len(envelope) != 14 || len(s["required"].([]any)) != 14 || s["additionalProperties"] != false {
		t.Errorf("a record has exactly 14 members, the schema %q", envelope)
	}
}

// TestSchemas: the schemas of what is printed have the members of the code.
func TestSchemas(t *testing.T) {
	for name, v := range map[string]any{
		"audit-verify": audit.Report{}, "journal-verify": verify.Report{}, "state": machine.State{}, "status": status.Status{}, "doctor": doctor.Report{},
		"replay-explain": explain.Report{}, "bundle": history.About{}, "hub-status": hub.Fleet{}, "hub-export": hub.Exported{},
		"hub-verify": struct {
			OK       bool          `json:"ok"`
			Records  uint64        `json:"records"`
			Journals []hub.Checked `json:"journals"`
		}{},
		"replay-diff": struct {
			From, To struct{} `json:"-"`
			replay.Difference
		}{},
	} {
		s := readSchema(t, name+".schema.json")
		if strings.HasPrefix(name, "replay-") { // what the command adds to a damaged history
			delete(s.sub("properties"), "incomplete")
		}
		if name == "replay-diff" { // what the command adds
			for _, member := range []string{"from", "to", "same"} {
				if s.sub("properties")[member] == nil {
					t.Errorf("%s: no member %s", name, member)
				}
				delete(s.sub("properties"), member)
				s["required"] = slices.DeleteFunc(s["required"].([]any), func(v any) bool { return v == member })
			}
		}
		same(t, name, s, s, reflect.TypeOf(v))
	}
}

// TestSchemasListed: the formats page names every schema.
func TestSchemasListed(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", schemas, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no schemas")
	}
	text := section(t, formats, "Schemas")
	for _, f := range files {
		if !strings.Contains(text, "(schemas/"+filepath.Base(f)+")") {
			t.Errorf("%s does not name %s", formats, filepath.Base(f))
		}
		if info, err := os.Stat(f); err != nil || info.Size() == 0 {
			t.Errorf("%s is empty: %v", f, err)
		}
	}
}
