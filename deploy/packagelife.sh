#!/bin/bash
# The life of a package in a throw-away root: an overlay over this machine's /.
# Arguments: the package, and a newer one. It runs in a mount namespace of its
# own and prints a line for each part. Exit status 77: this cannot be tried here.
set -eEu
[ "$(id -u)" = 0 ] || { echo "not root" && exit 77; }
grep -qw overlay /proc/filesystems || { echo "the kernel has no overlayfs" && exit 77; }
command -v systemctl >/dev/null || { echo "systemctl is not installed" && exit 77; }
deb=$(realpath "$1") newer=$(realpath "$2")

mount --make-rprivate /
work=$(mktemp -d)
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
root=$work/root
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp" # no /run/systemd/system: nothing is started or stopped
rm -rf "$root/etc/edged" "$root/persist"
cp "$deb" "$root/tmp/edged.deb"
cp "$newer" "$root/tmp/newer.deb"

log=$work/log
trap 'rc=$?; [ $rc = 0 ] || { echo "line $LINENO: exit status $rc"; tail -n 40 "$log"; }; umount -l "$work"; rmdir "$work"' EXIT
in_root() { chroot "$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1 "$@" >>"$log" 2>&1; }
not() { ! "$@"; } # set -e takes no notice of a "!"
enabled() { [ -L "$root/etc/systemd/system/$1" ]; }
all_enabled() (
	set -e
	enabled multi-user.target.wants/edged-precheck.service
	enabled multi-user.target.wants/edged.service
	enabled timers.target.wants/edged-scrub.timer
	not enabled timers.target.wants/edged-checkpoint.timer
)
# No link to a unit of ours leads nowhere.
none_dangling() { [ -z "$(chroot "$root" find /etc/systemd /usr/lib/systemd -xtype l -name 'edged*')" ]; }
# What belongs to the operator: names, contents, modes, times.
operators() { (cd "$root" && find persist etc/edged -printf '%p %m %U %T@ ' -type f -exec b2sum {} \; -o -printf '\n') | sort | b2sum; }

in_root dpkg --no-triggers -i /tmp/edged.deb
all_enabled
none_dangling
echo installed

# As docs/commissioning.md has it: the example config, with a salt put in.
in_root edged --version
mkdir -p "$root/etc/edged" "$root/persist"
sed "s/put the salt of your fleet here.*\"/$(printf 'ab%.0s' $(seq 32))\"/" "$root/usr/share/doc/edged/examples/config.yaml" >"$root/etc/edged/config.yaml"
in_root edgectl init /persist/edge --demo --node edge-node-01
mv "$root/persist/edge/tls" "$root/persist/tls"
in_root edged precheck --config /etc/edged/config.yaml
in_root edgectl journal verify --deep --state-root /persist/edge
in_root bash -n /usr/share/bash-completion/completions/edgectl
before=$(operators)
echo used

# What an operator has enabled and disabled stays as it is.
in_root systemctl disable edged-scrub.timer
in_root systemctl enable edged-checkpoint.timer
in_root dpkg --no-triggers -i /tmp/newer.deb
enabled multi-user.target.wants/edged-precheck.service
enabled timers.target.wants/edged-checkpoint.timer
not enabled timers.target.wants/edged-scrub.timer
none_dangling
[ "$before" = "$(operators)" ]
echo upgraded

in_root dpkg --no-triggers -r edged
not enabled multi-user.target.wants/edged-precheck.service
not enabled multi-user.target.wants/edged.service
not [ -e "$root/usr/bin/edged" ]
none_dangling
[ "$before" = "$(operators)" ]
echo removed

in_root dpkg --no-triggers -i /tmp/edged.deb
all_enabled
echo "installed again"

in_root dpkg --no-triggers -P edged
none_dangling
[ -z "$(find "$root/etc" "$root/usr" "$root/var/lib/systemd" -name '*edged*' ! -path "$root/etc/edged" ! -path "$root/usr/local/*" 2>/dev/null)" ]
[ "$before" = "$(operators)" ]
echo purged
