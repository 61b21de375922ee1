package vm

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/autonomyops/edged/internal/hosttest"
)

// debianRoot returns a tar archive of a Debian root filesystem with systemd. It is made once and kept in
// the cache, where it has its name only when it is complete.
func debianRoot(t *testing.T) string {
	t.Helper()
	dir := cache(t)
	archive := filepath.Join(dir, "root-bookworm.tar")
	if _, err := os.Stat(archive); err == nil {
		return archive
	}
	temporary, err := os.MkdirTemp(dir, ".fetch-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temporary) //nolint:errcheck // a left-over is ignored by later runs
	run(t, temporary, "mmdebstrap", "--quiet", "--variant=minbase", "--include=systemd,systemd-sysv,udev", "bookworm", "root.tar")
	if err := os.Rename(filepath.Join(temporary, "root.tar"), archive); err != nil {
		t.Fatal(err)
	}
	return archive
}

// rootImage returns an image as deploy/README.md says: Debian, our package, the node's config and the mount
// of the partition. The machine's id is fixed: systemd would take a boot without one for the first of the
// image, and enable the units of every preset. What only costs time here is masked.
func (l *lab) rootImage(t *testing.T) string {
	t.Helper()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	h := hosttest.New(t, l.bin)
	h.Env = append(h.Env, "ARCHIVE="+debianRoot(t), "REPOSITORY="+repository, "BIN="+l.bin, "TEMPLATE="+l.template)
	h.Sh(`mkdir root package
tar -xf $ARCHIVE -C root
bash $REPOSITORY/deploy/package.sh $DIR/package >log 2>&1 || { cat log; exit 1; }
cp package/edged_*.deb root/tmp/edged.deb
chroot root dpkg --install /tmp/edged.deb >log 2>&1 || { cat log; exit 1; }
cmp root/usr/bin/edged $BIN/edged
mkdir root/persist root/etc/edged
sed 's|/persist/edge/tls/|/persist/tls/|' $TEMPLATE/edge/bootstrap/config.yaml >root/etc/edged/config.yaml
echo "/dev/vda /persist auto defaults 0 0" >root/etc/fstab
echo 0123456789abcdef0123456789abcdef >root/etc/machine-id
cd $REPOSITORY/internal/vm/image
install -m 0755 collect $DIR/root/usr/local/bin/
install -m 0644 *.service $DIR/root/etc/systemd/system/
install -m 0644 -D udev-trigger.conf $DIR/root/etc/systemd/system/systemd-udev-trigger.service.d/udev-trigger.conf
cd $DIR
chroot root systemctl --quiet enable collect.service mark-good.service
chroot root systemctl --quiet mask getty.target modprobe@.service {dev-hugepages,dev-mqueue,sys-kernel-{debug,tracing,config}}.mount \
	systemd-{logind,random-seed,sysusers,sysctl,modules-load,journal-flush,update-utmp,update-utmp-runlevel,user-sessions}.service \
	{e2scrub_all,apt-daily,apt-daily-upgrade,dpkg-db-backup,fstrim}.timer e2scrub_reap.service
mkdir root/etc/systemd/system-generators
for generator in root/usr/lib/systemd/system-generators/*; do
	[ ${generator##*/} = systemd-fstab-generator ] || ln -s /dev/null root/etc/systemd/system-generators/${generator##*/}
done
truncate -s 512M image
mkfs.ext4 -q -d root image
rm -r root`)
	return filepath.Join(h.Dir, "image")
}

// A node is one whose operating system is a kernel and a root filesystem, in which systemd starts the gate.
type node struct {
	*testing.T
	d    *disk // the persistent partition
	root *disk // the root filesystem, a new one at each boot
}

// group owns all of the partition. Each folder there is set-gid, as an operator of several users may want it.
const group = "4321"

// newNode commissions a partition. The runtime is installed by hand, as a first boot installs nothing.
func (l *lab) newNode(t *testing.T, fs, image string) *node {
	t.Helper()
	h := hosttest.New(t, l.bin)
	h.Env = append(h.Env, "IMAGE_TO_INSTALL="+image)
	h.Sh(`mkdir persist`)
	n := &node{T: t, d: l.disk(t, fs), root: &disk{Host: h, fs: "ext4", image: filepath.Join(h.Dir, "root")}}
	n.d.prepare(deployRuntime(1) + `
mv $STATE/tls $DIR/persist/
cp $STATE/runtime/binaries/edged $STATE/runtime/edged
chgrp -R ` + group + ` $DIR/persist
find $DIR/persist -type d -exec chmod g+s {} +
`)
	return n
}

// boot installs the image with another os-release, lets a script change the tree, and boots it. It returns
// what was to be seen of the boot, and of the partition after it.
func (n *node) boot(what string, o opsys, change string) (seen, finding) {
	n.Helper()
	env := n.root.Env
	n.root.Env = append(slices.Clone(env), "OS_RELEASE="+o.osRelease)
	n.root.Sh(`cp --sparse=always $IMAGE_TO_INSTALL root`)
	n.root.mounted(n.root.image, "rw", `printf %s "$OS_RELEASE" >persist/usr/lib/os-release
`+change)
	n.root.Env = env
	o.line = " root=/dev/vdb"
	b := start(n.T, o, n.d, append(drive(n.d.image), drive(n.root.image)...), nil)
	if !b.done {
		n.Fatalf("%s: the boot did not end in its collector\n%s", what, b.console)
	}
	n.root.mounted(n.root.image, "ro", `rm -rf seen; cp -r persist/seen seen`)
	n.d.mounted(n.d.image, "ro", look+`
find persist -name lost+found -prune -o -printf "/%P %y %m %g\n" >found/modes`)
	return seen{n.T, filepath.Join(n.root.Dir, "seen")}, n.d.found("found")
}
