#!/bin/sh
# Checks this audit bundle with sh, coreutils, b3sum, jq and openssl alone.
#
#   sh check.sh [KEY.pub]
#
# KEY.pub is the node's checkpoint key as you came to hold it, in the form of
# keys/journal-sign.pub. Without it the key that came with the bundle is used,
# and that proves nothing about who signed.
#
# Exit status: 0 all of it holds, 1 something does not, 2 it could not be checked.
set -eu
export LC_ALL=C

known=${1-}
[ -z "$known" ] || known=$(realpath -- "$known")
cd -- "$(dirname -- "$0")"
for tool in b3sum jq openssl split truncate sha256sum paste base64 basenc seq cmp comm uniq tr; do
	command -v "$tool" >/dev/null || { echo "check.sh: $tool is not installed" >&2; exit 2; }
done
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 2' HUP INT TERM

ok() { printf 'ok: %s\n' "$*"; }
wrong() { printf 'WRONG: %s\n' "$*"; exit 1; }

# hashes TOOL FILE line|65: the hash of each line of FILE without its line
# feed, or of each 65 bytes. A thousand at a time, so that it does not take a
# process for each.
hashes() {
	mkdir "$tmp/some"
	case $3 in
	line) split -a 4 -l 1000 "$2" "$tmp/some/of." ;;
	*) split -a 4 -b $(($3 * 1000)) "$2" "$tmp/some/of." ;;
	esac
	for some in "$tmp"/some/of.*; do
		mkdir "$tmp/some/one"
		case $3 in
		line)
			split -a 3 -l 1 "$some" "$tmp/some/one/"
			truncate -s -1 "$tmp"/some/one/*
			;;
		*) split -a 3 -b "$3" "$some" "$tmp/some/one/" ;;
		esac
		"$1" "$tmp"/some/one/* | cut -c 1-64
		rm -r "$tmp/some/one"
	done
	rm -r "$tmp/some"
}

# chain FILE: every record is in its place and names the one before. Leaves
# its number of records in n, its journal in journal, its last hash in last.
#
# Every line must be the canonical form of what it says: otherwise two readers
# could read two things, of a member that comes twice say. jq writes that form
# for whatever a record holds, but that releases since 1.7 escape DEL, which is
# taken out of both, and print numbers as they came, unless something is added.
# (Member names beyond U+D7FF would be in another order; no record has any.)
chain() {
	[ -z "$(tail -c 1 "$1")" ] || wrong "$1: the last line is cut short"
	tr '\177' ' ' <"$1" >"$tmp/lines"
	jq -cS '(.. | numbers) |= . + 0' "$tmp/lines" >"$tmp/is" 2>/dev/null || wrong "$1: a line is not JSON"
	at=$(cmp "$tmp/lines" "$tmp/is" 2>&1) || wrong "$1: a record is not in its canonical form: ${at##*, }"
	hashes b3sum "$1" line >"$tmp/hash"
	n=$(($(wc -l <"$tmp/hash")))
	seq 1 "$n" >"$tmp/seq"
	jq .seq "$1" >"$tmp/is"
	at=$(cmp "$tmp/seq" "$tmp/is" 2>&1) || wrong "$1: a record is not in its place: ${at##*, }"
	{ printf '%064d\n' 0; cat "$tmp/hash"; } | head -n "$n" >"$tmp/prev"
	jq -r .prev "$1" >"$tmp/is"
	at=$(cmp "$tmp/prev" "$tmp/is" 2>&1) || wrong "$1: a link is broken: ${at##*, }"
	journal=$(jq -r .journal "$1" | sort -u)
	[ "$(printf '%s\n' "$journal" | wc -l)" -eq 1 ] || wrong "$1: it holds records of several journals"
	last=$(tail -n 1 "$tmp/hash")
}

# root FILE: the root of the Merkle tree (RFC 6962) over the lines of FILE.
root() {
	jq -Rr '"\u0000" + .' "$1" >"$tmp/leaves"
	hashes sha256sum "$tmp/leaves" line >"$tmp/level"
	while m=$(($(wc -l <"$tmp/level"))) && [ "$m" -gt 1 ]; do
		head -n $((m / 2 * 2)) "$tmp/level" | paste -d '\0' - - | jq -Rr '"01" + ascii_upcase' | basenc -di --base16 >"$tmp/nodes"
		hashes sha256sum "$tmp/nodes" 65 >"$tmp/above"
		[ $((m % 2)) -eq 0 ] || tail -n 1 "$tmp/level" >>"$tmp/above"
		mv "$tmp/above" "$tmp/level"
	done
	tr a-f A-F <"$tmp/level" | basenc -di --base16 | base64
}

# der KEY: KEY, 32 raw bytes, as openssl reads it.
der() { printf '\060\052\060\005\006\003\053\145\160\003\041\000'; cat "$1"; }

# raw PUB: the 32 raw bytes of a checkpoint key, a line NAME+HASH+KEY.
raw() {
	read -r public <"$1"
	printf '%s' "${public#*+*+}" | base64 -d | tail -c 32
}

# signed KEY FILE SIGNATURE: KEY, 32 raw bytes, signed FILE.
signed() {
	der "$1" >"$tmp/key.der"
	openssl pkeyutl -verify -pubin -keyform DER -inkey "$tmp/key.der" -rawin -in "$2" -sigfile "$3" >/dev/null 2>&1
}

# files DIR/: every file beneath it, and whatever else is no folder.
files() {
	for f in "$1"* "$1".[!.]* "$1"..?*; do
		if [ -d "$f" ] && [ ! -L "$f" ]; then
			files "$f/"
		elif [ -e "$f" ] || [ -L "$f" ]; then
			{ [ -f "$f" ] && [ ! -L "$f" ]; } || f="$f, which is no regular file"
			printf '%s\n' "$f"
		fi
	done
}

b3sum --check --quiet B3SUMS || wrong "a file is not the one that B3SUMS lists"
files ./ | cut -c 3- | sort >"$tmp/found"
{ cut -c 67- B3SUMS; echo B3SUMS; } | sort >"$tmp/listed"
sort -cu "$tmp/listed" 2>/dev/null || wrong "B3SUMS: it lists a file twice"
more=$(comm -23 "$tmp/found" "$tmp/listed" | head -n 1)
[ -z "$more" ] || wrong "B3SUMS does not list $more"
cmp -s "$tmp/found" "$tmp/listed" || wrong "B3SUMS: it is not a list of the files that are here"
ok "the files are those that B3SUMS lists"

for pem in keys/*.pem; do
	[ -e "$pem" ] || continue
	pub=${pem%.pem}.pub
	[ -e "$pub" ] || wrong "$pem: there is no .pub beside it"
	case $pub in
	keys/journal-sign.pub) raw "$pub" >"$tmp/raw" ;;
	*) cat "$pub" >"$tmp/raw" ;;
	esac
	der "$tmp/raw" >"$tmp/key.der"
	openssl pkey -pubin -in "$pem" -outform DER 2>/dev/null | cmp -s - "$tmp/key.der" || wrong "$pem is not of the key in $pub"
done

: >"$tmp/told"
before=
for f in predecessor*.jsonl; do
	[ -e "$f" ] || continue
	chain "$f"
	before="$before $journal/$n/$last"
	jq -r 'select(.seq == 1 and .type == "JournalSalvaged") | .data | "\(.predecessor)/\(.size)/\(.last_hash)"' "$f" >>"$tmp/continues"
	ok "$f: $n records of journal $journal"
done
chain records.jsonl
twice=$(jq -c --stream 'select(length == 2)[0]' bundle.json | sort | uniq -d | head -n 1)
[ -z "$twice" ] || wrong "bundle.json: member $twice comes twice"
sealed=false
[ ! -e checkpoint ] || sealed=true
is="$journal $n $last $sealed $(tail -n 1 records.jsonl | jq .node)"
[ "$is" = "$(jq -r '"\(.journal) \(.events) \(.head) \(.signed) \(.node | tojson)"' bundle.json)" ] || wrong "bundle.json does not say what is here: $is"
ok "records.jsonl: $n records of journal $journal, newest $last"
jq -r 'select(.seq == 1 and .type == "JournalSalvaged") | .data | "\(.predecessor)/\(.size)/\(.last_hash)"' records.jsonl >>"$tmp/continues"
for kept in $before; do
	found=
	while read -r named; do [ "$named" != "$kept" ] || found=yes; done <"$tmp/continues"
	[ "$found" ] || wrong "no journal here says that it continues $kept"
done
while read -r named; do
	case "$before " in
	*" $named "*) echo "note: this history continues a damaged journal; what was kept of that one is here: $named" ;;
	*) echo "note: this history continues a damaged journal of which nothing is here: $named" ;;
	esac
done <"$tmp/continues"

cat records.jsonl predecessor*.jsonl 2>/dev/null | jq -r 'select(.type == "ManifestVerified") | "\(.data.manifest_hash) \(.data.key_blake3)"' >"$tmp/keys"
cat records.jsonl predecessor*.jsonl 2>/dev/null | jq -r 'select(.type == "EpochRotated") | "\(.data.boot_epoch) \(.data.manifest_hash)"' >"$tmp/epochs"
# What stands in an epoch's record is held against its evidence: all of that
# but the operations and the digest, which a replay makes again.
cat records.jsonl predecessor*.jsonl 2>/dev/null | jq -cS 'select(.type == "EpochRotated") | {journal: {id: .journal, seq, prev}} + (.data |
	{binary_hash, config_hash, rotated_at, manifest_hash, manifest_serial, os_fingerprint: (.os_fingerprint + if .os_release_truncated then {os_release_truncated} else {} end)})' >"$tmp/evidence"
while read -r epoch named && IFS= read -r evidence <&3; do
	dir=epochs/$epoch
	[ -e "$dir/evidence.json" ] || wrong "$dir: the records have this epoch, the bundle has not"
	tr '\177' ' ' <"$dir/evidence.json" >"$tmp/is"
	jq . "$tmp/is" 2>/dev/null | cmp -s - "$tmp/is" || wrong "$dir/evidence.json is not written as a gate writes it"
	[ "$evidence" = "$(jq -cS 'del(.operations, .journal.digest)' "$dir/evidence.json")" ] || wrong "$dir/evidence.json is not of that epoch's record"
	manifest=$(b3sum --no-names "$dir/manifest.json")
	[ "$manifest" = "$named" ] || wrong "$dir/manifest.json is not the one that the record names"
	key=
	while read -r of by; do [ "$of" != "$manifest" ] || key=$by; done <"$tmp/keys"
	[ "$(b3sum --no-names "keys/manifest-$key.pub")" = "$key" ] || wrong "keys/manifest-$key.pub is another key"
	signed "keys/manifest-$key.pub" "$dir/manifest.json" "$dir/manifest.json.sig" || wrong "$dir/manifest.json.sig does not verify under keys/manifest-$key.pub"
	printf '%s\n' "$dir/evidence.json" "$dir/manifest.json" "$dir/manifest.json.sig" >>"$tmp/told"
done <"$tmp/epochs" 3<"$tmp/evidence"
sort "$tmp/told" >"$tmp/is"
while read -r f; do
	case $f in epochs/*) printf '%s\n' "$f" ;; esac
done <"$tmp/found" >"$tmp/here"
more=$(comm -13 "$tmp/is" "$tmp/here" | head -n 1)
[ -z "$more" ] || wrong "$more: the records have no such epoch"
ok "epochs: $(($(wc -l <"$tmp/epochs"))), each with the manifest that its record names, signed by the key that its record names"

if [ ! -e checkpoint ]; then
	[ -z "${known:-}" ] || wrong "the bundle has no checkpoint: $known has signed nothing here"
	echo "note: the bundle has no checkpoint: nobody vouches for these records"
	exit 0
fi
{ read -r origin && read -r size && read -r tree && IFS= read -r empty; } <checkpoint || wrong "checkpoint: it is cut short"
[ "$origin" = "edged/$journal" ] || wrong "checkpoint: it is of $origin, the records are of journal $journal"
[ "$size" = "$n" ] || wrong "checkpoint: it is over $size records, here are $n"
[ "$tree" = "$(root records.jsonl)" ] || wrong "checkpoint: it is over other records"
[ -z "$empty" ] || wrong "checkpoint: it has lines that are none of a checkpoint"
head -n 3 checkpoint >"$tmp/text"
tail -n +5 checkpoint >"$tmp/signatures"
raw "${known:-keys/journal-sign.pub}" >"$tmp/raw"
good=
while read -r _ name signature; do
	printf '%s' "$signature" | base64 -d | tail -c +5 >"$tmp/signature"
	! signed "$tmp/raw" "$tmp/text" "$tmp/signature" || good=$name
done <"$tmp/signatures"
[ "$good" ] || wrong "checkpoint: it is not signed by ${known:-keys/journal-sign.pub}; where that key was rotated, edgectl audit verify --key follows the records to the new one"
ok "checkpoint: over exactly these records, signed by $good"
[ "$known" ] || echo "note: the key came with the bundle, which proves nothing about who signed: compare keys/journal-sign.pub with the one you hold"
