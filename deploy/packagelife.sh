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
rm -rf "$root/etc/edged" "$root/persist" "$root/srv"
cp "$deb" "$root/tmp/edged.deb"
cp "$newer" "$root/tmp/newer.deb"

log=$work/log
trap 'echo "line $((BASH_LINENO[0] ? BASH_LINENO[0] : LINENO)) failed"' ERR
trap 'rc=$?; [ $rc = 0 ] || tail -n 40 "$log"; umount -l "$work"; rmdir "$work"' EXIT
in_root() { chroot "$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1 "$@" >>"$log" 2>&1; }
fails() { echo "$*" && exit 1; }
# Each of the links in /etc/systemd/system exists.
enabled() { for link; do [ -L "$root/etc/systemd/system/$link" ] || fails "not enabled: $link"; done; }
# None of them exists.
disabled() { for link; do [ ! -L "$root/etc/systemd/system/$link" ] || fails "enabled: $link"; done; }
gate=multi-user.target.wants/edged-precheck.service
daemon=multi-user.target.wants/edged.service
scrub=timers.target.wants/edged-scrub.timer
checkpoint=timers.target.wants/edged-checkpoint.timer
masked() { for unit; do [ "$(readlink "$root/etc/systemd/system/$unit")" = /dev/null ] || fails "not masked: $unit"; done; }
as_preset() { enabled $gate $daemon $scrub && disabled $checkpoint; }
# Every link to a unit of ours, also one of another name, leads to a file.
none_dangling() {
	local found
	found=$(chroot "$root" find /etc/systemd /usr/lib/systemd -xtype l \( -name 'edged*' -o -lname '*/edged*' \) -printf '%p -> %l\n')
	[ -z "$found" ] || fails "links that lead nowhere:" "$found"
}
# The operator's files: names, contents, modes, owners, times.
operators() { (cd "$root" && find persist etc/edged srv/edge -printf '%p %m %U %T@ ' -type f -exec b2sum {} \; -o -printf '\n') | sort; }
untouched() { operators | diff "$work/before" - || fails "the operator's files have changed"; }

# An image may have masked a unit before: it stays masked, and that is no failure.
in_root systemctl mask edged-scrub.timer
in_root dpkg --no-triggers -i /tmp/edged.deb
masked edged-scrub.timer
enabled $gate $daemon
disabled $scrub $checkpoint
none_dangling
in_root systemctl unmask edged-scrub.timer
in_root systemctl enable edged-scrub.timer
echo installed

# The example config with a salt put in, as in docs/commissioning.md. No unit names
# the second state root.
in_root edged --version
mkdir -p "$root/etc/edged" "$root/persist/checkpoints" "$root/srv"
sed "s/put the salt of your fleet here.*\"/$(printf 'ab%.0s' $(seq 32))\"/" "$root/usr/share/doc/edged/examples/config.yaml" >"$root/etc/edged/config.yaml"
in_root edgectl init /persist/edge --demo --node edge-node-01
mv "$root/persist/edge/tls" "$root/persist/tls"
in_root edged precheck --config /etc/edged/config.yaml
in_root edgectl journal verify --deep --state-root /persist/edge
in_root edgectl init /srv/edge --demo --node edge-node-02
echo segment >"$root/persist/edge/edge/segments/1"
echo checkpoint >"$root/persist/checkpoints/1"
in_root bash -n /usr/share/bash-completion/completions/edgectl
operators >"$work/before"
[ "$(wc -l <"$work/before")" -gt 40 ] || fails "the operator's files were not listed"
echo used

# An upgrade keeps what the operator has enabled, disabled and masked.
in_root systemctl disable edged-scrub.timer edged.service
in_root systemctl mask edged-scrub.service
in_root systemctl enable edged-checkpoint.timer
in_root systemctl add-wants rescue.target edged-precheck.service edged.service
in_root dpkg --no-triggers -i /tmp/newer.deb
enabled $gate rescue.target.wants/edged-precheck.service rescue.target.wants/edged.service $checkpoint
disabled $daemon $scrub
masked edged-scrub.service
none_dangling
untouched
in_root systemctl unmask edged-scrub.service
echo upgraded

# A removal leaves no link, also none that the operator made: it would lead nowhere.
in_root dpkg --no-triggers -r edged
none_dangling
disabled $gate $daemon $scrub $checkpoint rescue.target.wants/edged-precheck.service rescue.target.wants/edged.service
[ ! -e "$root/usr/bin/edged" ] || fails "not removed: edged"
untouched
echo removed

in_root dpkg --no-triggers -i /tmp/edged.deb
as_preset
echo "installed again"

in_root systemctl add-wants rescue.target edged-precheck.service edged.service edged-scrub.timer edged-checkpoint.timer
in_root dpkg --no-triggers -P edged
none_dangling
left=$(find "$root/etc" "$root/usr" "$root/var/lib/systemd" -name '*edged*' ! -path "$root/etc/edged" ! -path "$root/usr/local/*" 2>/dev/null) || true
[ -z "$left" ] || fails "not removed:" "$left"
untouched
echo purged
