# Needs Go (the version in go.mod) and make. What else a target needs, it names.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

GO          ?= go
FUZZTIME    ?= 60s
CROSS       ?= amd64 arm64 riscv64
FILESYSTEMS ?= ext4,xfs,btrfs
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The commit and its time go into the binaries; the gate never believes the
# clock to be earlier than that time. Outside a git checkout both stay empty.
COMMIT      ?= $(shell git rev-parse --verify --quiet HEAD 2>/dev/null)
COMMIT_TIME ?= $(shell TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null)
VERSION     ?= $(or $(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null),devel)

buildinfo := github.com/autonomyops/edged/internal/buildinfo
ldflags   := -s -w -X $(buildinfo).Version=$(VERSION) -X $(buildinfo).Commit=$(COMMIT) -X $(buildinfo).CommitTime=$(COMMIT_TIME)
gobuild   := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(ldflags)'
# Folders of our packages that hold a test whose name matches $(1).
testdirs   = $(shell grep -rlE '^func $(1)' --include='*_test.go' --exclude-dir={bench,dist,demo,demo-fleet,interop,pagetest,node_modules,.git} . | xargs -r -n1 dirname | sort -u)
# $(call want,NAMES,what) ends a target that has nothing to run: no target
# passes for want of work.
want       = $(if $(strip $(1)),,@echo "make $@: no $(2) here" >&2; exit 1)

.PHONY: help go-ready build demo demo-fleet test fmt vet staticcheck race check cross portability crash fuzz bench growth e2e vm soak interop page deploy boottest install package clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

go-ready:
	@command -v $(GO) >/dev/null || { echo "make: $(GO) is not installed: get Go $$(awk '$$1=="go"{print $$2}' go.mod) or newer from https://go.dev/dl/" >&2; exit 1; }
	@want=$$(awk '$$1=="go"{print $$2}' go.mod); have=$$($(GO) env GOVERSION 2>/dev/null || $(GO) version | awk '{print $$3}'); \
	[ "$$(printf '%s\n' "$$want" "$${have#go}" | sort -V | head -n1)" = "$$want" ] || \
		{ echo "make: this is $${have:-no Go}, go.mod wants $$want or newer: upgrade it, or unset GOTOOLCHAIN=local" >&2; exit 1; }

build: go-ready ## the binaries, static, into bin/
	$(gobuild) -o bin/edged ./cmd/edged
	$(gobuild) -o bin/edgectl ./cmd/edgectl
	$(gobuild) -o bin/edgehub ./cmd/edgehub

demo: build ## first boot, an OS replacement, reconstruction, the history, a verdict; leaves demo/
	@sh ./internal/demo/run.sh

demo-fleet: build ## a hub and five nodes: an update, a failure, an older copy, a rewritten history, a clone; leaves demo-fleet/
	@sh ./internal/demo/fleet.sh

test: go-ready ## the tests
	$(GO) test ./...

fmt: go-ready ## fails on a file that gofmt would change
	@out=$$("$$($(GO) env GOROOT)/bin/gofmt" -l $$(find . -name '*.go' -not -path './.git/*' -not -path '*/node_modules/*' -not -path '*/testdata/*')); \
	[ -z "$$out" ] || { echo "not formatted, run gofmt -w on:" >&2; echo "$$out" >&2; exit 1; }

vet: go-ready ## go vet
	$(GO) vet ./...
	cd internal/interop && $(GO) vet ./...
	cd internal/report/pagetest && $(GO) vet ./...

# By version, not as a tool of go.mod: that would add four modules there and
# raise one of the product's own.
staticcheck: go-ready ## staticcheck
	$(GO) run $(STATICCHECK) ./...
	cd internal/interop && $(GO) run $(STATICCHECK) ./...
	cd internal/report/pagetest && $(GO) run $(STATICCHECK) ./...

# The detector sees what several goroutines of one process do. Left out is what shows it
# nothing and takes most of the time: tests that run the built binaries, and walks
# through every operation of code that has one goroutine.
race: packages = $(shell $(GO) list ./... | grep -v -e /docs$$ -e /deploy -e /internal/demo -e /internal/e2e -e /fixtures)
race: go-ready ## the tests with the race detector, without those of a single goroutine
	@cc=$$($(GO) env CC); command -v $$cc >/dev/null || { echo "make race: skipped: the race detector needs a C compiler ($$cc): install gcc"; exit 0; }; \
	set -x; CGO_ENABLED=1 $(GO) test -race -timeout 30m -skip 'Crash|Damage' $(packages)

check: fmt vet staticcheck race ## format, vet, staticcheck, tests with the race detector

cross: go-ready ## static binaries for amd64, arm64, riscv64 into bin/linux-ARCH/, checked
	@for arch in $(CROSS); do for bin in edged edgectl edgehub; do \
		echo "build $$arch $$bin"; \
		GOOS=linux GOARCH=$$arch $(gobuild) -o bin/linux-$$arch/$$bin ./cmd/$$bin; \
	done; done
	$(GO) run .ci/static/main.go $(foreach a,$(CROSS),$(a):bin/linux-$(a)/edged:20 $(a):bin/linux-$(a)/edgectl $(a):bin/linux-$(a)/edgehub)

portability: cross ## the tutorial on each architecture and filesystem, as a table (root; installs Debian packages)
	@bash .ci/tools jq:jq openssl:openssl script:bsdutils qemu-aarch64-static:qemu-user-static mkfs.ext4:e2fsprogs mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs
	$(GO) run .ci/portability/main.go -filesystems '$(FILESYSTEMS)' -json bin/portability.json

crash: dirs = $(call testdirs,Test[A-Za-z0-9_]*Crash)
crash: build ## crash points and damage in memory, exhaustive in the journal, and faults in the real binary (those as root)
	@bash .ci/tools strace:strace setarch:util-linux
	$(call want,$(dirs),crash test)
	EDGED_CRASH=full EDGED_E2E=1 EDGED_BIN="$(CURDIR)/bin" $(GO) test -count=1 -v -timeout 120m -run Crash $(dirs)

fuzz: go-ready ## every fuzz target for FUZZTIME (60s)
	@GO='$(GO)' FUZZTIME='$(FUZZTIME)' bash .ci/fuzz

bench: build ## measurements against peers, as a table
	$(call want,$(wildcard bench/go.mod),bench/ module)
	cd bench && $(GO) run . -edged "$(CURDIR)/bin/edged" -edgectl "$(CURDIR)/bin/edgectl" $(BENCHFLAGS)

growth: dirs = $(call testdirs,Test[A-Za-z0-9_]*Growth)
growth: go-ready ## the cost of a boot after 100,000 boots
	$(call want,$(dirs),growth test)
	EDGED_GROWTH=100000 $(GO) test -count=1 -v -timeout 120m -run Growth $(dirs)

e2e: dirs = $(call testdirs,Test[A-Za-z0-9_]*(E2E|Script))
e2e: build ## the real binaries from outside, on real mounts (root; installs Debian packages)
	@bash .ci/tools jq:jq b3sum:b3sum mkfs.ext4:e2fsprogs mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs setcap:libcap2-bin setarch:util-linux promtool:prometheus timeout:coreutils strace:strace
	$(call want,$(dirs),end-to-end test)
	EDGED_E2E=1 EDGED_BIN="$(CURDIR)/bin" $(GO) test -count=1 -timeout 30m -run 'E2E|Script' $(dirs)

vmtools := qemu-system-x86_64:qemu-system-x86 mkfs.ext4:e2fsprogs mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs depmod:kmod xz:xz-utils jq:jq mmdebstrap:mmdebstrap
vmtest   = EDGED_VM=1 EDGED_VM_FILESYSTEMS='$(FILESYSTEMS)' EDGED_BIN="$(CURDIR)/bin" $(GO) test -count=1 -v

vm: build ## an OS replaced under a real kernel, systemd and the units in a Debian system, 100 power cuts, and every state they may leave the disk in, in QEMU, on FILESYSTEMS (root; installs Debian packages)
	@bash .ci/tools $(vmtools)
	$(vmtest) -timeout 120m -run TestVM ./internal/vm

soak: export EDGED_VM_CUTS ?= 1000
soak: build ## 1,000 power cuts, or EDGED_VM_CUTS (root; installs Debian packages)
	@bash .ci/tools $(vmtools)
	$(vmtest) -timeout 24h -run TestVM_PowerCuts ./internal/vm

# EDGED_INTEROP=1 makes a missing tool an error: it is set where all of them
# could be installed, or by a caller that wants nothing to be skipped.
interop: build ## other people's programs judge what edgectl writes (root installs Debian packages; npm)
	@bash .ci/tools jq:jq b3sum:b3sum zstd:zstd openssl:openssl python3:python3 tar:tar journalctl:systemd /lib/systemd/systemd-journal-remote:systemd-journal-remote sqlite3:sqlite3 ssh-agent:openssh-client node:nodejs npm:npm
	cd internal/interop && EDGED_INTEROP=$${EDGED_INTEROP:-$$(command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && echo 1 || true)} EDGED_BIN="$(CURDIR)/bin" $(GO) test -count=1 -timeout 20m ./...

# What the Go build embeds is checked in: it must be what the sources give.
page := internal/report/page
page: build ## the pages of a report and of a hub: their scripts built and compared, and a browser that uses them (root installs Debian packages; npm)
	@bash .ci/tools node:nodejs npm:npm chromium:chromium
	@for tool in node npm chromium; do command -v $$tool >/dev/null || { echo "make page: skipped: $$tool is not installed"; exit 0; }; done; \
	set -x; (cd $(page) && npm ci --no-audit --no-fund && npm run check && npm run build); \
	if [ -n "$(COMMIT)" ] && [ -n "$$(git status --porcelain -- $(page)/dist $(page)/LICENSES)" ]; then echo "make page: $(page)/dist is not what its sources give: check in what npm run build wrote" >&2; exit 1; fi; \
	cd internal/report/pagetest && EDGED_BIN="$(CURDIR)/bin" $(GO) test -count=1 -timeout 10m ./...

deploy: build ## the units: systemd's own checks, and the gate's system calls against their filter
	EDGED_BIN="$(CURDIR)/bin" $(GO) test -count=1 -v ./deploy/...

boottest: build ## boots a real systemd with the units, in namespaces (root)
	@rc=0; bash deploy/boottest/run.sh bin/edged || rc=$$?; [ $$rc = 77 ] || exit $$rc

install: build ## what is installed on an image, below DESTDIR
	SOURCE_DATE_EPOCH=$$(date -u -d '$(or $(COMMIT_TIME),1970-01-01T00:00:00Z)' +%s) $(GO) run ./deploy/stage -out '$(or $(DESTDIR),/)'

package: export GO := $(GO)
package: export VERSION := $(VERSION)
package: export COMMIT_TIME := $(COMMIT_TIME)
package: build ## a .deb of all that and one of the hub into dist/; installs, upgrades and removes it in a throw-away root (root)
	@bash .ci/tools dpkg-deb:dpkg lintian:lintian systemctl:systemd
	rm -f dist/*.deb
	bash deploy/package.sh
	EDGED_DIST="$(CURDIR)/dist" $(GO) test -count=1 -v -timeout 30m -run TestPackage ./deploy

clean: ## removes what these targets made
	rm -rf bin dist
	@if [ -e demo/.edged-demo ]; then rm -rf demo; fi
	@if [ -e demo-fleet/.edged-demo-fleet ]; then rm -rf demo-fleet; fi
