package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// pages are the documents for those who run a node. They are installed with the
// folders that they have here, so that links from one to another hold.
func (s *stage) pages() error {
	names := []string{"README.md", "CHANGELOG.md", "SECURITY.md", "deploy/README.md", "deploy/prometheus/edged.rules.yml",
		"deploy/hub/edgehub.service", "deploy/hub/edgehub.env", "deploy/hub/edgehub.sysusers"}
	err := filepath.WalkDir("docs", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "testdata":
			return fs.SkipDir
		case !d.IsDir() && !strings.HasSuffix(name, ".go"):
			names = append(names, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		return err
	}
	installed := map[string]bool{}
	for _, name := range names {
		for at := name; at != "."; at = path.Dir(at) {
			installed[at] = true
		}
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if strings.HasSuffix(name, ".md") {
			data = []byte(relink(name, string(data), installed))
		}
		mode := fs.FileMode(0o644)
		if strings.HasSuffix(name, ".py") {
			mode = 0o755
		}
		if err := s.write(path.Join(s.docDir(), name), data, mode); err != nil {
			return err
		}
	}
	return nil
}

// relink makes links to what is not installed the words that they are on.
func relink(name, text string, installed map[string]bool) string {
	link := regexp.MustCompile(`\[([^\]]+)\]\(([^)#]*)(#[^)]*)?\)`)
	return link.ReplaceAllStringFunc(text, func(whole string) string {
		m := link.FindStringSubmatch(whole)
		target := path.Join(path.Dir(name), m[2])
		if m[2] == "" || strings.Contains(m[2], "://") || installed[target] {
			return whole
		}
		return m[1]
	})
}
