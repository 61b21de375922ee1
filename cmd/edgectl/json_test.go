package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

// json CODE ARGS…: edgectl ARGS --json ends with this code, and prints no null
// where the schemas have a list, or have no null.
func printsJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: json CODE ARGS…")
	}
	cmd, _, err := root(&env{}).Find(args[1:])
	ts.Check(err)
	ts.Setenv("PRINTED", ts.Getenv("PRINTED")+cmd.CommandPath()+"\n")
	exits(ts, false, slices.Concat([]string{args[0], "edgectl"}, args[1:], []string{"--json"}))
	lists, nulls := schemaMembers(ts)
	out := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	n := 0
	for ; out.More(); n++ {
		var v any
		ts.Check(out.Decode(&v))
		noNullList(ts, "", v, lists, nulls)
	}
	if n == 0 {
		ts.Fatalf("nothing is printed")
	}
}

func noNullList(ts *testscript.TestScript, at string, v any, lists, nulls map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if name == "record" || name == "data" && v["prev"] != nil {
				continue // the exact bytes of a record
			}
			if member == nil && (lists[name] || !nulls[name]) {
				ts.Fatalf("%s.%s is null", at, name)
			}
			noNullList(ts, at+"."+name, member, lists, nulls)
		}
	case []any:
		for _, element := range v {
			if element == nil {
				ts.Fatalf("%s has a null", at)
			}
			noNullList(ts, at+"[]", element, lists, nulls)
		}
	}
}

// schemaMembers returns the names of the members that are lists in any schema of
// what is printed, and of those that may be null.
func schemaMembers(ts *testscript.TestScript) (lists, nulls map[string]bool) {
	lists, nulls = map[string]bool{}, map[string]bool{}
	files, err := filepath.Glob("../../docs/schemas/*.json")
	ts.Check(err)
	for _, file := range files {
		if filepath.Base(file) == "record.schema.json" {
			continue // of stored bytes, which do not change
		}
		data, err := os.ReadFile(file)
		ts.Check(err)
		var schema any
		ts.Check(json.Unmarshal(data, &schema))
		collectMembers(ts, schema, lists, nulls)
	}
	if len(lists) == 0 || len(nulls) == 0 {
		ts.Fatalf("no schemas")
	}
	return lists, nulls
}

func collectMembers(ts *testscript.TestScript, schema any, lists, nulls map[string]bool) {
	switch s := schema.(type) {
	case map[string]any:
		properties, _ := s["properties"].(map[string]any)
		for name, member := range properties {
			types := schemaTypes(member)
			if slices.Contains(types, "array") && slices.Contains(types, "null") {
				ts.Fatalf("a schema allows null for the list %s", name)
			}
			lists[name] = lists[name] || slices.Contains(types, "array")
			nulls[name] = nulls[name] || slices.Contains(types, "null")
		}
		for _, member := range s {
			collectMembers(ts, member, lists, nulls)
		}
	case []any:
		for _, element := range s {
			collectMembers(ts, element, lists, nulls)
		}
	}
}

// schemaTypes lists the types that a schema names, also as one of several.
func schemaTypes(schema any) (types []string) {
	s, _ := schema.(map[string]any)
	switch t := s["type"].(type) {
	case string:
		types = append(types, t)
	case []any:
		for _, name := range t {
			types = append(types, name.(string))
		}
	}
	either, _ := s["anyOf"].([]any)
	for _, one := range either {
		types = append(types, schemaTypes(one)...)
	}
	return types
}

// alljson: each command that has --json was run by json.
func allPrintJSON(ts *testscript.TestScript, _ bool, _ []string) {
	all := map[string]bool{}
	var collect func(*cobra.Command)
	collect = func(cmd *cobra.Command) {
		if cmd.Flags().Lookup("json") != nil {
			all[cmd.CommandPath()] = true
		}
		for _, c := range cmd.Commands() {
			collect(c)
		}
	}
	collect(root(&env{}))
	for path := range strings.Lines(ts.Getenv("PRINTED")) {
		delete(all, strings.TrimSpace(path))
	}
	if len(all) > 0 {
		ts.Fatalf("not run: %s", slices.Sorted(maps.Keys(all)))
	}
}
