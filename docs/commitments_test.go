package docs_test

import (
	"encoding/json"
	"testing"
)

// TestCommitmentMembersScript: what the commands of a commitment print has the
// members that the page describes, and no other.
func TestCommitmentMembersScript(t *testing.T) {
	s, root := node(t)
	must(t, s, "edgectl journal checkpoint >old.checkpoint && edged precheck")
	for _, command := range []string{
		"edgectl journal prove --seq 1 --json",
		"edgectl journal prove --from old.checkpoint --json",
		"edgectl journal tiles --out tiles --json",
		"edgectl key show " + root + "/identity/journal-sign.pub --json",
	} {
		out := must(t, s, command)
		var found any
		if err := json.Unmarshal([]byte(out), &found); err != nil {
			t.Fatalf("$ %s\n%s%v", command, out, err)
		}
		everyMember(t, command, section(t, formats, "Commitments"), found)
	}
}
