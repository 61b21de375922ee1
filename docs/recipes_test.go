package docs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// found is the situation of each recipe's reader, as commands that bring
// a node there. It is at epoch 1, under the key keys/manifest-verify.key.
var found = map[string]string{
	"Will the next boot pass?": "rm state/runtime/manifest.json.sig",
	"The journal is damaged": `cp -a state/journal older
edged precheck
rm -r state/journal
mv older state/journal`,
	"The manifest key is to be changed":         "",
	"The manifest key is lost":                  "rm -r keys",
	"The clock ran away":                        "",
	"The certificate is to be renewed":          "",
	"Does this node come back after an update?": "",
	"The node has another name":                 "",
	"What happened on this node?":               "",
	"The history is to be read elsewhere":       "",
	"An auditor asks for the history":           "",
	"Checkpoints are to be kept off the node":   "",
	"The checkpoint key is to be changed":       "",
	"An older copy of the partition was put back": `cp -a state backup
edged precheck
edgectl journal checkpoint >kept.checkpoint`,
}

// needs are the tools of a recipe that not every machine has.
var needs = map[string][]string{"The certificate is to be renewed": {"openssl"},
	"An auditor asks for the history": {"tar", "zstd", "b3sum", "jq", "openssl"}}

// aNode is a node at epoch 1. There is no systemd here: its word for starting
// the gate starts the gate.
const aNode = `edgectl init state --demo --node depot-4
mv state/demo keys && mkdir state/demo && cp keys/* state/demo/
export EDGE_CONFIG=$PWD/state/bootstrap/config.yaml EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1
systemctl() { [ "$*" = "restart edged-precheck.service" ] && edged precheck; }
edged precheck
edgectl drill --reason "an epoch"
edged precheck
edgectl journal verify --deep`

// TestRecipes follows each recipe of the operator's guide, and leaves a node
// that boots in silence and whose history is whole.
func TestRecipes(t *testing.T) {
	scripts := t.TempDir()
	followed := map[string]bool{}
	for part := range strings.SplitSeq(section(t, operations, "Recipes"), "\n### ") {
		title, text, _ := strings.Cut(part, "\n")
		commands := recipe(t, text)
		if len(commands) == 0 {
			continue
		}
		before, known := found[title]
		if !known {
			t.Errorf("%s has the recipe %q, and no test says what its reader finds", operations, title)
			continue
		}
		followed[title] = true
		var s typed
		for _, tool := range needs[title] {
			s.lines += "[!exec:" + tool + "] skip 'not followed: " + tool + " is not installed'\n"
		}
		prepared := strings.Split(strings.TrimSpace(aNode+"\n"+before), "\n")
		for i, command := range slices.Concat(prepared, commands, []string{"edged precheck"}) {
			s.command(title, i+1, exiting(command))
		}
		s.lines += "! stdout .\n"
		s.command(title, 0, "edgectl journal verify --deep")
		s.write(t, scripts, strings.ReplaceAll(strings.Trim(title, "?"), " ", "-"))
	}
	for title := range found {
		if !followed[title] {
			t.Errorf("%s has no recipe %q: remove it here", operations, title)
		}
	}
	runTyped(t, scripts, binaries(t), nil)
}

// recipe are the commands of a text's recipe blocks.
func recipe(t *testing.T, text string) (commands []string) {
	t.Helper()
	all, err := blocks(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		if b.kind() == "sh" && b.has("recipe") {
			commands = append(commands, b.lines...)
		}
	}
	return commands
}

// exiting makes a command that is to exit as a comment after it says exit 0.
func exiting(command string) string {
	if code := regexp.MustCompile(`    # exit (\d+)$`).FindStringSubmatch(command); code != nil {
		return command + "\n[ $? = " + code[1] + " ]"
	}
	return command
}
