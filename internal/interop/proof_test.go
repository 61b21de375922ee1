package interop

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
)

// TestInclusionProofs: torchwood reads the proof of every record, and merkle
// verifies the hashes in it; neither takes another record.
func TestInclusionProofs(t *testing.T) {
	n := newNode(t, "jq")
	n.history()
	records, origin := n.records(), n.origin()
	root := merkleRoot(t, records)
	trusted := policy(origin, n.logKey())
	for i, rec := range records {
		n.Sh("edgectl journal prove --seq " + itoa(i+1) + " >proof")
		text := n.file("proof")
		if err := torchwood.VerifyProof(trusted, tlog.RecordHash(rec), text); err != nil {
			t.Fatalf("torchwood, record %d: %v\n%s", i+1, err, text)
		}
		if err := torchwood.VerifyProof(trusted, tlog.RecordHash(records[(i+1)%len(records)]), text); err == nil {
			t.Errorf("torchwood takes another record than %d", i+1)
		}
		head, _, _ := strings.Cut(string(text), "\n\n")
		lines := strings.Split(head, "\n")
		if lines[1] != "index "+itoa(i) {
			t.Errorf("record %d: %q", i+1, lines[1])
		}
		path := decoded(t, lines[2:])
		leaf := rfc6962.DefaultHasher.HashLeaf(rec)
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(i), uint64(len(records)), leaf, path, root[:]); err != nil {
			t.Errorf("merkle, record %d: %v", i+1, err)
		}
		leaf[0] ^= 1
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(i), uint64(len(records)), leaf, path, root[:]); err == nil {
			t.Errorf("merkle takes another record than %d", i+1)
		}
	}
}

// TestConsistencyProofs: merkle verifies that the newest tree continues each
// older one, and does not where either root is another.
func TestConsistencyProofs(t *testing.T) {
	n := newNode(t, "jq")
	n.boot()
	var kept []string
	for i := range 6 {
		name := "old." + itoa(i)
		n.Sh("edgectl journal checkpoint >" + name)
		kept = append(kept, name)
		n.Sh("edgectl drill --reason more && edged precheck && edged precheck")
	}
	records := n.records()
	newest := merkleRoot(t, records)
	for _, name := range kept {
		old, _, err := torchwood.VerifyCheckpoint(n.file(name), policy(n.origin(), n.logKey()))
		if err != nil {
			t.Fatal(err)
		}
		var said struct {
			Journal  string
			Old, New struct {
				Size uint64
				Root string
			}
			Proof []string
		}
		if err := json.Unmarshal([]byte(n.Sh("edgectl journal prove --json --from "+name)), &said); err != nil {
			t.Fatal(err)
		}
		if said.Old.Size != uint64(old.N) || said.Old.Root != old.Hash.String() || said.New.Size != uint64(len(records)) || said.New.Root != newest.String() {
			t.Errorf("%s: %+v", name, said)
		}
		text := n.Sh("edgectl journal prove --from " + name)
		for _, h := range said.Proof {
			if !strings.Contains(text, "\n"+h) {
				t.Errorf("%s: %s is not in the text form", name, h)
			}
		}
		path, from := decoded(t, said.Proof), old.Hash
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(old.N), said.New.Size, path, from[:], newest[:]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		from[0] ^= 1
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(old.N), said.New.Size, path, from[:], newest[:]); err == nil {
			t.Errorf("%s: another root is consistent too", name)
		}
	}
}

func decoded(t testing.TB, lines []string) [][]byte {
	t.Helper()
	out := make([][]byte, len(lines))
	for i, line := range lines {
		var err error
		if out[i], err = base64.StdEncoding.DecodeString(line); err != nil {
			t.Fatal(err)
		}
	}
	return out
}
