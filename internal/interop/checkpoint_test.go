package interop

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// file reads a file of the scratch folder.
func (n *node) file(name string) []byte {
	n.T.Helper()
	data, err := os.ReadFile(filepath.Join(n.Dir, name))
	if err != nil {
		n.T.Fatal(err)
	}
	return data
}

// records are the exact bytes of every record.
func (n *node) records() [][]byte {
	n.T.Helper()
	n.Sh("edgectl journal export --format jsonl --out records.jsonl")
	return bytes.Split(bytes.TrimSuffix(n.file("records.jsonl"), []byte("\n")), []byte("\n"))
}

// public is the node's checkpoint key as the file has it.
func (n *node) public() note.Verifier {
	n.T.Helper()
	return n.verifier(string(n.file("state/identity/journal-sign.pub")))
}

func (n *node) verifier(vkey string) note.Verifier {
	n.T.Helper()
	v, err := note.NewVerifier(strings.TrimSpace(vkey))
	if err != nil {
		n.T.Fatal(err)
	}
	return v
}

// logKey is the node's checkpoint key as software that reads logs wants it:
// under the name of the origin, which docs/formats.md says how to make.
func (n *node) logKey() note.Verifier {
	n.T.Helper()
	return n.verifier(named(n.T, n.origin(), string(n.file("state/identity/journal-sign.pub"))))
}

// named is the text of a public key under another name.
func named(t testing.TB, name, vkey string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(strings.SplitN(strings.TrimSpace(vkey), "+", 3)[2])
	if err != nil || len(raw) != 33 {
		t.Fatal(vkey, err)
	}
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	return fmt.Sprintf("%s+%x+%s", name, sum[:4], base64.StdEncoding.EncodeToString(raw))
}

// origin is what a checkpoint of this journal begins with.
func (n *node) origin() string { return "edged/" + n.Sh("edgectl journal head | jq -r .journal") }

// policy asks for this origin and a signature by this key.
func policy(origin string, v note.Verifier) torchwood.Policy {
	return torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(origin), torchwood.SingleVerifierPolicy(v))
}

// merkleRoot is the root over all records, made by tlog alone.
func merkleRoot(t testing.TB, records [][]byte) tlog.Hash {
	t.Helper()
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, at := range indexes {
			out[i] = stored[at]
		}
		return out, nil
	})
	for i, rec := range records {
		hashes, err := tlog.StoredHashes(int64(i), rec, read)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
	}
	root, err := tlog.TreeHash(int64(len(records)), read)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// TestCheckpointIsRead: note, torchwood and transparency-dev read a checkpoint
// under the node's public key with the origin's name, and agree on what it says; none
// of them takes another key, another origin or another text.
func TestCheckpointIsRead(t *testing.T) {
	n := newNode(t, "jq")
	n.history()
	records, v, origin := n.records(), n.logKey(), n.origin()
	root := merkleRoot(t, records)
	n.Sh("edgectl journal checkpoint >checkpoint && edgectl init other --demo --node other")
	signed := n.file("checkpoint")
	stranger := n.verifier(named(t, origin, string(n.file("other/identity/journal-sign.pub"))))

	opened, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(opened.Text, "\n"); len(lines) != 4 || lines[0] != origin || lines[2] != root.String() {
		t.Errorf("the note says %q, want origin %s and root %s", opened.Text, origin, root)
	}
	c, _, err := torchwood.VerifyCheckpoint(signed, policy(origin, v))
	if err != nil || c.Origin != origin || c.N != int64(len(records)) || c.Hash != root || c.Extension != "" {
		t.Errorf("torchwood: %+v, %v; want %d records, root %s", c, err, len(records), root)
	}
	d, rest, _, err := log.ParseCheckpoint(signed, origin, v)
	if err != nil || d.Size != uint64(len(records)) || !bytes.Equal(d.Hash, root[:]) || len(rest) > 0 {
		t.Errorf("transparency-dev: %+v, %q, %v", d, rest, err)
	}

	altered := bytes.Replace(signed, []byte("\n"), []byte("0\n"), 1)
	for _, tt := range []struct {
		name   string
		signed []byte
		origin string
		by     note.Verifier
	}{
		{"another key", signed, origin, stranger},
		{"the key under its file's name", signed, origin, n.public()},
		{"another origin", signed, origin + "0", v},
		{"another text", altered, origin + "0", v},
	} {
		if _, _, err := torchwood.VerifyCheckpoint(tt.signed, policy(tt.origin, tt.by)); err == nil {
			t.Errorf("torchwood takes %s", tt.name)
		}
		if _, _, _, err := log.ParseCheckpoint(tt.signed, tt.origin, tt.by); err == nil {
			t.Errorf("transparency-dev takes %s", tt.name)
		}
	}
}

// TestCheckpointKeyIsFollowed: whoever holds the first public key, the records
// and a reader of signed notes comes to the newest key, through any number of
// rotations, by what docs/formats.md says of them.
func TestCheckpointKeyIsFollowed(t *testing.T) {
	n := newNode(t, "jq")
	n.history()
	first := string(n.file("state/identity/journal-sign.pub"))
	for range 3 {
		n.Sh("edgectl key rotate checkpoint && edged precheck")
	}
	n.Sh("edgectl journal checkpoint >checkpoint")
	held := strings.TrimSpace(first)
	for _, rec := range n.records() {
		var r struct {
			Journal, Type string
			Data          struct {
				Purpose              string
				Statement, Signature []byte
			}
		}
		if err := json.Unmarshal(rec, &r); err != nil {
			t.Fatal(err)
		}
		if r.Type != "KeyRotated" || r.Data.Purpose != "checkpoint" {
			continue
		}
		signed := string(r.Data.Statement) + "\n" + string(r.Data.Signature)
		said, err := note.Open([]byte(signed), note.VerifierList(n.verifier(held)))
		if err != nil {
			t.Fatalf("%v\n%s", err, signed)
		}
		lines := strings.Split(said.Text, "\n")
		if len(lines) != 5 || lines[0] != "edged checkpoint key rotation" || lines[1] != r.Journal {
			t.Fatalf("the statement is %q", said.Text)
		}
		next := lines[3]
		if _, err := note.Open([]byte(signed), note.VerifierList(n.verifier(next))); err != nil {
			t.Fatalf("the new key has not signed: %v", err)
		}
		held = next
	}
	signed := n.file("checkpoint")
	if _, err := note.Open(signed, note.VerifierList(n.verifier(named(t, n.origin(), held)))); err != nil {
		t.Errorf("the first key leads to %s, which has not signed: %v", held, err)
	}
	if _, err := note.Open(signed, note.VerifierList(n.verifier(named(t, n.origin(), first)))); err == nil {
		t.Error("the first key goes on to sign")
	}
}

// TestWriteCheckpoint runs the script of edged-checkpoint.service: before the
// first boot, on a state root that is mounted read-only, and again.
func TestWriteCheckpoint(t *testing.T) {
	n := newNode(t, "jq")
	script, err := filepath.Abs("../../deploy/systemd/write-checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	n.Sh("mkdir kept")
	write := "EDGE_CHECKPOINT_DIR=$DIR/kept sh " + script
	out, errs, exit := n.Run(write)
	if exit != 2 || !strings.Contains(errs, "edged precheck") {
		t.Errorf("before the first boot: exit %d, %s%s", exit, out, errs)
	}
	if left := n.Sh("ls -A kept"); left != "" {
		t.Errorf("before the first boot it leaves %q", left)
	}
	n.history()
	id := n.Sh("edgectl journal head | jq -r .journal")
	size := n.Sh("edgectl journal head | jq -r .seq")
	if os.Geteuid() == 0 {
		write = "unshare -m sh -euc 'mount --bind $STATE $STATE && mount -o remount,bind,ro $STATE && ! touch $STATE/x 2>/dev/null && " + write + "'"
	} else {
		t.Log("not root: not tried on a read-only mount")
	}
	for range 2 {
		n.Sh(write)
		if left, want := n.Sh("ls -A kept"), id+"."+size+".checkpoint"; left != want {
			t.Errorf("it leaves %q, want %s", left, want)
		}
	}
	if _, _, err := torchwood.VerifyCheckpoint(n.file("kept/"+id+"."+size+".checkpoint"), policy("edged/"+id, n.logKey())); err != nil {
		t.Error(err)
	}
}
