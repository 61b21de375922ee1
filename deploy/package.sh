#!/bin/bash
# Builds dist/edged_VERSION_ARCH.deb from bin/ (or from bin/linux-$ARCH/, where
# ARCH is set to another architecture than this machine's) with nfpm.
set -euo pipefail
cd "$(dirname "$0")/.."

go=${GO:-go}
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
host=$("$go" env GOHOSTARCH)
export ARCH=${ARCH:-$host}
bin=bin
[ "$ARCH" = "$host" ] || bin=bin/linux-$ARCH

for f in bin/edged bin/edgectl "$bin/edged" "$bin/edgectl"; do
	[ -x "$f" ] || {
		echo "make package: $f is missing: run make build, and make cross for another ARCH" >&2
		exit 1
	}
done

# Debian versions begin with a digit, and only what follows "~" sorts before the
# release (1.2.3~rc1 < 1.2.3 < 1.2.3+4.gabcdef); without a release tag, they sort before
# every release and by commit time.
time=${COMMIT_TIME:-}
[ -n "$time" ] || time=1970-01-01T00:00:00Z
case ${VERSION:-devel} in
v[0-9]*) DEB_VERSION=$(sed -E 's/^v//; s/-(alpha|beta|rc)/~\1/; s/-/+/; s/-/./g' <<<"$VERSION") ;;
*) DEB_VERSION=0.0.0+$(tr -dc 0-9 <<<"$time") ;;
esac
export DEB_VERSION
# The same tree gives the same package, byte for byte.
SOURCE_DATE_EPOCH=$(date -u -d "$time" +%s)
export SOURCE_DATE_EPOCH

stage=dist/stage
rm -rf "$stage"
install -D -m 0755 -t "$stage/usr/bin" "$bin/edged" "$bin/edgectl"
install -D -m 0755 -t "$stage/usr/libexec/edged" deploy/systemd/write-checkpoint
install -D -m 0644 -t "$stage/usr/lib/systemd/system" deploy/systemd/*.service deploy/systemd/*.timer
install -D -m 0644 -t "$stage/usr/lib/systemd/system-preset" deploy/systemd/*.preset

# This machine's binaries write the completions, whatever the target is.
for name in edged edgectl; do
	install -d "$stage/usr/share/bash-completion/completions" "$stage/usr/share/zsh/vendor-completions" \
		"$stage/usr/share/fish/vendor_completions.d"
	"bin/$name" completion bash >"$stage/usr/share/bash-completion/completions/$name"
	"bin/$name" completion zsh >"$stage/usr/share/zsh/vendor-completions/_$name"
	"bin/$name" completion fish >"$stage/usr/share/fish/vendor_completions.d/$name.fish"
done

doc=$stage/usr/share/doc/edged
install -D -m 0644 LICENSE "$doc/copyright"
install -D -m 0644 deploy/README.md "$doc/deploy.md"
for f in README.md ARCHITECTURE.md; do
	[ -f "$f" ] || {
		echo "make package: $f is missing" >&2
		exit 1
	}
	install -m 0644 -t "$doc" "$f"
done
if [ -d docs ]; then
	(cd docs && find . -name testdata -prune -o -type f ! -name '*.go' -exec install -D -m 0644 {} "../$doc/docs/{}" \;)
fi
find "$stage" -type d -exec chmod 0755 {} +
find "$stage" -exec touch -d "$time" {} +

"$go" run "$nfpm" package --config deploy/nfpm.yaml --packager deb --target dist/
rm -rf "$stage"
