#!/bin/bash
# Runs inside the namespaces of run.sh: makes one root, and becomes its systemd.
# Arguments: deploy folder, result folder, case, path of a real edged or "".
set -eu
deploy=$1 out=$2 case=$3 edged=$4

if [ -z "${BOOTTEST_INSIDE:-}" ]; then
	# It enters a cgroup of its own first, so that the new systemd sees nothing above it.
	mount --make-rprivate /
	cg=$out/cgroup
	mkdir "$cg"
	mount -t cgroup2 cgroup2 "$cg"
	mkdir -p "$cg/edged-boottest-$$"
	echo $$ >"$cg/edged-boottest-$$/cgroup.procs"
	rc=0
	BOOTTEST_INSIDE=1 timeout --signal=KILL 60 unshare --kill-child --mount --pid --fork --cgroup --net --uts --ipc \
		bash "$0" "$@" || rc=$?
	echo $$ >"$cg/cgroup.procs"
	find "$cg/edged-boottest-$$" -depth -type d -exec rmdir {} + 2>/dev/null || true
	umount "$cg" && rmdir "$cg"
	exit $rc
fi

mount --make-rprivate /
work=$out/fs
mkdir "$work"
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
root=$work/root

# Only the units under test, and the targets that want them.
units=$root/usr/lib/systemd/system
mount -t tmpfs tmpfs "$units"
for u in sysinit basic shutdown exit local-fs network network-online time-sync time-set timers paths slices sockets multi-user; do
	printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' $u >"$units/$u.target"
done
cp "$deploy"/systemd/*.service "$deploy"/systemd/*.timer "$units"
mkdir -p "$root/usr/lib/systemd/system-preset"
cp "$deploy"/systemd/*.preset "$root/usr/lib/systemd/system-preset"
rm -rf "$root/etc/systemd/system" "$root/etc/systemd/user" "$root/persist"
mkdir -p "$root/etc/systemd/system" "$root/etc/edged" "$root/boottest" "$root/persist"
case $case in
partition | setgid | covered | covered-itself | world-writable | sandboxed)
	truncate -s 64M "$out/partition"
	mkfs.ext4 -q "$out/partition"
	mount -o loop "$out/partition" "$root/persist"
	;;
esac
state=$root/persist/edge
mkdir -p "$state/edge" "$state/runtime"

case $case in
real | partition | setgid | covered | covered-itself | world-writable | sandboxed | unmounted)
	cp "$edged" "$root/usr/bin/edged"
	bash "$deploy/boottest/node.sh" "$root"
	mkdir -p "$units/edged-precheck.service.d"
	printf '[Service]\nStandardError=append:/boottest/gate\n' >"$units/edged-precheck.service.d/boottest.conf"
	;;
*)
	cat >"$root/usr/bin/edged" <<-'EOF'
		#!/bin/sh
		# Replaces the gate: edged precheck --ready-file PATH.
		[ "$*" = "precheck --ready-file /run/edged/passed" ] || exit 1
		rm -f /run/edged/passed
		[ -e /etc/edged/verdict ] && exit "$(cat /etc/edged/verdict)"
		echo '{}' >/run/edged/passed
	EOF
	;;
esac
case $case in
hub | hub-without-key)
	cp "$(dirname "$edged")/edgehub" "$root/usr/bin/edgehub"
	cp "$deploy/hub/edgehub.service" "$units"
	grep -q ^edgehub: "$root/etc/passwd" || systemd-sysusers --root="$root" "$deploy/hub/edgehub.sysusers"
	hub=$root/etc/edgehub
	mkdir -p "$hub"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=hub -keyout "$hub/hub-key.pem" -out "$hub/hub.pem" 2>/dev/null
	cp "$hub/hub.pem" "$hub/nodes-ca.pem"
	openssl rand -hex 32 >"$hub/tokens"
	[ "$case" != hub ] || "$root/usr/bin/edgehub" key hub.example.org --out "$hub/hub.key" >"$root/etc/edgehub/hub.pub"
	chmod 0755 "$hub"
	chmod 0644 "$hub/hub.pem" "$hub/nodes-ca.pem"
	chmod 0600 "$hub/hub-key.pem" "$hub/tokens"
	mkdir -p "$units/edgehub.service.d"
	printf '[Service]\nStandardError=append:/boottest/hub\n' >"$units/edgehub.service.d/boottest.conf"
	ip link set lo up
	;;
real) # an overlay is no persistent partition; everything else of the gate is as shipped
	printf 'Environment=EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1\n' >>"$units/edged-precheck.service.d/boottest.conf"
	;;
setgid) # an operator wants all of it to belong to one group
	mkdir -p "$state/identity" "$state/epoch"
	find "$state" -type d -exec chmod 2770 {} +
	;;
covered)
	mkdir "$state/journal"
	mount -t tmpfs tmpfs "$state/journal"
	;;
covered-itself)
	mkdir "$state/epoch"
	mount --bind "$state/epoch" "$state/epoch"
	;;
world-writable) chmod 0777 "$state/runtime" ;;
sandboxed) printf 'ReadWritePaths=\n' >>"$units/edged-precheck.service.d/boottest.conf" ;;
unmounted) # the filesystem is admitted; the gate refuses it because it is the one of /
	printf 'gate: { extra_filesystems: [overlay] }\n' >>"$root/etc/edged/config.yaml"
	;;
esac
cat >"$root/persist/edge/runtime/edged" <<-'EOF'
	#!/bin/sh
	echo ran >>/persist/edge/edge/daemon
	exec sleep 600
EOF
cat >"$root/usr/bin/edgectl" <<-'EOF'
	#!/bin/sh
	# Replaces edgectl journal verify --deep and journal checkpoint.
	[ "$EDGE_STATE_ROOT" = /persist/edge ] || exit 2
	case $* in
	"journal verify --deep") ! touch /persist/edge/written 2>/dev/null ;;
	"journal checkpoint") printf 'edged/0\n7\nroot\n\nsignature\n' ;;
	*) exit 2 ;;
	esac
EOF
mkdir -p "$root/usr/libexec/edged" "$root/persist/checkpoints"
cp "$deploy/systemd/write-checkpoint" "$root/usr/libexec/edged/"
chmod 0755 "$root/usr/bin/edgectl" "$root/usr/libexec/edged/write-checkpoint" "$root/usr/bin/edged" "$root/persist/edge/runtime/edged"

want="edged.service edged-precheck.service"
case $case in
fail) echo 5 >"$root/etc/edged/verdict" ;;
stale) # a pass of the boot before, which a soft reboot could leave
	echo 5 >"$root/etc/edged/verdict" ;;
absent) rm "$units/edged-precheck.service" ;;
masked) ln -s /dev/null "$root/etc/systemd/system/edged-precheck.service" ;;
hollow) printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n' >"$root/etc/systemd/system/edged-precheck.service" ;;
unrequired)
	want=edged.service
	sed -i '/^Requires=edged-precheck/d' "$units/edged.service"
	;;
hub | hub-without-key) want=edgehub.service ;;
reenabled) # an empty /etc after an update: only the presets enable units
	want=multi-user.target
	systemctl --root="$root" preset edged-precheck.service edged.service
	;;
esac
printf '[Unit]\nDefaultDependencies=no\nWants=%s boottest.service\n' "$want" >"$units/boottest.target"
cat >"$units/boottest.service" <<-EOF
	[Unit]
	DefaultDependencies=no
	After=edged.service edged-precheck.service edgehub.service multi-user.target
	[Service]
	Type=oneshot
	ExecStart=/bin/bash /boottest/look.sh $case
	StandardOutput=truncate:/boottest/result
	StandardError=append:/boottest/result
EOF

mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue" # PrivateDevices= passes them on
for d in null zero full random urandom tty ptmx; do
	touch "$root/dev/$d"
	mount --bind "/dev/$d" "$root/dev/$d"
done
if [ "$case" = stale ]; then
	mkdir "$root/run/edged"
	echo '{}' >"$root/run/edged/passed"
fi
cp "$deploy/boottest/look.sh" "$out/"
touch "$root/dev/console"
mount --bind "$out" "$root/boottest"
mount --bind "$(tty)" "$root/dev/console" # systemd logs only to a terminal

cd "$root"
mkdir -p mnt/old
pivot_root . mnt/old
umount -l /mnt/old
# As systemd does at a boot outside a container: credentials come by a mount that another
# namespace makes.
case $case in hub*) mount --make-rshared / ;; esac
exec env -i container=edged-boottest PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system \
	--unit=boottest.target --log-target=console --log-level=debug --show-status=no
