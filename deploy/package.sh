#!/bin/bash
# Builds edged_VERSION_ARCH.deb and edgehub_VERSION_ARCH.deb with nfpm, in dist/ or
# the folder that is its argument, from bin/ (or from bin/linux-$ARCH/, if ARCH is set to another
# architecture than this machine's).
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-dist}
go=${GO:-go}
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
host=$("$go" env GOHOSTARCH)
export ARCH=${ARCH:-$host}
bin=bin
[ "$ARCH" = "$host" ] || bin=bin/linux-$ARCH

# A Debian version begins with a digit, and only a part after "~" sorts before the
# release (1.2.3~rc1 < 1.2.3 < 1.2.3+4.gabcdef). Without a release tag, a version
# sorts before every release, by its commit time.
time=${COMMIT_TIME:-}
[ -n "$time" ] || time=1970-01-01T00:00:00Z
case ${VERSION:-devel} in
v[0-9]*) DEB_VERSION=$(sed -E 's/^v//; s/-(alpha|beta|rc)/~\1/; s/-/+/; s/-/./g' <<<"$VERSION") ;;
*) DEB_VERSION=0.0.0+$(tr -dc 0-9 <<<"$time") ;;
esac
# The same tree gives the same package, byte for byte.
SOURCE_DATE_EPOCH=$(date -u -d "$time" +%s)
export DEB_VERSION SOURCE_DATE_EPOCH

mkdir -p "$out"
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
for name in edged edgehub; do
	export STAGE=$top/$name
	"$go" run ./deploy/stage -of "$name" -out "$STAGE" -bin "$bin" -debian "$DEB_VERSION"
	find "$STAGE" -type d -exec chmod 0755 {} + -exec touch -d "$time" {} +
	"$go" run "$nfpm" package --config "deploy/nfpm/$name.yaml" --packager deb --target "$out/"
done
