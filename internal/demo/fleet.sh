#!/bin/sh
# A fleet in one folder: a hub, five nodes, and what may become of a node: an
# update, a failed one, an older copy of the partition, a history written again,
# a clone. It ends with the hub's verdict, and fails if a state is missing there.
# Needs neither root nor a service. Leaves everything in demo-fleet/ (or in the
# directory given) to look at, and starts over when it is run again.
#
#	fleet.sh [DIR]
#
# EDGED_BIN is the directory of edged, edgectl and edgehub; without it bin/ of
# this checkout.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
dir=${1:-$top/demo-fleet}
bin=${EDGED_BIN:-$top/bin}

bold= plain=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi
say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
die() {
	echo "demo-fleet: $*" >&2
	exit 1
}

for tool in edged edgectl edgehub; do
	[ -x "$bin/$tool" ] || die "$bin/$tool is missing: run make build, or set EDGED_BIN to the directory that holds it"
done
for tool in cat cp grep mkdir mv rm sed sleep; do
	command -v "$tool" >/dev/null || die "$tool is not installed: it comes with coreutils, grep and sed"
done
if [ -e "$dir" ] && [ ! -e "$dir/.edged-demo-fleet" ]; then
	die "$dir exists and is no demo of a fleet: move it away, or name another directory"
fi
rm -rf "$dir"
mkdir -p "$dir"
: >"$dir/.edged-demo-fleet"

dir=$(cd "$dir" && pwd)
PATH=$bin:$PATH
unset EDGE_STATE_ROOT EDGE_CONFIG EDGEHUB_STORE
export PATH EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1

hub=
end() {
	if [ -n "$hub" ]; then
		kill "$hub" 2>/dev/null || :
		wait "$hub" 2>/dev/null || :
	fi
	hub=
}
trap end EXIT
trap 'exit 1' HUP INT TERM

# run CODE COMMAND...: shows the command, and expects its exit code.
run() {
	want=$1
	shift
	printf '$ %s\n' "$*"
	got=0
	"$@" || got=$?
	[ "$got" = "$want" ] || die "that is exit $got, and $want was expected"
	[ "$want" = 0 ] || printf '(exit %s)\n' "$got"
}

# quiet CODE COMMAND...: the same, and shows nothing unless it is another code.
quiet() {
	want=$1
	shift
	got=0
	"$@" >"$dir/last.log" 2>&1 || got=$?
	[ "$got" = "$want" ] || { cat "$dir/last.log" >&2; die "$* is exit $got, and $want was expected"; }
}

# on NODE: what follows is about that node.
on() {
	node=$1 state=$dir/$1/state
	export EDGE_CONFIG="$state/bootstrap/config.yaml"
}
ship() { "$1" "$2" edgectl ship --ship-config "$dir/$node/ship.yaml"; }

# replaced CODE: the node boots another operating system. A kernel of another
# release is one, where it can be pretended; otherwise the record of what was
# verified is edited, which the gate answers in the same way. again: it boots
# that system once more.
if setarch --uname-2.6 edged version >/dev/null 2>&1; then
	replaced() { run "$1" setarch --uname-2.6 edged precheck; }
	again() { run 0 setarch --uname-2.6 edged precheck; }
else
	replaced() {
		file=$state/bootstrap/os_fingerprint.json
		sed 's/"composite_hash": "[0-9a-f]*"/"composite_hash": "0000000000000000000000000000000000000000000000000000000000000000"/' "$file" >"$dir/edited.json"
		run 0 mv "$dir/edited.json" "$file"
		run "$1" edged precheck
	}
	again() { run 0 edged precheck; }
fi

say "The hub: a key, a store in a folder, an address. Without certificates, as this is a demonstration"
printf '$ edgehub key demo-hub --out %s\n' "$dir/hub.key"
key=$(edgehub key demo-hub --out "$dir/hub.key")
echo "$key"
printf '$ edgehub serve --store %s --key %s --open-enrolment --listen 127.0.0.1:0 &\n' "$dir/store" "$dir/hub.key"
edgehub serve --store "$dir/store" --key "$dir/hub.key" --open-enrolment --listen 127.0.0.1:0 2>"$dir/hub.log" &
hub=$!
address= tries=0
while [ -z "$address" ]; do
	kill -0 "$hub" 2>/dev/null && [ "$tries" -lt 60 ] || { cat "$dir/hub.log" >&2; die "the hub does not start"; }
	tries=$((tries + 1))
	sleep 0.5
	address=$(sed -n 's|.*\(http://[0-9.:]*\)/.*|\1|p' "$dir/hub.log")
done
echo "$address"

say "Five nodes: a state root each, a first boot, a second one, and the hub gets the history"
for node in depot-01 depot-02 depot-03 depot-04 depot-05; do
	on "$node"
	show=quiet
	[ "$node" != depot-01 ] || show=run
	mkdir "$dir/$node"
	$show 0 edgectl init "$state" --node "$node" --demo
	mkdir "$dir/$node/checkpoints"
	cat >"$dir/$node/ship.yaml" <<-YAML
		checkpoints: $dir/$node/checkpoints
		hub:
		  url: $address
		  key: $key
	YAML
	$show 0 edged precheck
	$show 0 edged precheck
	ship $show 0
	[ "$node" != depot-01 ] || echo "... and the same on depot-02 to depot-05"
done

say "depot-01: the system is replaced, and reconstructed"
on depot-01
replaced 0
again
ship run 0

say "depot-02: the same, but somebody has edited the signed manifest: the gate stops the boot"
on depot-02
echo >>"$state/runtime/manifest.json"
replaced 5
ship run 0

say "depot-03: it boots and ships, and then an older copy of its partition is put back"
on depot-03
cp -Rp "$dir/depot-03" "$dir/copy"
quiet 0 edged precheck
ship run 0
rm -rf "$dir/depot-03"
mv "$dir/copy" "$dir/depot-03"
ship run 1

say "depot-04: root writes the newest records again, with the node's own key, and more of them than there were"
on depot-04
cp -Rp "$dir/depot-04" "$dir/copy"
quiet 0 edged precheck
ship run 0
rm -rf "$dir/depot-04"
mv "$dir/copy" "$dir/depot-04"
for boot in 1 2 3; do quiet 0 edged precheck; done
ship run 1

say "depot-05: its disk is copied, and both machines run"
on depot-05
cp -Rp "$dir/depot-05" "$dir/depot-05.clone"
quiet 0 edged precheck
ship run 0
echo "... the clone, in the place of the first:"
mv "$dir/depot-05" "$dir/depot-05.first"
mv "$dir/depot-05.clone" "$dir/depot-05"
quiet 0 edged precheck
ship run 1
echo "... and the first again:"
mv "$dir/depot-05" "$dir/depot-05.clone"
mv "$dir/depot-05.first" "$dir/depot-05"
quiet 0 edged precheck
ship run 0

say "The hub ends. Its store says which nodes may be trusted (exit 1: somebody has to look)"
end
printf '$ edgehub status --store %s\n' "$dir/store"
got=0
edgehub status --store "$dir/store" >"$dir/status.txt" || got=$?
cat "$dir/status.txt"
[ "$got" = 1 ] || die "that is exit $got, and 1 was expected"
echo "(exit 1)"
echo "Every node is also flagged here, because the demonstration skips the check for a persistent partition."
for want in 'depot-01: flagged' 'depot-02: failing' 'depot-03: rolled back' 'depot-04: rewritten' 'depot-05: cloned'; do
	grep -qx "$want" "$dir/status.txt" || die "the hub does not say \"$want\""
done
[ "$(grep -c '^  flagged: ' "$dir/status.txt")" = 5 ] || die "the hub does not flag all five nodes"

say "An auditor verifies the store: every record, every signature of the nodes and of the hub"
run 0 edgehub verify --store "$dir/store" --key "$key" --deep

rm -f "$dir/last.log"
short() { case $1 in "$PWD"/*) echo "${1#"$PWD"/}" ;; *) echo "$1" ;; esac; }
say "It is all in $dir. To look at the page of the fleet, start the hub again:"
echo "  $(short "$bin/edgehub") serve --store $(short "$dir/store") --key $(short "$dir/hub.key") --open-enrolment"
echo "and open http://127.0.0.1:8430/ in a browser. Ctrl+C ends the hub."
