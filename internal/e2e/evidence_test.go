package e2e

import "testing"

// look runs everything that an investigator or an auditor runs on a seized disk. It writes only to
// $OUT, and each command must succeed.
const look = `
rm -rf $OUT && mkdir -p $OUT
for at in $STATE $STATE/journal; do
	edgectl journal log --journal $at >$OUT/log
	edgectl journal log --journal $at --json >$OUT/log.json
	edgectl journal log --journal $at --type EpochRotated --epoch 1 >$OUT/rotated
	edgectl journal show 1 --journal $at >$OUT/first
	edgectl journal head --journal $at >$OUT/head
	edgectl journal verify --journal $at >$OUT/verify
	edgectl journal verify --deep --journal $at >$OUT/deep
	for format in jsonl csv; do
		edgectl journal export --journal $at --format $format --out $OUT/history.$format
	done
	edgectl replay --at epoch:1 --journal $at >$OUT/then
	edgectl replay --at seq:3 --journal $at --json >$OUT/then.json
	rm -rf $OUT/then.d && edgectl replay --at epoch:1 --journal $at --out $OUT/then.d >/dev/null
	edgectl replay diff seq:1 epoch:1 --journal $at >$OUT/diff
	edgectl replay explain --journal $at >$OUT/explain
done
cmp $OUT/then.d/bootstrap/os_fingerprint.json $STATE/bootstrap/os_fingerprint.json
edgectl journal verify --deep --journal $OUT/history.jsonl >/dev/null
edgectl replay explain --journal $OUT/history.jsonl | cmp - $OUT/explain`

// tree lists, for every file and directory below a folder, everything that reading must not change:
// type, mode, owner, size, times of change of content and inode, and the content itself.
func tree(dir string) string {
	return `cd ` + dir + ` && { find . -printf '%p %y %m %U %G %s %T@ %C@\n' | LC_ALL=C sort; find . -type f | LC_ALL=C sort | xargs -d '\n' b3sum; }`
}

// lived boots a node until it has an epoch and most records have settled.
func lived(h *host) {
	h.T.Helper()
	h.Env = append(h.Env, "OUT="+h.Dir+"/out")
	h.boots(33)
	h.boot("setarch --uname-2.6", 0)
	h.boot("setarch --uname-2.6", 0)
}

// On a read-only mount that does not even replay the filesystem's log, every command works, and no
// byte of the device changes.
func TestE2E_EvidenceOnReadOnlyMount(t *testing.T) {
	for mkfs, c := range map[string]struct {
		name, options string
		mib           int
	}{"mkfs.ext4": {"ext4", "ro,noload", 64}, "mkfs.xfs": {"xfs", "ro,norecovery", 320}} {
		t.Run(c.name, func(t *testing.T) {
			h := mounted(t, mkfs, c.mib)
			lived(h)
			h.Sh(`umount $STATE`)
			image := h.Sh(`b3sum --no-names $DIR/image`)
			h.Sh(`mount -o loop,` + c.options + ` $DIR/image $STATE`)
			before := h.Sh(tree("$STATE"))
			h.Sh(look)
			h.contains(h.Sh(`edgectl journal head 2>&1 >/dev/null`), "is mounted with norecovery: its log was not replayed")
			h.contains(h.Sh(`edgectl journal verify --json`), `"code":"log_not_replayed"`)
			h.equal("the tree", h.Sh(tree("$STATE")), before)
			h.Sh(`umount $STATE`)
			h.equal("the device", h.Sh(`b3sum --no-names $DIR/image`), image)
			h.Sh(`mount -o loop $DIR/image $STATE`)
		})
	}
}

// On a writable copy a reader could write, but does not.
func TestE2E_EvidenceOnWritableCopy(t *testing.T) {
	h := newHost(t, "setarch", "b3sum")
	lived(h)
	h.Sh(`cp -a $STATE $DIR/copy`)
	original := h.State
	h.Env = append(h.Env, "STATE="+h.Dir+"/copy", "EDGE_STATE_ROOT="+h.Dir+"/copy")
	before := h.Sh(tree("$STATE"))
	h.Sh(look)
	h.equal("the copy", h.Sh(tree("$STATE")), before)
	h.equal("what the copy says", h.Sh(`edgectl journal head --journal $DIR/copy`), h.Sh(`edgectl journal head --journal `+original))
}

// A copy of a node whose gate was killed is read in the same way.
func TestE2E_EvidenceOfAKilledNode(t *testing.T) {
	h := newHost(t, "setarch", "b3sum")
	lived(h)
	killedInReconstruction(h)
	h.Sh(`cp -a $STATE $DIR/copy`)
	h.Env = append(h.Env, "STATE="+h.Dir+"/copy", "EDGE_STATE_ROOT="+h.Dir+"/copy")
	before := h.Sh(tree("$STATE"))
	h.Sh(look)
	h.equal("the copy", h.Sh(tree("$STATE")), before)
	h.contains(h.Sh(`edgectl replay explain`), "runtime/small", "update-open", "boot-unfinished")
}
