// These tests type every command of the documentation and hold what it says
// against the code.
package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// block is a fenced block. Info is the text after the opening fence.
type block struct {
	info  []string
	lines []string
	line  int // of the first line, from 1
}

// kind is the block's language, "" for none.
func (b block) kind() string {
	if len(b.info) == 0 {
		return ""
	}
	return b.info[0]
}

// has reports whether word follows the language.
func (b block) has(word string) bool {
	return len(b.info) > 1 && b.info[1] == word
}

// step is a typed command with the output that the document promises.
type step struct {
	command string
	output  string // "" or lines, each ended
	line    int
}

// steps splits a console block. Lines that begin with "$ " are typed, "> "
// continues one, what follows is output.
func (b block) steps() ([]step, error) {
	var steps []step
	for i, l := range b.lines {
		command, typed := strings.CutPrefix(l, "$ ")
		more, continued := strings.CutPrefix(l, "> ")
		switch {
		case typed:
			steps = append(steps, step{command: command, line: b.line + i})
		case len(steps) == 0:
			return nil, fmt.Errorf("line %d: output without a command", b.line+i)
		case continued && steps[len(steps)-1].output == "":
			steps[len(steps)-1].command += "\n" + more
		default:
			steps[len(steps)-1].output += l + "\n"
		}
	}
	return steps, nil
}

// blocks finds the fenced blocks of a document.
func blocks(text string) ([]block, error) {
	var all []block
	var open *block
	for i, l := range strings.Split(text, "\n") {
		info, fence := strings.CutPrefix(l, "```")
		switch {
		case fence && open == nil:
			open = &block{info: strings.Fields(info), line: i + 2}
		case fence:
			all, open = append(all, *open), nil
		case open != nil:
			open.lines = append(open.lines, l)
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: the block is never closed", open.line-1)
	}
	return all, nil
}

// prose is the document without its fenced blocks.
func prose(text string) string {
	var out []string
	inside := false
	for l := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(l, "```") {
			inside = !inside
			continue
		}
		if !inside {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

// codeSpans are the texts between single backticks.
func codeSpans(text string) []string {
	var spans []string
	for l := range strings.SplitSeq(text, "\n") {
		parts := strings.Split(l, "`")
		for i := 1; i < len(parts)-1; i += 2 {
			spans = append(spans, parts[i])
		}
	}
	return spans
}

// read is a file's text; name is relative to the module's root.
func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func readBlocks(t *testing.T, name string) []block {
	t.Helper()
	all, err := blocks(read(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return all
}

func TestSteps(t *testing.T) {
	all, err := blocks("text\n```console terminal\n$ a b\n$ c <<X\n> in\n> X\nout\n> 2\n```\n")
	if err != nil || len(all) != 1 || !all[0].has("terminal") || all[0].line != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	steps, err := all[0].steps()
	want := []step{{"a b", "", 3}, {"c <<X\nin\nX", "out\n> 2\n", 4}}
	if err != nil || len(steps) != 2 || steps[0] != want[0] || steps[1] != want[1] {
		t.Errorf("%+v, %v", steps, err)
	}
	if _, err := blocks("```sh\nx"); err == nil {
		t.Error("an open block was accepted")
	}
	if _, err := (block{lines: []string{"out"}}).steps(); err == nil {
		t.Error("output without a command was accepted")
	}
}
