package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackageHubFiles: what is in the package of the hub, and nothing of a node's.
func TestPackageHubFiles(t *testing.T) {
	_, deb := built(t, "edgehub")
	have := must(t, "dpkg-deb", "-c", deb)
	for _, want := range []string{
		"-rwxr-xr-x root/root ./usr/bin/edgehub", "-rw-r--r-- root/root ./usr/lib/systemd/system/edgehub.service", "-rw-r--r-- root/root ./usr/lib/sysusers.d/edgehub.conf",
		"-rw-r--r-- root/root ./usr/share/man/man1/edgehub-serve.1.gz", "-rw-r--r-- root/root ./usr/share/bash-completion/completions/edgehub",
		"-rw-r--r-- root/root ./usr/share/doc/edgehub/docs/hub.md", "-rw-r--r-- root/root ./usr/share/doc/edgehub/deploy/hub/edgehub.env",
		"-rw-r--r-- root/root ./usr/share/doc/edgehub/deploy/prometheus/edged.rules.yml", "-rw-r--r-- root/root ./usr/share/doc/edgehub/sbom.cdx.json",
		"-rw-r--r-- root/root ./usr/share/doc/edgehub/third-party-licenses.txt.gz", "-rw-r--r-- root/root ./usr/share/doc/edgehub/copyright",
	} {
		mode, name, _ := strings.Cut(want, " ./")
		found := false
		for line := range strings.Lines(have) {
			found = found || strings.HasPrefix(line, mode) && strings.HasSuffix(strings.TrimSpace(line), " ./"+name)
		}
		if !found {
			t.Errorf("%s is missing", want)
		}
	}
	for _, other := range []string{"/usr/bin/edged\n", "/usr/bin/edgectl\n", "edged-precheck.service", ".preset", ".go\n"} {
		if strings.Contains(have, other) {
			t.Errorf("%q has no place in it", other)
		}
	}
}

// TestPackageHubPages: each page that the unit names is installed.
func TestPackageHubPages(t *testing.T) {
	_, deb := built(t, "edgehub")
	root := t.TempDir()
	must(t, "dpkg-deb", "-x", deb, root)
	named := strings.Fields(strings.Join(readUnit(t, "edgehub.service")["Unit"]["Documentation"], " "))
	if len(named) != 2 {
		t.Errorf("the unit names %q", named)
	}
	for _, file := range []string{"usr/share/man/man1/edgehub-serve.1.gz", strings.TrimPrefix(named[len(named)-1], "file:///")} {
		if _, err := os.Stat(filepath.Join(root, file)); err != nil {
			t.Error(err)
		}
	}
}

// hubLife installs, upgrades and removes the package in an overlay over this machine's /.
// Exit status 77: this cannot be tried here.
const hubLife = `set -eEu
[ "$(id -u)" = 0 ] || { echo "not root" && exit 77; }
grep -qw overlay /proc/filesystems || { echo "the kernel has no overlayfs" && exit 77; }
for tool in systemctl systemd-sysusers; do command -v $tool >/dev/null || { echo "$tool is not installed" && exit 77; }; done
mount --make-rprivate /
work=$(mktemp -d)
mount -t tmpfs tmpfs "$work"
trap 'umount -l "$work"; rmdir "$work"' EXIT
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
root=$work/root
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
cp "$0" "$root/tmp/edgehub.deb"
in_root() { chroot "$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"; }
link=$root/etc/systemd/system/multi-user.target.wants/edgehub.service
in_root dpkg --no-triggers -i /tmp/edgehub.deb >&2
in_root id edgehub >&2
in_root edgehub --version >&2
[ ! -L "$link" ]
echo installed
in_root systemctl enable edgehub.service >&2
mkdir -p "$root/etc/edgehub" "$root/var/lib/edgehub"
in_root edgehub key hub.example.org --out /etc/edgehub/hub.key >&2
in_root dpkg --no-triggers -i /tmp/edgehub.deb >&2
[ -L "$link" ]
echo upgraded
in_root dpkg --no-triggers -P edgehub >&2
[ ! -L "$link" ]
[ ! -e "$root/usr/bin/edgehub" ]
[ -s "$root/etc/edgehub/hub.key" ] && [ -d "$root/var/lib/edgehub" ]
echo purged
`

// TestPackageHubLife: the package makes the user and enables nothing; an upgrade keeps what
// the operator enabled, and a removal leaves key and store.
func TestPackageHubLife(t *testing.T) {
	_, deb := built(t, "edgehub")
	deb, err := filepath.Abs(deb)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "bash", "-c", hubLife, deb)
	var told bytes.Buffer
	cmd.Stderr = &told
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() == 77 {
		t.Skipf("%s", out) // the script says what this machine lacks
	}
	if err != nil || string(out) != "installed\nupgraded\npurged\n" {
		t.Errorf("%v\n%s%s", err, out, told.Bytes())
	}
}
