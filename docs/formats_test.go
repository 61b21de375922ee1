package docs_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// node is a state root that two boots have left, and a shell
// in its folder with the environment of a reader of the pages.
func node(t *testing.T) (shell, string) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("not checked: sh is not installed")
	}
	dir := t.TempDir()
	root := filepath.Join(dir, "state")
	s := shell{dir, append(cleanEnv(binaries(t)), "EDGE_STATE_ROOT="+root,
		"EDGE_CONFIG="+filepath.Join(root, "bootstrap/config.yaml"), "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1")}
	must(t, s, "edgectl init "+root+" --demo")
	must(t, s, "edged precheck --log-level warn && edged precheck")
	return s, root
}

// TestFormatsScript types the page's commands and compares what they give with
// what the files hold.
func TestFormatsScript(t *testing.T) {
	for _, tool := range []string{"b3sum", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("not checked: %s is not installed", tool)
		}
	}
	if _, err := os.Stat("/usr/lib/os-release"); err != nil {
		t.Skip("not checked: there is no /usr/lib/os-release here, and the page's command reads it")
	}
	s, root := node(t)
	var printed []string
	for _, b := range readBlocks(t, formats) {
		if b.kind() == "sh" {
			for _, l := range b.lines {
				hash, _, _ := strings.Cut(strings.TrimSpace(must(t, s, l)), " ")
				printed = append(printed, hash)
			}
		}
	}
	if len(printed) != 4 || len(printed[1]) != 64 || printed[1] != printed[2] {
		t.Errorf("the hash of record 1 and the prev of record 2: %q", printed)
	}
	var file struct {
		CompositeHash string `json:"composite_hash"`
	}
	decode(t, filepath.Join(root, "bootstrap/os_fingerprint.json"), &file)
	if file.CompositeHash == "" || printed[3] != file.CompositeHash {
		t.Errorf("composite_hash is %s, b3sum says %s", file.CompositeHash, printed[3])
	}
}

func decode(t *testing.T, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, data)
	}
}

// TestMembersScript: what the binaries write has the members that the page
// describes, and no other.
func TestMembersScript(t *testing.T) {
	s, root := node(t)
	must(t, s, "edged precheck --ready-file "+root+".ready")
	must(t, s, ": >"+root+"/bootstrap/os_fingerprint.json && edged precheck --log-level error")
	for _, tt := range []struct{ section, file string }{
		{"os_fingerprint.json", root + "/bootstrap/os_fingerprint.json"},
		{"evidence.json", root + "/epoch/current/evidence.json"},
		{"Ready file", root + ".ready"},
		{"Manifest", root + "/runtime/manifest.json"},
	} {
		var found any
		decode(t, tt.file, &found)
		described(t, tt.section, found)
	}
	// Each of these fails on purpose.
	for _, tt := range []struct{ section, command string }{
		{"Dry run", "edged precheck --dry-run --log-format json 2>/dev/null"},
		{"Dry run", "mv $EDGE_STATE_ROOT/tls $EDGE_STATE_ROOT/away; edged precheck --dry-run --log-format json 2>/dev/null; [ $? = 3 ]"},
		{"last_failure.json", "mv $EDGE_STATE_ROOT/journal $EDGE_STATE_ROOT.away; edged precheck 2>/dev/null; [ $? = 2 ] && cat $EDGE_STATE_ROOT/bootstrap/last_failure.json"},
		{"journal verify --json", "edgectl journal verify --json; mv $EDGE_STATE_ROOT.away $EDGE_STATE_ROOT/journal"},
		{"journal verify --json", "edgectl journal verify --json"},
	} {
		out := must(t, s, tt.command)
		var found any
		if err := json.Unmarshal([]byte(out), &found); err != nil {
			if strings.HasPrefix(out, "edgectl: ") {
				continue // nothing there to print a result about
			}
			t.Fatalf("$ %s\n%s%v", tt.command, out, err)
		}
		described(t, tt.section, found)
	}
}

// described: every member is in the page's section. What a record's
// payload holds is described with the payloads.
func described(t *testing.T, heading string, found any) {
	t.Helper()
	text := section(t, formats, heading)
	switch v := found.(type) {
	case map[string]any:
		if len(v) == 0 {
			t.Errorf("%s: nothing to compare", heading)
		}
		for name, member := range v {
			if !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, `"`+name+`"`) {
				t.Errorf("%s, %s: member %q is not described", formats, heading, name)
			}
			if _, nested := member.(map[string]any); name != "data" && nested || name == "events" {
				described(t, heading, member)
			}
		}
	case []any:
		for _, e := range v {
			described(t, heading, e)
		}
	}
}
