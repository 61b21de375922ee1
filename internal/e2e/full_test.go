package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestE2E_FullDisk: on a real filesystem without free space the gate passes for hundreds of boots
// and keeps a record of each; the daemon that frees space must be able to start. After space was
// freed the node settles by itself and leaves no extra file.
func TestE2E_FullDisk(t *testing.T) {
	for _, c := range []struct {
		name, mkfs string
		mib        int
		steady     bool // no space becomes free by itself
		fill       func(h *host)
	}{
		{"ext4 with no free block", "mkfs.ext4", 64, true, func(h *host) { h.fillBlocks(64 << 20) }},
		{"ext4 with no free inode", "mkfs.ext4 -N 192", 64, true, func(h *host) { h.fillFiles(192, 0) }},
		{"btrfs with no metadata space and no free block", "mkfs.btrfs -m single -d single", 160, false, func(h *host) {
			h.Sh(`lsattr $STATE/journal/tail $STATE/bootstrap/journal_head | awk '$1 !~ /C/ {print; bad = 1} END {exit bad}'`)
			// Space that files have taken is not available for metadata later, so some is left.
			h.Sh("head -c 90M /dev/zero >" + h.fillDir() + "/data; sync -f $STATE")
			h.fillFiles(60_000, 2000) // small enough to be stored in the metadata
			h.fillBlocks(160 << 20)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := mounted(t, c.mkfs, c.mib)
			h.boot("", 0)
			h.boot("", 0)
			const listing = `cd $STATE && find . -path ./edge -prune -o -printf '%p %y %m %i\n' | LC_ALL=C sort`
			before, records := h.Sh(listing), h.count()
			c.fill(h)
			const boots = 300
			logs := h.boots(boots)
			// Settling is due from the 33rd record on.
			if got, want := strings.Count(logs, "level=WARN msg=edge.journal.unsettled "), boots+records-32; got != strings.Count(logs, "\n") || got == 0 || got != want && c.steady {
				t.Errorf("%d warnings, want %d, and no other line:\n%.2000s", got, want, logs)
			}
			h.contains(logs, "no space left", "next=")
			if c.steady {
				h.equal("the listing", h.Sh(listing), before)
			}
			h.equal("boots", h.Sh(`edgectl journal export --format jsonl --out - | grep -c FingerprintCaptured`), fmt.Sprint(boots+2))
			h.Sh(`rm -rf $STATE/edge/segments/fill; sync -f $STATE`)
			h.equal("with space", h.boots(40), "")
			h.Sh(`[ "$(edgectl journal log --type SnapshotTaken | wc -l)" -ge 1 ]`)
			h.Sh(`edgectl journal verify --deep`)
			h.equal("strange files of the journal", h.Sh(`ls $STATE/journal | grep -vE '^(tail|marker[.].*|MANIFEST-[0-9]{6}|[0-9]{6}[.]sst)$' || true`), "")
		})
	}
}

// count is the number of records.
func (h *host) count() int {
	h.T.Helper()
	n, err := strconv.Atoi(h.Sh(`edgectl journal head --json | jq .seq`))
	h.must(err)
	return n
}

// boots boots n times, each time with another boot id of the kernel. It returns the logs.
func (h *host) boots(n int) (logs string) {
	h.T.Helper()
	_, logs, exit := h.Run(`unshare -m bash -euc '
: >$DIR/boot_id
mount --bind $DIR/boot_id /proc/sys/kernel/random/boot_id
for i in $(seq ` + strconv.Itoa(n) + `); do
	cat /proc/sys/kernel/random/uuid >$DIR/boot_id
	edged precheck
done'`)
	if exit != 0 {
		h.T.Fatalf("one of %d boots exits %d\n%s", n, exit, logs)
	}
	return logs
}

// fillBlocks fills the state root's filesystem, which is not larger than limit,
// to its last block.
func (h *host) fillBlocks(limit int64) {
	h.T.Helper()
	dir := h.fillDir()
	for size := 1 << 20; size >= 512; size /= 2 {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint("blocks-", size)))
		if errors.Is(err, syscall.ENOSPC) {
			return
		}
		h.must(err)
		buf := make([]byte, size)
		for err == nil && limit >= 0 {
			limit -= int64(size)
			if _, err = f.Write(buf); err == nil {
				err = f.Sync()
			}
		}
		h.must(f.Close())
		if !errors.Is(err, syscall.ENOSPC) {
			h.T.Fatalf("the disk is not full: %v", err)
		}
	}
}

// fillFiles makes files of that size until the disk is full, but not more than limit.
func (h *host) fillFiles(limit, size int) {
	h.T.Helper()
	dir, data := h.fillDir(), make([]byte, size)
	for i := range limit {
		err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), data, 0o600)
		if i%1000 == 0 && err == nil {
			h.Sh(`sync -f $STATE`)
		}
		if errors.Is(err, syscall.ENOSPC) {
			return
		}
		h.must(err)
	}
	h.T.Fatalf("more than %d files fit", limit)
}

func (h *host) fillDir() string {
	h.T.Helper()
	dir := filepath.Join(h.State, "edge/segments/fill")
	if err := os.MkdirAll(dir, 0o755); !errors.Is(err, syscall.ENOSPC) {
		h.must(err)
	}
	return dir
}

func (h *host) must(err error) {
	h.T.Helper()
	if err != nil {
		h.T.Fatal(err)
	}
}
