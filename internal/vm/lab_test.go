package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/hosttest"
)

// tools are the commands that the tests call.
var tools = []string{"qemu-system-x86_64", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "mount", "umount", "losetup", "unshare", "dpkg", "apt-get", "apt-cache", "depmod", "xz", "jq", "go", "mmdebstrap", "tar", "chroot"}

// chosen returns the filesystems to run on: those of EDGED_VM_FILESYSTEMS, all if it is not set.
func chosen(t *testing.T) []string {
	t.Helper()
	names := strings.FieldsFunc(os.Getenv("EDGED_VM_FILESYSTEMS"), func(r rune) bool { return r == ',' || r == ' ' })
	if len(names) == 0 {
		return filesystems
	}
	for _, name := range names {
		if !slices.Contains(filesystems, name) {
			t.Fatalf("EDGED_VM_FILESYSTEMS names %q: there are %q", name, filesystems)
		}
	}
	return names
}

// A lab is what the boots of one test share.
type lab struct {
	bin      string
	systems  [2][2]opsys // by kernel and distribution
	template string      // the folder with a commissioned state root, edge/, and the key that signs manifests
}

// newLab skips the test unless it runs under make vm. There, whatever is missing is a failure.
func newLab(t *testing.T) *lab {
	t.Helper()
	if os.Getenv("EDGED_VM") != "1" {
		t.Skip("boots virtual machines: runs under make vm (EDGED_VM=1)")
	}
	if os.Getuid() != 0 {
		t.Fatal("needs root: the host mounts the disk images")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is not installed: make vm installs it", tool)
		}
	}
	h := hosttest.New(t, os.Getenv("EDGED_BIN"))
	// What the node is commissioned with. Its config names the paths of the node.
	h.Sh(`mkdir template
export EDGE_STATE_ROOT=$DIR/template/edge EDGE_CONFIG=$DIR/template/edge/bootstrap/config.yaml
edgectl init $EDGE_STATE_ROOT --node vm-1 --demo
mv template/edge/demo/manifest-verify.key template/
rmdir template/edge/demo
head -c 700000 /dev/urandom >template/edge/runtime/binaries/edged
rm template/edge/runtime/manifest.json
edgectl manifest new --serial 1 --copy-binary edged:runtime/edged --out template/edge/runtime/manifest.json
edgectl manifest sign --key template/manifest-verify.key
head -c 300000 /dev/urandom >template/edge/edge/segments/0001.seg
head -c 5000 /dev/urandom >template/edge/edge/relay/relay.db
pin=$(edgectl key show template/edge/identity/manifest-verify.pub --json | jq -r .blake3)
sed -e "s|$DIR/template/edge|/persist/edge|g" -e "s|manifest_key_blake3: .*|manifest_key_blake3: $pin|" $EDGE_CONFIG >config.yaml
cp config.yaml $EDGE_CONFIG`)
	config, err := os.ReadFile(filepath.Join(h.Dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	guest := filepath.Join(h.Dir, "guest")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", guest, "./guest")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build ./guest: %v\n%s", err, out)
	}
	bin := os.Getenv("EDGED_BIN")
	return &lab{
		bin: bin, template: filepath.Join(h.Dir, "template"),
		systems: opsystems(t, h.Dir, kernels(t), filepath.Join(bin, "edged"), guest, config),
	}
}

// disk makes a commissioned partition.
func (l *lab) disk(t *testing.T, fs string) *disk {
	t.Helper()
	return newDisk(t, l.bin, fs, l.template)
}
