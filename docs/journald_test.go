package docs_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/journald"
)

const journaldPage = "docs/journald.md"

// TestMessageIDs: the page has every message with its identifier. -update adds
// those that are missing; one that is there must not change.
func TestMessageIDs(t *testing.T) {
	messages := map[string]string{}
	for _, dir := range speaking {
		maps.Copy(messages, messagesOf(t, dir))
	}
	table := "| message | `MESSAGE_ID` |\n|---|---|\n"
	for _, m := range slices.Sorted(maps.Keys(messages)) {
		table += fmt.Sprintf("| `%s` | `%s` |\n", m, journald.MessageID(m))
	}
	const begin, end = "<!-- identifiers:begin -->\n", "<!-- identifiers:end -->\n"
	before, rest, begins := strings.Cut(read(t, journaldPage), begin)
	documented, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		t.Fatalf("%s has no place for the identifiers", journaldPage)
	}
	if documented == table {
		return
	}
	if !*update {
		t.Fatalf("%s does not have the identifiers of the messages: go test ./docs -run %s -update, and see that it changes none", journaldPage, t.Name())
	}
	if err := os.WriteFile(filepath.Join("..", journaldPage), []byte(before+begin+table+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
