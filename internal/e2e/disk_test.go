package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// mounted puts the state root on a real filesystem on a loop device. mkfs may
// have options.
func mounted(t *testing.T, mkfs string, mib int) *host {
	t.Helper()
	h := bare(t, strings.Fields(mkfs)[0], "mount", "losetup", "jq")
	h.Sh(fmt.Sprintf(`mkdir -p $STATE; truncate -s %dM $DIR/image; %s -q $DIR/image`, mib, mkfs))
	if _, errs, exit := h.Run(`mount -o loop $DIR/image $STATE`); exit != 0 {
		t.Skipf("loop devices do not mount here: %s", errs)
	}
	t.Cleanup(func() { h.Sh(`umount -R $STATE`) })
	// From here on the state root is judged as on a node.
	h.Env = append(h.Env, "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=")
	h.Sh(`edgectl init $STATE --demo`)
	return h
}

func TestE2E_RealFilesystems(t *testing.T) {
	for mkfs, c := range map[string]struct {
		name string
		mib  int
	}{"mkfs.ext4": {"ext4", 64}, "mkfs.xfs": {"xfs", 320}} {
		t.Run(c.name, func(t *testing.T) {
			h := mounted(t, mkfs, c.mib)
			h.contains(h.boot("", 0), "edge.os.fingerprint_initialized")
			h.boot("setarch --uname-2.6", 0)
			h.equal("filesystem of the boot's event",
				h.Sh(`edgectl journal export --format jsonl --out - | jq -rs 'map(select(.type=="FingerprintCaptured"))[0]|.data.filesystem + " " + .data.mount_check'`), c.name+" enforced")
			h.Sh(`edgectl journal verify --deep`)
		})
	}
}

// An unmounted partition leaves an empty folder that is a part of /.
func TestE2E_UnmountedPartition(t *testing.T) {
	h := newHost(t)
	h.Env = append(h.Env, "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=")
	before := h.Sh(`cd $STATE && find . -printf '%p %T@\n' | sort`)
	h.contains(h.boot("", 2), "level=ERROR", "path="+h.State)
	h.equal("the folder", h.Sh(`cd $STATE && find . -printf '%p %T@\n' | sort`), before)
}

func TestE2E_Tmpfs(t *testing.T) {
	h := bare(t, "mount")
	h.Sh(`mkdir -p $STATE && mount -t tmpfs none $STATE`)
	t.Cleanup(func() { h.Sh(`umount $STATE`) })
	h.Sh(`edgectl init $STATE --demo`)
	h.Env = append(h.Env, "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=")
	h.contains(h.boot("", 2), "level=ERROR", "tmpfs")
}

// The journal is read byte for byte and mtime for mtime as it was found, also
// from a mount that takes no write.
func TestE2E_ReadOnlyMount(t *testing.T) {
	h := mounted(t, "mkfs.ext4", 64)
	h.boot("", 0)
	h.boot("setarch --uname-2.6", 0)
	h.Sh(`umount $STATE && mount -o loop,ro,noload $DIR/image $STATE`)
	h.Sh(`edgectl journal verify --deep >/dev/null; edgectl journal log >/dev/null; edgectl journal head >/dev/null`)
	h.contains(h.boot("", 2), "level=ERROR", "path="+h.State)
}
