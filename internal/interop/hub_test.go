package interop

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
)

// hub starts a hub over a store, and returns its address and a function that ends it. The
// test's end ends it too.
func (n *node) hub(store string) (address string, stop func()) {
	n.T.Helper()
	n.Sh("[ -e hub.key ] || edgehub key hub.test --out hub.key >hub.pub")
	cmd := exec.Command(filepath.Join(os.Getenv("EDGED_BIN"), "edgehub"), "serve", "--store", store, "--key", filepath.Join(n.Dir, "hub.key"), "--open-enrolment", "--listen", "127.0.0.1:0",
		"--limit-journals", "1000")
	cmd.Dir, cmd.Env = n.Dir, n.Env
	var log bytes.Buffer
	path := filepath.Join(n.Dir, "hub.log")
	f, err := os.Create(path)
	if err != nil {
		n.T.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // the process has it
	cmd.Stderr = f
	if err := cmd.Start(); err != nil {
		n.T.Fatal(err)
	}
	ended := false
	stop = func() {
		if !ended {
			ended = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	n.T.Cleanup(stop)
	for range 200 {
		text, _ := os.ReadFile(path)
		log.Reset()
		log.Write(text)
		if m := regexp.MustCompile(`address=(\S+)/ `).FindSubmatch(text); m != nil {
			return string(m[1]), stop
		}
		time.Sleep(50 * time.Millisecond)
	}
	n.T.Fatalf("the hub does not serve:\n%s", log.String())
	return "", nil
}

// shipTo ships to a hub.
func (n *node) shipTo(address string) (said string, exit int) {
	n.T.Helper()
	n.Env = append(n.Env, "HUB="+address)
	_, said, exit = n.Run(`mkdir -p kept; printf 'checkpoints: %s\nhub:\n  url: %s\n  key: %s\n' $PWD/kept $HUB "$(cat hub.pub)" >ship.yaml
edgectl ship --ship-config ship.yaml`)
	return said, exit
}

// TestHubFsck: Tessera's checker and torchwood's client read a journal at a hub, and
// edgectl reads it as it reads an export.
func TestHubFsck(t *testing.T) {
	n := newNode(t, "go", "jq")
	n.longHistory()
	address, _ := n.hub("store")
	if said, exit := n.shipTo(address); exit != 0 {
		t.Fatalf("exit %d: %s", exit, said)
	}
	at := address + "/" + n.origin()
	records := n.records()
	resp, err := http.Get(at + "/checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	var checkpoint bytes.Buffer
	_, err = checkpoint.ReadFrom(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := torchwood.VerifyCheckpoint(checkpoint.Bytes(), policy(n.origin(), n.logKey()))
	if err != nil || c.N != int64(len(records)) {
		t.Fatalf("%+v, %v, want %d records", c, err, len(records))
	}
	fetcher, err := torchwood.NewTileFetcher(at)
	if err != nil {
		t.Fatal(err)
	}
	client, err := torchwood.NewClient(fetcher)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for i, entry := range client.AllEntries(t.Context(), c.Tree, 0) {
		if !bytes.Equal(entry, records[i]) {
			t.Errorf("entry %d is %s", i, entry)
		}
		count++
	}
	if err := client.Err(); err != nil || count != len(records) {
		t.Errorf("%d entries, want %d: %v", count, len(records), err)
	}
	for _, place := range []string{at, filepath.Join(n.Dir, "store/heads", strings.TrimPrefix(n.origin(), "edged/"))} {
		n.Env = append(n.Env, "AT="+place)
		n.Sh(`edgectl journal export --journal $AT --out there.jsonl && edgectl journal export --out here.jsonl && cmp here.jsonl there.jsonl
edgectl journal verify --deep --journal $AT >/dev/null && edgectl report --html page.html --journal $AT && edgectl audit verify $AT --since kept/*.checkpoint >/dev/null`)
	}
	if os.Getenv("EDGED_INTEROP") != "1" {
		t.Skip("the checker of Tessera is built with EDGED_INTEROP=1")
	}
	n.Sh("GOBIN=$DIR/tools GOFLAGS= go -C / install " + fsck)
	success := "Successfully fsck'd log with size " + itoa(len(records)) + " and root "
	if said := n.fsck(n.origin(), at); !strings.Contains(said, success) {
		t.Errorf("%q is missing:\n%s", success, said)
	}
}
