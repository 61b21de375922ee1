package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// A mount over a part of the state root would take records that are lost with it, and is refused. A
// directory mounted on itself is allowed, and so is mission data elsewhere.
func TestE2E_MountOverAPart(t *testing.T) {
	h := mounted(t, "mkfs.ext4", 64)
	h.boot("", 0)
	for _, c := range []struct{ name, mount string }{
		{"journal", `mount -t tmpfs none $STATE/journal; cp -a $DIR/kept/. $STATE/journal`},
		{"journal", `mkdir $STATE/elsewhere; cp -a $DIR/kept/. $STATE/elsewhere; mount --bind $STATE/elsewhere $STATE/journal`},
		{"runtime", `mount -t tmpfs none $STATE/runtime`},
		{"runtime/binaries", `mount -t tmpfs none $STATE/runtime/binaries`},
		{"bootstrap/journal_head", `cp $STATE/bootstrap/journal_head $DIR/head; mount --bind $DIR/head $STATE/bootstrap/journal_head`},
	} {
		h.Sh(`rm -rf $DIR/kept; cp -a $STATE/journal $DIR/kept`)
		h.Sh(c.mount)
		records := h.Sh(`edgectl journal head`)
		h.contains(h.boot("", 2), "level=ERROR", "mounted over a part of it", c.name+" is ", "umount "+h.State+"/"+c.name)
		if _, errs, exit := h.Run(`edgectl drill --reason "must not be lost"`); exit == 0 || !strings.Contains(errs, "mounted over a part of it") {
			t.Errorf("a drill with %s: exit %d\n%s", c.mount, exit, errs)
		}
		h.equal("records after "+c.mount, h.Sh(`edgectl journal head`), records)
		h.Sh(`umount $STATE/` + c.name)
	}
	for _, mount := range []string{`mount --bind $STATE/journal $STATE/journal`, `mount --bind $STATE $STATE; mount --bind $STATE/epoch $STATE/epoch`,
		`mount -t tmpfs none $STATE/edge`} {
		h.equal("said with "+mount, h.withMounts(mount, 0), "")
	}
}

// withMounts boots with more mounts, in a mount namespace of its own.
func (h *host) withMounts(mount string, want int) string {
	h.T.Helper()
	h.Env = append(h.Env, "MOUNT="+mount)
	return h.boot(`unshare -m bash -euc 'eval "$MOUNT"; exec "$@"' sh`, want)
}

// btrfs returns a host with a root filesystem on one subvolume among others, entered by chroot.
func btrfs(t *testing.T) *host {
	t.Helper()
	h := bare(t, "mkfs.btrfs", "btrfs", "losetup", "chroot", "jq")
	h.Sh(`truncate -s 300M $DIR/image; mkfs.btrfs -q $DIR/image; mkdir $DIR/top $DIR/root`)
	if _, errs, exit := h.Run(`mount -o loop $DIR/image $DIR/top`); exit != 0 {
		t.Skipf("btrfs does not mount here: %s", errs)
	}
	t.Cleanup(func() { h.Sh(`umount $DIR/top`) })
	h.Sh(`
for os in os1 os2; do
	btrfs -q subvolume create $DIR/top/$os
	mkdir -p $DIR/top/$os/{proc,dev,etc,bin,persist}
	cp $(command -v edged) $(command -v edgectl) $DIR/top/$os/bin
	printf 'ID=%s\nVERSION_ID=1\n' $os >$DIR/top/$os/etc/os-release
done`)
	return h
}

// in runs a command in the image os, after more mounts, and returns its log and exit code.
func (h *host) in(os, mounts, command string) (stderr string, exit int) {
	h.T.Helper()
	_, errs, exit := h.Run(fmt.Sprintf(`unshare -m bash -euc '
mount -o subvol=%s $(findmnt -no SOURCE $DIR/top | cut -d[ -f1) $DIR/root
mount -t proc proc $DIR/root/proc
mount --rbind /dev $DIR/root/dev
cd $DIR/root
%s
exec env -i PATH=/bin EDGE_CONFIG=/persist/edge/bootstrap/config.yaml EDGE_STATE_ROOT=/persist/edge $(command -v chroot) . %s'`, os, mounts, command))
	return errs, exit
}

// A subvolume nested in the image's has a device number of its own, but is replaced with the image:
// it is no persistent partition. A subvolume beside the image's is one.
func TestE2E_NestedSubvolume(t *testing.T) {
	h := btrfs(t)
	h.Sh(`btrfs -q subvolume create $DIR/top/os1/persist/edge`)
	if errs, exit := h.in("os1", "", "edgectl init /persist/edge --demo"); exit != 0 {
		t.Fatal(errs)
	}
	for _, mounts := range []string{"", "mount --bind persist/edge persist/edge", "mount -o subvol=os1/persist/edge $(findmnt -no SOURCE $DIR/top) persist/edge"} {
		errs, exit := h.in("os1", mounts, "edged precheck")
		if exit != 2 {
			t.Errorf("%q: exit %d\n%s", mounts, exit, errs)
		}
		h.contains(errs, "level=ERROR", "a part of the root filesystem", "/os1/persist/edge")
	}
	h.Sh(`! test -e $DIR/top/os1/persist/edge/journal`)

	h.Sh(`btrfs -q subvolume create $DIR/top/persist; mkdir $DIR/top/persist/edge`)
	const beside = "mount -o subvol=persist $(findmnt -no SOURCE $DIR/top) persist; mount --bind persist/edge persist/edge"
	if errs, exit := h.in("os1", beside, "edgectl init /persist/edge --demo"); exit != 0 {
		t.Fatal(errs)
	}
	for _, c := range []struct{ os, event string }{{"os1", "edge.os.fingerprint_initialized"}, {"os2", "edge.os.reconstruction_completed"}} {
		errs, exit := h.in(c.os, beside, "edged precheck")
		if exit != 0 {
			t.Errorf("%s: exit %d\n%s", c.os, exit, errs)
		}
		h.contains(errs, c.event)
	}
	h.equal("filesystem of the boot's event", h.Sh(`edgectl journal export --journal $DIR/top/persist/edge --format jsonl --out - |
		jq -rs 'map(select(.type=="FingerprintCaptured"))[0]|.data.filesystem + " " + .data.mount_check'`), "btrfs enforced")
}
