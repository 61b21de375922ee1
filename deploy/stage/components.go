package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// component is an element of a CycloneDX list.
type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl"`
	Licenses   []any      `json:"licenses,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// components writes what is linked into the binaries: a list in CycloneDX, and
// the licenses. Both are taken from the binaries themselves, as go version -m
// shows them.
func (s *stage) components() error {
	linked := map[debug.Module][]string{} // the binaries that a module is in
	var self debug.Module
	for _, name := range s.binaries() {
		info, err := buildinfo.ReadFile(filepath.Join(s.bin, name))
		if err != nil {
			return fmt.Errorf("read what %s is built from: %w", name, err)
		}
		self = info.Main
		std := debug.Module{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")}
		linked[std] = append(linked[std], name)
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			plain := debug.Module{Path: m.Path, Version: m.Version}
			linked[plain] = append(linked[plain], name)
		}
	}
	modules := make([]debug.Module, 0, len(linked))
	for m := range linked {
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b debug.Module) int { return strings.Compare(a.Path, b.Path) })

	list := make([]component, 0, len(modules))
	for _, m := range modules {
		c := newComponent("library", m)
		for _, name := range linked[m] {
			c.Properties = append(c.Properties, property{"edged:binary", name})
		}
		list = append(list, c)
	}
	if s.debian != "" {
		self.Version = s.debian
	}
	product := newComponent("application", self)
	product.Licenses = []any{map[string]any{"license": map[string]string{"id": "Apache-2.0"}}}
	bom, err := json.MarshalIndent(map[string]any{
		"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
		"metadata":   map[string]any{"timestamp": s.time.Format(time.RFC3339), "component": product},
		"components": list,
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := s.write(s.docDir()+"/sbom.cdx.json", append(bom, '\n'), 0o644); err != nil {
		return err
	}
	licenses, err := licensesOf(modules)
	if err != nil {
		return err
	}
	return s.writeGzip(s.docDir()+"/third-party-licenses.txt", licenses)
}

func newComponent(kind string, m debug.Module) component {
	purl := "pkg:golang/" + m.Path + "@" + strings.ReplaceAll(m.Version, "+", "%2B")
	return component{Type: kind, Ref: purl, Name: m.Path, Version: m.Version, PURL: purl}
}

// licensesOf returns the license texts of the modules: those who pass the
// binaries on must pass these on.
func licensesOf(modules []debug.Module) ([]byte, error) {
	// Not of all modules: that would need the go.mod of some that nothing here uses.
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Dir}}{{end}}", "./cmd/...").Output()
	if err != nil {
		return nil, fmt.Errorf("find the modules' folders: go list: %w", err)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("find Go's folder: go env: %w", err)
	}
	folders := map[string]string{"std": strings.TrimSpace(string(root))}
	for line := range strings.Lines(string(out)) {
		name, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		folders[name] = dir
	}
	form := regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|unlicense)`)
	var b bytes.Buffer
	for _, m := range modules {
		entries, err := os.ReadDir(folders[m.Path])
		if err != nil {
			return nil, fmt.Errorf("find the license of %s: %w", m.Path, err)
		}
		found := false
		for _, e := range entries {
			if !form.MatchString(e.Name()) || e.IsDir() {
				continue
			}
			text, err := os.ReadFile(filepath.Join(folders[m.Path], e.Name()))
			if err != nil {
				return nil, err
			}
			found = true
			fmt.Fprintf(&b, "==== %s %s: %s\n\n%s\n\n", m.Path, m.Version, e.Name(), bytes.TrimSpace(text))
		}
		if !found {
			return nil, fmt.Errorf("%s has no license file in %s", m.Path, folders[m.Path])
		}
	}
	return b.Bytes(), nil
}
