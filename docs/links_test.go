package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/journal/record"
)

// documents are the pages whose commands and links are checked, relative to
// the module's root.
func documents(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	all := []string{"README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "deploy/README.md"}
	for _, p := range pages {
		all = append(all, "docs/"+p)
	}
	return all
}

// checkLinks follows the relative links of one document.
func checkLinks(t *testing.T, doc string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(prose(read(t, doc)), -1) {
		target, anchor, _ := strings.Cut(m[1], "#")
		if strings.Contains(target, "://") {
			continue // not ours to keep alive
		}
		name := doc
		if target != "" {
			name = path.Join(path.Dir(doc), target)
		}
		info, err := os.Stat(filepath.Join("..", filepath.FromSlash(name)))
		if err != nil {
			t.Errorf("%s links to %s: %v", doc, m[1], err)
			continue
		}
		if anchor != "" && (info.IsDir() || !slices.Contains(anchors(read(t, name)), anchor)) {
			t.Errorf("%s links to %s, where no heading has that name", doc, m[1])
		}
	}
}

// entry is any event.
func entry() record.Entry {
	id := uuid.MustParse("019a2b4c-71d2-7000-8000-000000000001")
	return record.Entry{ID: id, Type: "T", Time: time.Unix(1, 0), BootID: id.String(), Run: id.String(), Node: "n", Data: []byte(`{}`)}
}
