package e2e

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/doctor"
)

// replaced runs a command as on a node whose OS was replaced since its last boot, so that the next
// boot must write.
const replaced = "setarch --uname-2.6"

// Each cause has its own message and its own next step on the real kernel, and
// edgectl doctor reports it before the boot, unless the system does not show it
// to a program that writes nothing.
func TestE2E_Causes(t *testing.T) {
	for _, c := range []struct {
		name, mkfs string
		mib        int
		breaks     string
		wants      []string // a part of the cause, and one of the next step
		restores   string
		unseen     bool // doctor cannot see it before
	}{
		{"immutable directory", "mkfs.ext4", 64, `chattr +i $STATE/bootstrap`,
			[]string{"state/bootstrap is immutable", "chattr -i "}, `chattr -i $STATE/bootstrap`, false},
		{"immutable file", "mkfs.ext4", 64, `chattr +i $STATE/bootstrap/os_fingerprint.json`,
			[]string{"os_fingerprint.json is immutable", "chattr -i "}, `chattr -i $STATE/bootstrap/os_fingerprint.json`, false},
		{"append-only directory", "mkfs.ext4", 64, `chattr +a $STATE/bootstrap`,
			[]string{"state/bootstrap is append-only", "chattr -a "}, `chattr -a $STATE/bootstrap`, false},
		{"immutable file on xfs", "mkfs.xfs", 320, `chattr +i $STATE/bootstrap/os_fingerprint.json`,
			[]string{"os_fingerprint.json is immutable", "chattr -i "}, `chattr -i $STATE/bootstrap/os_fingerprint.json`, false},
		{"no inodes", "mkfs.ext4", 64, `mkdir $STATE/edge/segments/x; i=0; while >$STATE/edge/segments/x/$((i += 1)); do :; done 2>/dev/null`,
			[]string{"no free inodes, although ", "df -i"}, `rm -r $STATE/edge/segments/x`, false},
		// All space is given to data first; then small files, which are stored in the
		// metadata, fill that.
		{"no metadata", "mkfs.btrfs", 200, `mkdir $STATE/edge/segments/x
for mib in 100 50 20 10 5 2 1; do fallocate -l ${mib}M $STATE/edge/segments/x/data.$mib 2>/dev/null && truncate -s ${mib}K $STATE/edge/segments/x/data.$mib; done || true
printf -v text %1900s x; i=0
while printf %s "$text" >$STATE/edge/segments/x/$((i += 1)); do ((i % 2000)) || sync -f $STATE; done 2>/dev/null`,
			[]string{"no room for metadata, although ", "btrfs balance"}, `rm -r $STATE/edge/segments/x; sync -f $STATE`, true},
		{"quota", "mkfs.btrfs", 300, `head -c 9000000 /dev/urandom >$STATE/runtime/binaries/large
edgectl manifest new --copy-binary large:runtime/large --out $STATE/runtime/manifest.json >/dev/null
edgectl manifest sign --key $STATE/demo/manifest-verify.key >/dev/null
btrfs -q quota enable $STATE; btrfs quota rescan -w $STATE >/dev/null
sync -f $STATE; btrfs -q qgroup limit $(($(btrfs qgroup show --raw $STATE | awk '$1 == "0/5" {print $2}') + 4000000)) $STATE`,
			[]string{"a disk quota is used up", "raise the quota"}, `btrfs -q quota disable $STATE`, true},
		{"sandbox", "mkfs.ext4", 64, `mount --bind $STATE $STATE; mount -o remount,bind,ro $STATE`,
			[]string{"mounted read-only here: a sandbox, or a bind mount", "ReadWritePaths="}, `umount $STATE`, false},
		{"remounted read-only", "mkfs.ext4", 64, `mount -o remount,ro $STATE`,
			[]string{"its filesystem is read-only", "kernel log"}, `mount -o remount,rw $STATE`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := mounted(t, c.mkfs, c.mib)
			h.boot("", 0)
			h.Sh(c.breaks)
			before := h.examine(replaced)
			_, errs, exit := h.Run(replaced + " edged precheck")
			h.Sh(c.restores)
			if exit == 0 {
				t.Errorf("exit 0\n%s", errs)
			}
			h.contains(errs, append(c.wants, "level=ERROR")...)
			if c.unseen {
				exit = 0
			} else {
				h.foretells(before, errs, c.wants)
			}
			if before.Boot.ExitCode != exit {
				t.Errorf("doctor: the next boot ends with exit %d, want %d\n%+v", before.Boot.ExitCode, exit, before.Findings)
			}
			// Without the cause the node boots, and nothing was damaged.
			if after := h.examine(replaced); !after.Boot.Passes || !after.Rebuild.Passes {
				t.Errorf("doctor, without the cause: %+v", after.Findings)
			}
			h.boot(replaced, 0)
			h.Sh(`edgectl journal verify --deep`)
		})
	}
}

// examine runs edgectl doctor through a wrapper. It exits 1 if it finds an error.
func (h *host) examine(wrapper string) (rep doctor.Report) {
	h.T.Helper()
	out, errs, exit := h.Run(wrapper + " edgectl doctor --json")
	if err := json.Unmarshal([]byte(out), &rep); err != nil {
		h.T.Fatalf("edgectl doctor: exit %d, %v\n%s%s", exit, err, out, errs)
	}
	failed := slices.ContainsFunc(rep.Findings, func(f doctor.Finding) bool { return f.Severity == doctor.Error })
	if want := map[bool]int{false: 0, true: 1}[failed]; exit != want || rep.OK == failed {
		h.T.Errorf("edgectl doctor: exit %d, ok %t, want exit %d\n%s", exit, rep.OK, want, out)
	}
	return rep
}

// foretells requires that doctor's first finding is the failure which the gate
// then logs: an error that ends the boot, with its message, its cause and its
// next step.
func (h *host) foretells(rep doctor.Report, log string, wants []string) {
	h.T.Helper()
	failure := regexp.MustCompile(`level=ERROR msg="(precheck: [^"]+)"`).FindStringSubmatch(log)
	if failure == nil || len(rep.Findings) == 0 {
		h.T.Fatalf("the gate logs\n%sand doctor finds %+v", log, rep.Findings)
	}
	f := rep.Findings[0]
	if f.Severity != doctor.Error || f.Ends != doctor.EndsBoot || f.Code != doctor.Code(failure[1]) ||
		!strings.Contains(f.Detail, wants[0]) || !strings.Contains(f.Next, wants[1]) {
		h.T.Errorf("doctor finds %+v, want %q with %q", f, doctor.Code(failure[1]), wants)
	}
}

// A failed cleanup that decides nothing is a warning: an immutable leftover, or one that is a mount
// point.
func TestE2E_CleanupIsAWarning(t *testing.T) {
	h := mounted(t, "mkfs.ext4", 64)
	h.boot("", 0)
	h.Sh(`echo half >$STATE/bootstrap/last_failure.json.tmp; chattr +i $STATE/bootstrap/last_failure.json.tmp
echo mine >$STATE/bootstrap/x.tmp; chattr +i $STATE/bootstrap/x.tmp`)
	h.contains(h.boot("", 0), "level=WARN", "edge.cleanup.failed", "last_failure.json.tmp is immutable", "chattr -i")
	h.Sh(`chattr -i $STATE/bootstrap/last_failure.json.tmp`)
	h.equal("what the next boot says", h.boot("", 0), "")
	h.Sh(`! test -e $STATE/bootstrap/last_failure.json.tmp; test "$(cat $STATE/bootstrap/x.tmp)" = mine; chattr -i $STATE/bootstrap/x.tmp`)

	h.Sh(`mkdir $STATE/epoch/epoch_7.tmp; mount -t tmpfs none $STATE/epoch/epoch_7.tmp; echo x >$STATE/epoch/epoch_7.tmp/evidence.json`)
	h.contains(h.boot("", 2), "mounted over a part of it")
	h.Env = append(h.Env, "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1")
	h.contains(h.boot("", 0), "level=WARN", "edge.cleanup.failed", "epoch_7.tmp is a mount point", "umount ")
	h.Sh(`test -s $STATE/epoch/epoch_7.tmp/evidence.json; umount $STATE/epoch/epoch_7.tmp`)
	h.equal("what the next boot says", h.boot("", 0), "")
	h.Sh(`! test -e $STATE/epoch/epoch_7.tmp`)
}
