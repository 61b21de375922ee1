package e2e

import (
	"strings"
	"testing"
)

// deployed signs a manifest that installs runtime/binaries/large.
func (h *host) deployed(pins string) {
	h.T.Helper()
	h.Sh(`printf '{"version":"1","operations":[{"op":"copy_binary","src":"large","dst":"runtime/large"` + pins + `}]}' >$STATE/runtime/manifest.json
edgectl manifest sign --key $STATE/demo/manifest-verify.key >/dev/null`)
}

// While an operation writes, another file is renamed over its temporary one. That file is not
// installed, and the next boot installs the right one.
func TestE2E_ExchangedWhileWritten(t *testing.T) {
	h := mounted(t, "mkfs.ext4", 700)
	h.Sh(`head -c 200000000 /dev/zero >$STATE/runtime/binaries/large`)
	h.deployed("")
	h.boot("", 0)
	h.Sh(`echo old >$STATE/runtime/large; echo evil >$STATE/evil; chmod 755 $STATE/evil $STATE/runtime/large; sync -f $STATE`)
	_, errs, exit := h.Run(`
setarch --uname-2.6 edged precheck & gate=$!
until [ -e $STATE/runtime/.edged-op.tmp ]; do kill -0 $gate; done
kill -STOP $gate # however slow this is, the copy does not end meanwhile
mv $STATE/evil $STATE/runtime/.edged-op.tmp
kill -CONT $gate
wait $gate`)
	if exit != 5 {
		t.Fatalf("exit %d\n%s", exit, errs)
	}
	h.contains(errs, "level=ERROR", "another file was put under the name", "find out what else writes")
	h.equal("installed", h.Sh(`cat $STATE/runtime/large`), "old")
	h.Sh(`! edgectl journal log --type OpApplied | grep -q .`)
	h.contains(h.boot(replaced, 0), "boot_epoch=1")
	h.Sh(`cmp $STATE/runtime/large $STATE/runtime/binaries/large`)
}

// File capabilities of a source are refused, and those of an installed file are found.
func TestE2E_FileCapabilities(t *testing.T) {
	h := mounted(t, "mkfs.ext4", 64)
	h.Sh(`head -c 100000 /dev/urandom >$STATE/runtime/binaries/large`)
	h.deployed("")
	h.boot("", 0)
	h.boot(replaced, 0)
	h.Sh(`setcap cap_net_bind_service+ep $STATE/runtime/large`)
	_, errs, exit := h.Run(replaced + " edged precheck --verify-runtime")
	if exit != 0 {
		t.Fatalf("exit %d\n%s", exit, errs)
	}
	h.contains(errs, "cause=runtime_drift", "boot_epoch=2")
	h.equal("capabilities", h.Sh(`getcap $STATE/runtime/large`), "")
	h.Sh(`setcap cap_net_bind_service+ep $STATE/runtime/binaries/large; rm $STATE/runtime/large`)
	h.contains(h.boot("", 5), "level=ERROR", "large has file capabilities", "setcap -r")
}

// A sparse file of exabytes is refused before a byte is read, even if no operation uses it. A dry run
// does the same.
func TestE2E_SparseExabytes(t *testing.T) {
	h := mounted(t, "mkfs.xfs", 320)
	h.Sh(`echo x >$STATE/runtime/binaries/large; echo x >$STATE/runtime/binaries/edged`)
	h.deployed("")
	h.boot("", 0)
	for _, name := range []string{"runtime/binaries/large", "runtime/binaries/edged", "bootstrap/config.yaml"} {
		// The gate reads another config; the deployed one is only hashed.
		h.Env = append(h.Env, "NAME="+name, "EDGE_CONFIG="+h.Dir+"/config.yaml")
		h.Sh(`cp $STATE/bootstrap/config.yaml $DIR/config.yaml; cp $STATE/$NAME $DIR/kept; truncate -s 7E $STATE/$NAME`)
		for _, dry := range []string{"", " --dry-run"} {
			out, errs, exit := h.Run(replaced + " timeout 60 edged precheck" + dry)
			if exit != 5 || !strings.Contains(errs+out, "bytes long, but its whole filesystem has") {
				t.Errorf("%s%s: exit %d\n%s%s", name, dry, exit, out, errs)
			}
		}
		h.Sh(`cp $DIR/kept $STATE/$NAME`)
	}
	h.boot(replaced, 0)
}
