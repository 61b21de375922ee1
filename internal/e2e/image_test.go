package e2e

import (
	"strings"
	"testing"
)

// killedInReconstruction replaces the kernel, and kills the gate after the
// first of two operations, while it copies the second.
func killedInReconstruction(h *host) {
	h.T.Helper()
	h.Sh(`
head -c 1000 /dev/urandom >$STATE/runtime/binaries/small
head -c 200000000 /dev/zero >$STATE/runtime/binaries/large
printf '{"version":"1","operations":[{"op":"copy_binary","src":"small","dst":"runtime/small"},{"op":"copy_binary","src":"large","dst":"runtime/large"}]}' >$STATE/runtime/manifest.json
edgectl manifest sign --state-root $STATE --key $STATE/demo/manifest-verify.key >/dev/null
rm -f $STATE/runtime/small $STATE/runtime/large
sync -f $STATE`)
	h.Sh(`
edged precheck 2>$DIR/killed.log & gate=$!
until [ -e $STATE/runtime/small ]; do kill -0 $gate; done
for i in $(seq 500); do
	kill -STOP $gate # however slow the look is, the second copy does not end meanwhile
	edgectl journal log --type OpApplied --journal $STATE | grep -q runtime/small && break
	kill -CONT $gate
	sleep 0.002
done
kill -KILL $gate
wait $gate || [ $? = 137 ]
test -e $STATE/runtime/small; ! test -e $STATE/runtime/large
edgectl journal log --journal $STATE | tail -1 | grep -q 'OpApplied .*runtime/small'`)
}

// The image of a node that stopped in the middle of a reconstruction, taken while its filesystem was
// mounted. Mounted without replaying the filesystem's log it shows what happened, and does not
// change.
func TestE2E_ImageOfAKilledNode(t *testing.T) {
	h := mounted(t, "mkfs.ext4", 700)
	lived(h)
	killedInReconstruction(h)
	head := h.Sh(`edgectl journal head`)
	h.Sh(`sync -f $STATE; cp --sparse=always $DIR/image $DIR/seized`)
	seized := h.Sh(`b3sum --no-names $DIR/seized`)
	live := h.State
	evidence := h.Dir + "/evidence"
	h.Sh(`dumpe2fs -h $DIR/seized 2>/dev/null | grep -q needs_recovery; mkdir $DIR/evidence; mount -o loop,ro,noload $DIR/seized $DIR/evidence`)
	t.Cleanup(func() { h.Run(`umount $DIR/evidence`) })
	h.Env = append(h.Env, "STATE="+evidence, "EDGE_STATE_ROOT="+evidence)
	before := h.Sh(tree("$STATE"))
	h.Sh(look)
	h.equal("the tree", h.Sh(tree("$STATE")), before)
	h.equal("the head", h.Sh(`edgectl journal head`), head)
	h.contains(h.Sh(`edgectl replay explain`), "runtime/small", "update-open", "boot-unfinished", "-> "+h.Sh(`uname -r`))
	h.Sh(`umount $DIR/evidence`)
	h.equal("the image", h.Sh(`b3sum --no-names $DIR/seized`), seized)

	// The node itself resumes, and its history shows that.
	h.Env = append(h.Env, "STATE="+live, "EDGE_STATE_ROOT="+live)
	h.contains(h.boot("", 0), "resumed=true", "boot_epoch=2")
	h.contains(h.Sh(`edgectl replay explain --epoch 2`), "runtime/small", "runtime/large", "resumed")
	h.Sh(`edgectl journal verify --deep`)
}

// A power cut leaves an image that was never flushed. Commands report everything that can be read
// without replaying the filesystem's log, or that nothing can. A scratch copy whose log is replayed
// holds every acknowledged record.
func TestE2E_ImageAfterAPowerCut(t *testing.T) {
	h := mounted(t, "mkfs.ext4", 700)
	lived(h)
	killedInReconstruction(h)
	head := h.Sh(`edgectl journal head`)
	h.Sh(`cp --sparse=always $DIR/image $DIR/seized`) // the kernel's memory is not in it
	seized := h.Sh(`b3sum --no-names $DIR/seized`)
	h.Sh(`mkdir $DIR/evidence; mount -o loop,ro,noload $DIR/seized $DIR/evidence`)
	t.Cleanup(func() { h.Run(`umount $DIR/evidence`) })
	for _, command := range []string{"journal verify --deep", "journal log", "replay explain", "status"} {
		out, errs, exit := h.Run(`edgectl ` + command + ` --journal $DIR/evidence`)
		if exit > 2 || exit < 2 && out == "" || !strings.Contains(errs, "its log was not replayed") || strings.Contains(strings.ToLower(out+errs), "rewritten") {
			t.Errorf("%s: exit %d\n%s%s", command, exit, out, errs)
		}
		t.Logf("%s: exit %d, %d bytes, %s", command, exit, len(out), errs)
	}
	h.Sh(`umount $DIR/evidence`)
	h.equal("the image", h.Sh(`b3sum --no-names $DIR/seized`), seized)

	h.Sh(`cp --sparse=always $DIR/seized $DIR/scratch; mount -o loop $DIR/scratch $DIR/evidence`)
	h.equal("the head", h.Sh(`edgectl journal head --journal $DIR/evidence`), head)
	h.Sh(`edgectl journal verify --deep --journal $DIR/evidence >/dev/null`)
	h.contains(h.Sh(`edgectl replay explain --journal $DIR/evidence`), "runtime/small")
}
