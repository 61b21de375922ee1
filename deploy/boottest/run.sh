#!/bin/bash
# Boots a real systemd with the real units, in namespaces of its own, and checks
# which of them started. Needs root, systemd, unshare, overlayfs and cgroup2.
# Exit 77: one of them is missing. Exit 1: a unit did not do what it promises.
#
#	run.sh            every case, with a replacement of the gate
#	run.sh EDGED      the same, and the real binary in the units' sandbox; and the
#	                  hub's, if edgehub is beside EDGED
#
# It changes nothing outside the namespaces: the root is an overlay, /run and
# /dev are new, and it enters a child of its own in the machine's cgroups.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
edged=${1:+$(realpath "$1")}

missing() {
	echo "boottest: skipped: $*"
	exit 77
}
[ "$(id -u)" = 0 ] || missing "not root"
[ -x /lib/systemd/systemd ] || missing "systemd is not installed"
for tool in unshare script; do
	command -v $tool >/dev/null || missing "$tool is not installed (util-linux, bsdutils)"
done
grep -qw overlay /proc/filesystems || missing "the kernel has no overlayfs"
grep -qw cgroup2 /proc/filesystems || missing "the kernel has no cgroup2"
unshare --mount --pid --fork --cgroup --net --uts --ipc true 2>/dev/null || missing "namespaces cannot be made here"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# boot CASE leaves the output of the booted system in $work/CASE/.
boot() {
	mkdir -p "$work/$1"
	script --quiet --return --command "unshare --mount bash '$here/boot.sh' '$here/..' '$work/$1' '$1' '$edged'" \
		"$work/$1/console" </dev/null >/dev/null 2>&1 || true
	[ -s "$work/$1/result" ] || {
		tail -n 40 "$work/$1/console"
		missing "systemd booted and ran nothing"
	}
}

failed=0
# expect CASE TEXT: a line of the result is exactly TEXT.
expect() {
	if grep -qxF -- "$2" "$work/$1/result"; then
		echo "ok    $1: $2"
	else
		echo "FAIL  $1: wanted \"$2\", got:"
		sed 's/^/      /' "$work/$1/result"
		grep -E 'edged|precheck' "$work/$1/console" | tail -n 30 | sed 's/^/      console: /' || true
		failed=1
	fi
}

# said CASE TEXT: the gate's log has TEXT.
said() {
	if grep -F "gate said: " "$work/$1/result" | grep -qF -- "$2"; then
		echo "ok    $1: said \"$2\""
	else
		echo "FAIL  $1: the gate did not say \"$2\":"
		sed 's/^/      /' "$work/$1/result"
		failed=1
	fi
}

boot pass
expect pass "gate: active success 0"
expect pass "daemon: ran"
expect pass "pass: there"
expect pass "scrub: success 0"
expect pass "checkpoint: 0.7.checkpoint"
expect pass "after restart of the daemon: ran"
expect pass "after the gate was stopped: no pass, daemon inactive"


boot fail
expect fail "gate: failed exit-code 5"
expect fail "daemon: did not run"
expect fail "pass: none"

boot stale
expect stale "gate: failed exit-code 5"
expect stale "daemon: did not run"

# The unit is gone, masked, or replaced by one that judges nothing.
for c in absent masked hollow; do
	boot $c
	expect $c "daemon: did not run"
	expect $c "pass: none"
done

# A drop-in removes Requires=: the assertion alone holds the daemon back.
boot unrequired
expect unrequired "daemon: did not run"

boot reenabled
expect reenabled "gate: active success 0"
expect reenabled "daemon: ran"

if [ -n "$edged" ]; then
	boot real
	expect real "gate: active success 0"
	expect real "pass: there"
	expect real "certificate: rotated"
	expect real "again: active 0"

	# The shipped sandbox, and mounts over a state root. Here the mount check is
	# enforced.
	boot unmounted
	expect unmounted "gate: failed exit-code 2"
	said unmounted "a part of the root filesystem"
	expect unmounted "daemon: did not run"
	if command -v mkfs.ext4 >/dev/null && losetup --find >/dev/null 2>&1; then
		for c in partition setgid covered-itself; do
			boot $c
			expect $c "gate: active success 0"
			expect $c "pass: there"
		done
		expect setgid "set-gid: inherited"
		expect setgid "again: active 0"
		for c in covered world-writable sandboxed; do
			boot $c
			expect $c "gate: failed exit-code 2"
			expect $c "daemon: did not run"
		done
		said covered "mounted over a part of it"
		said world-writable "writable for everybody: the mode of runtime is 0777"
		said sandboxed "a sandbox, or a bind mount"
		said sandboxed "ReadWritePaths="
	else
		echo "boottest: skipped: a partition of its own needs mkfs.ext4 and loop devices"
	fi
fi
if [ -n "$edged" ] && [ -x "$(dirname "$edged")/edgehub" ]; then
	boot hub
	expect hub "hub: active success 0"
	expect hub "store: edgehub 700"
	expect hub "key: hub.example.org"
	expect hub "fleet: 0 nodes, 0 records"
	expect hub "credentials: not to be read by the hub's user elsewhere"
	expect hub "stopped: inactive success 0"
	boot hub-without-key
	expect hub-without-key "hub: inactive success 0"
fi
exit $failed
