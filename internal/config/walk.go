package config

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// section is one top-level key: a mapping of fields, or, if single is set,
// a value of its own.
type section struct {
	name     string
	optional bool
	fields   []field
	single   *field
}

// field is one key of a section. set stores a value, or returns what is wrong
// with it.
type field struct {
	name     string
	optional bool
	set      func(value) string
}

// walker compares a document with the schema table and reports every
// difference.
type walker struct{ report *report }

// entry is one key of a mapping, with its place.
type entry struct {
	key       string
	line, col int
	value     ast.Node
}

func (w *walker) document(root ast.Node, table []section) {
	line, col := place(root.GetToken())
	entries, ok := w.entries(root, "", func(key string) bool {
		for i := range table {
			if table[i].name == key {
				return true
			}
		}
		return false
	})
	if !ok {
		w.report.add(line, col, "", "the document must be a mapping of sections, and is "+describe(root))
		return
	}
	for i := range table {
		s := &table[i]
		e, given := entries[s.name]
		switch {
		case !given && s.optional:
		case !given:
			w.report.add(1, 1, s.name, missingSection(s))
		case s.single != nil:
			w.set(s.name, s.single, e)
		case s.optional && isNull(e.value):
			// `gate:` with all of its keys commented out.
		default:
			w.section(s, e)
		}
	}
}

func missingSection(s *section) string {
	if s.single != nil {
		return "is missing; add it"
	}
	var names []string
	for _, f := range s.fields {
		if !f.optional {
			names = append(names, f.name)
		}
	}
	return "the section is missing; add it with " + strings.Join(names, ", ")
}

func (w *walker) section(s *section, at entry) {
	entries, ok := w.entries(at.value, s.name+".", func(key string) bool {
		for i := range s.fields {
			if s.fields[i].name == key {
				return true
			}
		}
		return false
	})
	if !ok {
		w.report.add(at.line, at.col, s.name, "must be a section of keys, and is "+describe(at.value))
		return
	}
	for i := range s.fields {
		f := &s.fields[i]
		if e, given := entries[f.name]; given {
			w.set(s.name+"."+f.name, f, e)
		} else if !f.optional {
			w.report.add(at.line, at.col, s.name+"."+f.name, "is missing; add it")
		}
	}
}

func (w *walker) set(key string, f *field, e entry) {
	v := valueOf(e.value)
	if v.line == 0 {
		v.line, v.col = e.line, e.col
	}
	if msg := f.set(v); msg != "" {
		w.report.add(v.line, v.col, key, msg)
	}
}

// entries collects the keys of a mapping and reports unknown and repeated
// ones. Of a repeated key the first is used. It returns false if node is no mapping.
func (w *walker) entries(node ast.Node, prefix string, known func(string) bool) (map[string]entry, bool) {
	var pairs []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		return nil, false
	}
	found := make(map[string]entry, len(pairs))
	for _, p := range pairs {
		t := p.Key.GetToken()
		line, col := place(t)
		key := t.Value
		if first, again := found[key]; again {
			w.report.add(line, col, prefix+shownKey(key), "is given twice, first on line "+decimal(first.line)+"; keep one")
			continue
		}
		found[key] = entry{key: key, line: line, col: col, value: p.Value}
		if !known(key) {
			w.report.add(line, col, prefix+shownKey(key), "unknown key; remove it or correct its spelling")
		}
	}
	return found, true
}

// shownKey keeps a stray value out of messages: anything but a short bare word
// is described, not quoted.
func shownKey(key string) string {
	if len(key) > 0 && len(key) <= 48 && bareKey([]byte(key)) {
		return key
	}
	return "(a key of " + decimal(len(key)) + " bytes)"
}
