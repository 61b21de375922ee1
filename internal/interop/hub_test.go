package interop

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/torchwood"

	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/transparency"
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
	n.readsAll(fetcher, c, records)
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

// TestHubKilled kills the hub at swept moments while nodes ship, over a folder and over S3.
// Every record that it has signed is in the store afterwards, everything there verifies, and
// what is missing arrives.
func TestHubKilled(t *testing.T) {
	t.Run("folder", func(t *testing.T) { hubKilled(t, "store", 20) })
	t.Run("s3", func(t *testing.T) {
		newMinIO(t)
		hubKilled(t, "s3://hub/fleet", 10)
	})
}

func hubKilled(t *testing.T, store string, rounds int) {
	n := newNode(t, "jq")
	nodes := []*node{n, newNode(t), newNode(t)}
	for _, other := range nodes {
		other.boot()
	}
	n.Sh("edgehub key hub.test --out hub.key >hub.pub")
	for _, other := range nodes[1:] {
		other.Env = append(other.Env, "PUB="+filepath.Join(n.Dir, "hub.pub"))
		other.Sh("cp $PUB hub.pub")
	}
	cosigned := 0
	for round := range rounds {
		address, stop := n.hub(store)
		time.AfterFunc(time.Duration(round*round)*4*time.Millisecond, stop)
		for range 3 {
			for _, other := range nodes {
				other.boot()
				if _, exit := other.shipTo(address); exit == 0 {
					cosigned++
				}
			}
		}
		stop()
		n.holds(store, nodes)
	}
	if cosigned == 0 || cosigned == rounds*9 {
		t.Errorf("%d of %d shipments were cosigned", cosigned, rounds*9)
	}
	address, _ := n.hub(store)
	for _, other := range nodes {
		if said, exit := other.shipTo(address); exit != 0 {
			t.Errorf("at the end: exit %d: %s", exit, said)
		}
	}
	n.holds(store, nodes)
	t.Logf("%d shipments were cosigned", cosigned)
}

// holds requires that everything in the store verifies, and that each checkpoint which a
// node has kept is over records that are there.
func (n *node) holds(store string, nodes []*node) {
	n.T.Helper()
	if !strings.Contains(store, "://") {
		store = filepath.Join(n.Dir, store)
	}
	s, err := bucket.Open(n.T.Context(), store)
	if err != nil {
		n.T.Fatal(err)
	}
	key, err := torchwood.NewCosignatureVerifier(strings.TrimSpace(string(n.file("hub.pub"))))
	if err != nil {
		n.T.Fatal(err)
	}
	ids, err := hub.Journals(n.T.Context(), s)
	if err != nil {
		n.T.Fatal(err)
	}
	held := map[string]uint64{}
	for _, id := range ids {
		c, err := hub.Check(n.T.Context(), s, id, []*torchwood.CosignatureVerifier{key}, true)
		if err != nil || !c.OK {
			n.T.Fatalf("%+v, %v", c, err)
		}
		held[id] = c.Records
	}
	for _, other := range nodes {
		entries, err := os.ReadDir(filepath.Join(other.Dir, "kept"))
		if err != nil {
			continue // it has not shipped yet
		}
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(other.Dir, "kept", e.Name()))
			if err != nil {
				n.T.Fatal(err)
			}
			c, err := transparency.Read(text)
			if err != nil || held[c.Journal] < c.Size {
				n.T.Fatalf("the hub has signed %d records of journal %s, and holds %d, %v", c.Size, c.Journal, held[c.Journal], err)
			}
		}
	}
}

// TestHubRace: sixteen writers race with two histories of one journal over two hubs that share
// a bucket. One history wins, the other is reported, and the winner grows past the next 256
// records.
func TestHubRace(t *testing.T) {
	newMinIO(t)
	n := newNode(t, "jq")
	n.boot()
	n.Sh("edgehub key hub.test --out hub.key >hub.pub")
	hubs := [2]string{}
	hubs[0], _ = n.hub("s3://hub/race")
	hubs[1], _ = n.hub("s3://hub/race")
	if said, exit := n.shipTo(hubs[0]); exit != 0 {
		t.Fatal(said)
	}
	n.Sh("cp -a $STATE clone; for i in $(seq 5); do edged precheck; done; for i in $(seq 7); do EDGE_STATE_ROOT=$PWD/clone edged precheck; done")
	sides := [2]string{n.State, filepath.Join(n.Dir, "clone")}
	var wg sync.WaitGroup
	var won [2]atomic.Int32
	for i := range 16 {
		dir := t.TempDir()
		config := filepath.Join(dir, "ship.yaml")
		text := "checkpoints: " + dir + "\nhub:\n  url: " + hubs[i/2%2] + "\n  key: " + strings.TrimSpace(string(n.file("hub.pub"))) + "\n"
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			cmd := exec.Command(filepath.Join(os.Getenv("EDGED_BIN"), "edgectl"), "ship", "--ship-config", config, "--state-root", sides[i%2])
			cmd.Env = n.Env
			if cmd.Run() == nil {
				won[i%2].Add(1)
			}
		})
	}
	wg.Wait()
	t.Logf("%d and %d shipments were cosigned", won[0].Load(), won[1].Load())
	if (won[0].Load() == 0) == (won[1].Load() == 0) {
		t.Fatal("one history is to win")
	}
	winner, loser := sides[0], sides[1]
	if won[0].Load() == 0 {
		winner, loser = loser, winner
	}
	n.Env = append(n.Env, "WINNER="+winner, "LOSER="+loser, "HUB="+hubs[1])
	n.Sh(`printf 'checkpoints: %s\nhub:\n  url: %s\n  key: %s\n' $PWD/kept2 $HUB "$(cat hub.pub)" >ship2.yaml; mkdir -p kept2 kept3
while [ "$(edgectl journal head --state-root $WINNER | jq .seq)" -lt 270 ]; do for i in $(seq 20); do EDGE_STATE_ROOT=$WINNER edged precheck; done; done
edgectl ship --ship-config ship2.yaml --state-root $WINNER
sed "s|kept2|kept3|" ship2.yaml >ship3.yaml; ! edgectl ship --ship-config ship3.yaml --state-root $LOSER
edgehub verify --store s3://hub/race --key $(cat hub.pub) --deep
edgehub status --store s3://hub/race >status || true; cat status; grep -q cloned status || grep -q rewritten status`)
}
