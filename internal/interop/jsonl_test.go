package interop

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// livedNode is a node with a history worth exporting: clean boots, failed
// ones, a tampering, a drill, and texts that upset careless writers.
func livedNode(t testing.TB, tools ...string) *node {
	n := newNode(t, tools...)
	n.boot()
	n.boot()
	n.Sh(`: > $STATE/bootstrap/os_fingerprint.json`)
	n.boot()
	n.Sh(`mv $STATE/tls $STATE/away; edged precheck && exit 1 || [ $? = 3 ]; mv $STATE/away $STATE/tls`)
	n.Sh(`edgectl drill --reason '=1+1, "quoted", back\slash, ünïcödé'`)
	n.Sh(`mv $STATE/runtime/manifest.json.sig $STATE/away; edged precheck && exit 1 || [ $? = 5 ]; mv $STATE/away $STATE/runtime/manifest.json.sig`)
	n.boot()
	n.Sh(`edgectl drill --reason '-2'; edgectl drill --cancel --reason '@never mind'`)
	n.boot()
	return n
}

// line is a record of an export, read by encoding/json and nothing of ours.
type line struct {
	Seq      uint64         `json:"seq"`
	Type     string         `json:"type"`
	Time     string         `json:"time"`
	BootID   string         `json:"boot_id"`
	Run      string         `json:"run"`
	Node     string         `json:"node"`
	Epoch    uint64         `json:"epoch"`
	UptimeMS int64          `json:"uptime_ms"`
	Prev     string         `json:"prev"`
	Data     map[string]any `json:"data"`
	raw      []byte
}

// records reads an exported .jsonl.
func records(t testing.TB, path string) []line {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []line
	for raw := range bytes.Lines(data) {
		l := line{raw: bytes.TrimSuffix(raw, []byte("\n"))}
		if err := json.Unmarshal(l.raw, &l); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, l)
	}
	if len(all) == 0 {
		t.Fatalf("%s is empty", path)
	}
	return all
}

// b3sum hashes each of some texts with the program of that name.
func b3sum(t testing.TB, texts ...[]byte) []string {
	t.Helper()
	dir := t.TempDir()
	for i, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var sums []string
	for i := range texts {
		out, err := exec.Command("b3sum", "--no-names", filepath.Join(dir, strconv.Itoa(i))).Output()
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, strings.TrimSpace(string(out)))
	}
	return sums
}

// chain is a verifier of an export in sh, b3sum and jq.
const chain = `
want=$(printf '%064d' 0)
n=0
while IFS= read -r line; do
	n=$((n + 1))
	[ "$(printf %s "$line" | jq -r .seq)" = $n ] || { echo "record $n: another seq"; exit 1; }
	[ "$(printf %s "$line" | jq -r .prev)" = "$want" ] || { echo "record $n: a broken link"; exit 1; }
	want=$(printf %s "$line" | b3sum --no-names)
done < "$1"
echo $n $want
`

func TestJSONLChain(t *testing.T) {
	n := livedNode(t, "sh", "b3sum", "jq")
	if err := os.WriteFile(filepath.Join(n.Dir, "chain"), []byte(chain), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Sh(`edgectl journal export --format jsonl --out h.jsonl`)
	want := n.Sh(`edgectl journal head | jq -r '"\(.seq) \(.hash)"'`)
	if got := n.Sh(`sh chain h.jsonl`); got != want {
		t.Errorf("the chain ends in %q, edgectl journal head says %q", got, want)
	}
	if got := n.Sh(`jq -s 'map(.journal) | unique | length' h.jsonl`); got != "1" {
		t.Errorf("%s journals", got)
	}
	// And the verifier is one: a changed byte breaks it.
	n.Sh(`sed '3s/"run":"0/"run":"1/' h.jsonl > bad.jsonl; cmp -s h.jsonl bad.jsonl && exit 1 || true`)
	if out, _, exit := n.Run(`sh chain bad.jsonl`); exit == 0 || !strings.Contains(out, "record 4: a broken link") {
		t.Errorf("a changed record: exit %d, %s", exit, out)
	}
}

// Whatever an export is made from, it is the same.
func TestJSONLFromAnywhere(t *testing.T) {
	n := livedNode(t, "jq")
	n.Sh(`edgectl journal export --format jsonl --out h.jsonl
		for f in jsonl csv parquet journald; do
			edgectl journal export --format $f --out a.$f
			edgectl journal export --format $f --out b.$f --journal $STATE/journal
			edgectl journal export --format $f --out c.$f --journal h.jsonl
			edgectl journal export --format $f --out - > d.$f
			cmp a.$f b.$f; cmp a.$f c.$f; cmp a.$f d.$f
		done`)
}
