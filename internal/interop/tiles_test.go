package interop

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
)

func itoa(n int) string { return strconv.Itoa(n) }

// fsck is the checker of static logs that is run here.
const fsck = "github.com/transparency-dev/tessera/cmd/fsck@v1.0.4"

// longHistory gives the node more records than a tile holds.
func (n *node) longHistory() {
	n.T.Helper()
	n.boot()
	n.Sh(`for i in $(seq 20); do edgectl drill --reason "$i"; edged precheck; done >/dev/null 2>&1
while [ "$(edgectl journal head | jq .seq)" -lt 300 ]; do for i in $(seq 20); do edged precheck; done; done`)
}

// TestTilesAreRead: torchwood reads every record back from the directory, by
// the checkpoint in it, as a client of a log does.
func TestTilesAreRead(t *testing.T) {
	n := newNode(t, "jq")
	n.longHistory()
	n.Sh("edgectl journal tiles --out tiles >/dev/null")
	records := n.records()
	c, _, err := torchwood.VerifyCheckpoint(n.file("tiles/checkpoint"), policy(n.origin(), n.logKey()))
	if err != nil || c.N != int64(len(records)) {
		t.Fatalf("%+v, %v, want %d records", c, err, len(records))
	}
	fs, err := torchwood.NewTileFS(os.DirFS(filepath.Join(n.Dir, "tiles")))
	if err != nil {
		t.Fatal(err)
	}
	n.readsAll(fs, c, records)
}

// readsAll requires that torchwood reads every record by a checkpoint.
func (n *node) readsAll(tiles torchwood.TileReader, c torchwood.Checkpoint, records [][]byte) {
	n.T.Helper()
	client, err := torchwood.NewClient(tiles)
	if err != nil {
		n.T.Fatal(err)
	}
	count := 0
	for i, entry := range client.AllEntries(n.T.Context(), c.Tree, 0) {
		if !bytes.Equal(entry, records[i]) {
			n.T.Errorf("entry %d is %s", i, entry)
		}
		count++
	}
	if err := client.Err(); err != nil || count != len(records) {
		n.T.Errorf("%d entries, want %d: %v", count, len(records), err)
	}
}

// TestTilesFsck has Tessera's own checker judge the directory, first written
// small and then extended; whatever is altered in it, the checker's line of
// success is not there. It exits 0 either way.
func TestTilesFsck(t *testing.T) {
	if os.Getenv("EDGED_INTEROP") != "1" {
		t.Skip("builds a tool of another project: runs with EDGED_INTEROP=1")
	}
	n := newNode(t, "go", "jq")
	n.boot()
	n.Sh("edgectl journal tiles --out tiles")
	n.longHistory()
	n.Sh("edgectl journal tiles --out tiles && GOBIN=$DIR/tools GOFLAGS= go -C / install " + fsck)
	size, origin := n.Sh("edgectl journal head | jq .seq"), n.origin()
	success := "Successfully fsck'd log with size " + size + " and root "
	if said := n.fsck(origin, "tiles"); !strings.Contains(said, success) {
		t.Fatalf("%q is missing:\n%s", success, said)
	}
	files := strings.Fields(n.Sh("cd tiles && find . -type f"))
	judged := 0
	for _, name := range files {
		if !n.current(name, size) {
			continue // of the smaller tree; nobody needs it any more
		}
		judged++
		n.Sh("rm -rf bad && cp -r tiles bad && printf X | dd of=bad/" + name + " bs=1 seek=20 conv=notrunc status=none")
		if said := n.fsck(origin, "bad"); strings.Contains(said, "Successfully") {
			t.Errorf("with %s altered:\n%s", name, said)
		}
	}
	if judged < 6 {
		t.Errorf("%d files were altered of %v", judged, files)
	}
	if said := n.fsck("edged/another", "tiles"); strings.Contains(said, "Successfully") {
		t.Errorf("under another origin:\n%s", said)
	}
}

// current says whether a file is part of the tree of that size.
func (n *node) current(name, size string) bool {
	n.T.Helper()
	total, err := strconv.Atoi(size)
	if err != nil {
		n.T.Fatal(err)
	}
	_, width, partial := strings.Cut(name, ".p/")
	if !partial {
		return true
	}
	if strings.HasPrefix(name, "./tile/1/") {
		return width == itoa(total/256)
	}
	return width == itoa(total%256) && strings.Contains(name, "/001.p/")
}

// fsck returns what the checker says of a directory, or of an address.
func (n *node) fsck(origin, at string) string {
	n.T.Helper()
	ctx, stop := context.WithTimeout(n.T.Context(), time.Minute)
	defer stop()
	key := filepath.Join(n.Dir, "log.pub")
	if err := os.WriteFile(key, []byte(named(n.T, n.origin(), string(n.file("state/identity/journal-sign.pub")))), 0o600); err != nil {
		n.T.Fatal(err)
	}
	if !strings.Contains(at, "://") {
		at = "file://" + filepath.Join(n.Dir, at)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(n.Dir, "tools/fsck"), "--ui=false", "--N=8",
		"--storage_url="+at, "--origin="+origin, "--public_key="+key)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out) + err.Error()
	}
	return string(out)
}
