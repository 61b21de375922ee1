#!/bin/sh
# The main job, end to end, on a state root of its own: first boot, an OS
# replacement, reconstruction, the history, a verdict. Needs neither root nor a
# service. Leaves everything in demo/ (or in the directory given) to look at,
# and starts over when it is run again.
#
#	run.sh [DIR]
#
# EDGED_BIN is the directory of edged and edgectl; without it bin/ of this
# checkout.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
dir=${1:-$top/demo}
bin=${EDGED_BIN:-$top/bin}

bold= plain=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi
say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
run() { printf '$ %s\n' "$*"; "$@"; }
die() {
	echo "demo: $*" >&2
	exit 1
}

for tool in edged edgectl; do
	[ -x "$bin/$tool" ] || die "$bin/$tool is missing: run make build, or set EDGED_BIN to the directory that holds it"
done
for tool in cp ls mkdir mv rm sed; do
	command -v "$tool" >/dev/null || die "$tool is not installed: it comes with coreutils and sed"
done
if [ -e "$dir" ] && [ ! -e "$dir/.edged-demo" ]; then
	die "$dir exists and is not a demo: move it away, or name another directory"
fi
rm -rf "$dir"
mkdir -p "$dir"
: >"$dir/.edged-demo"

dir=$(cd "$dir" && pwd)
state=$dir/state
PATH=$bin:$PATH
unset EDGE_STATE_ROOT
export PATH EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1 EDGE_CONFIG="$state/bootstrap/config.yaml"

say "A state root, a config, TLS material, manifest keys, an empty signed manifest"
run edgectl init "$state" --node demo-node-01 --demo

say "First boot: there is no baseline yet, so the live system becomes it"
run edged precheck

say "Second boot: the fingerprint matches; exit 0 and not a word"
run edged precheck

say "The operator deploys a binary and signs a manifest that installs it"
run cp "$bin/edged" "$state/runtime/binaries/edged"
run edgectl manifest new --serial 1 --copy-binary edged:runtime/edged --out "$state/runtime/manifest.json"
run edgectl manifest sign --key "$state/demo/manifest-verify.key"

# A kernel of another release is a replacement like any other, where one can be
# pretended; otherwise the record of what was verified is edited, which the gate
# answers in the same way.
if setarch --uname-2.6 edged version >/dev/null 2>&1; then
	say "The system is replaced: the kernel is of another release now"
	run setarch --uname-2.6 edged precheck
else
	say "Somebody edits what says that the system is the same"
	file=$state/bootstrap/os_fingerprint.json
	sed 's/"composite_hash": "[0-9a-f]*"/"composite_hash": "0000000000000000000000000000000000000000000000000000000000000000"/' "$file" >"$dir/edited.json"
	run mv "$dir/edited.json" "$file"
	run edged precheck
fi

say "What the manifest installs is there, and evidence of it"
run ls "$state/runtime" "$state/epoch/current"

say "The history"
run edgectl journal log

say "The verdict"
run edgectl journal verify --deep

say "It is all in $dir: look at it. docs/tutorial.md does this by hand."
