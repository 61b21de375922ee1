package docs_test

import (
	"encoding/json"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/replay/explain"
)

// TestFlagCodes: the guide has every flag that a history can be given, and says
// of it what the command says.
func TestFlagCodes(t *testing.T) {
	documented := map[string]string{}
	for _, r := range rows(section(t, operations, "Flags of a history")) {
		if strings.HasPrefix(r[0], "`") {
			documented[strings.Trim(r[0], "`")] = strings.ReplaceAll(r[2], "`", "")
		}
	}
	if has := explain.Flags(); len(has) < 20 || !slices.Equal(has, slices.Sorted(maps.Keys(documented))) {
		t.Errorf("%s has %q, the code %q", operations, slices.Sorted(maps.Keys(documented)), has)
	}
	for code, text := range documented {
		if text != explain.Meaning(code) {
			t.Errorf("%s says of %s %q, the code %q", operations, code, text, explain.Meaning(code))
		}
	}
}

// TestReplayMembersScript: what replay prints has the members that the page
// describes, and no other.
func TestReplayMembersScript(t *testing.T) {
	s, root := node(t)
	must(t, s, "edgectl drill --reason test && edged precheck --log-level error")
	must(t, s, ": >"+root+"/bootstrap/os_fingerprint.json && mv "+root+"/runtime/manifest.json.sig sig")
	must(t, s, "for i in 1 2 3; do edged precheck --log-level error 2>/dev/null; [ $? = 5 ] || exit 9; done")
	for _, tt := range []struct{ section, command string }{
		{"journal show --json", "edgectl journal show 1 --json"},
		{"replay --json", "edgectl replay --at epoch:1 --json --out then"},
		{"replay diff --json", "edgectl replay diff epoch:0 seq:12 --json"},
		{"replay explain --json", "edgectl replay explain --json"},
	} {
		out := must(t, s, tt.command)
		var found any
		if err := json.Unmarshal([]byte(out), &found); err != nil {
			t.Fatalf("$ %s\n%s%v", tt.command, out, err)
		}
		documented := section(t, formats, tt.section)
		if tt.section == "journal show --json" {
			documented += section(t, formats, "replay --json") // its states
		}
		everyMember(t, tt.command, documented, found)
	}
}

// everyMember: each member, however deep, is named. What a record holds is
// described with the records.
func everyMember(t *testing.T, command, documented string, found any) {
	t.Helper()
	switch v := found.(type) {
	case map[string]any:
		for name, member := range v {
			if !strings.Contains(documented, "`"+name+"`") {
				t.Errorf("%s: of %s, member %q is not described", formats, command, name)
			}
			if name != "record" {
				everyMember(t, command, documented, member)
			}
		}
	case []any:
		for _, e := range v {
			everyMember(t, command, documented, e)
		}
	}
}

// TestOpensslScript types the guide's check of an epoch's signature.
func TestOpensslScript(t *testing.T) {
	for _, tool := range []string{"jq", "base64", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("not checked: %s is not installed", tool)
		}
	}
	s, _ := node(t)
	must(t, s, "edgectl drill --reason test && edged precheck --log-level error")
	must(t, s, "edgectl replay --at epoch:1 --out then")
	said := ""
	for _, b := range readBlocks(t, operations) {
		if b.kind() == "sh" && slices.ContainsFunc(b.lines, func(l string) bool { return strings.Contains(l, "openssl") }) {
			for _, l := range b.lines {
				said += must(t, s, l)
			}
		}
	}
	if !strings.Contains(said, "Verified Successfully") {
		t.Errorf("openssl says %q", said)
	}
	must(t, s, "printf ' ' >>then/epochs/1/manifest.json")
	if out, err := s.run("openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in then/epochs/1/manifest.json -sigfile then/epochs/1/manifest.json.sig"); err == nil {
		t.Errorf("another manifest verifies too: %s", out)
	}
}
