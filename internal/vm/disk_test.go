package vm

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/hosttest"
)

// sizes are the disk's size on each filesystem, in MiB.
var sizes = map[string]string{"ext4": "64", "xfs": "320", "btrfs": "160"}

// mkfsOptions: ext4 would initialise its tables in the background of the first boots, and disturb the
// count of the gate's writes.
var mkfsOptions = map[string]string{"ext4": "-E lazy_itable_init=0,lazy_journal_init=0"}

// A disk is a persistent partition in a file. The host mounts it in a mount namespace that lives as
// long as one script: when a step fails, the namespace ends, and mount and loop device with it.
type disk struct {
	*hosttest.Host
	fs, image string
}

// newDisk makes the filesystem and copies the commissioned state root onto it.
func newDisk(t *testing.T, bin, fs, template string) *disk {
	t.Helper()
	h := hosttest.New(t, bin)
	d := &disk{Host: h, fs: fs, image: filepath.Join(h.Dir, "disk")}
	h.State = filepath.Join(h.Dir, "persist/edge")
	h.Env = append(h.Env, "STATE="+h.State, "EDGE_STATE_ROOT="+h.State, "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=",
		"EDGE_CONFIG="+h.State+"/bootstrap/config.yaml", "TEMPLATE="+template)
	h.Sh(`mkdir $DIR/persist $DIR/memory; truncate -s ` + sizes[fs] + `M $DIR/disk; mkfs.` + fs + ` -q ` + mkfsOptions[fs] + ` $DIR/disk >/dev/null`)
	d.mounted(d.image, "rw", `cp -a $TEMPLATE/edge $DIR/persist/`)
	return d
}

// mounted runs a script with an image mounted at $DIR/persist. The script must succeed.
func (d *disk) mounted(image, options, script string) {
	d.T.Helper()
	d.namespace(image, options, `mount -t $FS -o $OPTIONS $IMAGE $DIR/persist
eval "$SCRIPT"
umount $DIR/persist`, script)
}

// mountedCopy runs a script with a copy of an image mounted, writable. The copy is in memory: the
// script's flushes do not wait for the host's disk.
func (d *disk) mountedCopy(image, script string) {
	d.T.Helper()
	d.namespace(image, "rw", `mount -t tmpfs none $DIR/memory
cp --sparse=always $IMAGE $DIR/memory/copy
mount -t $FS -o $OPTIONS $DIR/memory/copy $DIR/persist
eval "$SCRIPT"
umount $DIR/persist
umount $DIR/memory`, script)
}

// namespace runs a script in a mount namespace of its own.
func (d *disk) namespace(image, options, around, script string) {
	d.T.Helper()
	if d.fs == "xfs" {
		options += ",nouuid" // a copy of an image has the same
	}
	env := d.Env
	d.Env = append(slices.Clone(env), "FS="+d.fs, "IMAGE="+image, "OPTIONS=loop,"+options, "SCRIPT="+script, "AROUND="+around)
	d.Sh(`exec unshare -m bash -eu -o pipefail -c 'eval "$AROUND"'`)
	d.Env = env
}

// A finding is what the host's edgectl and the files say about a disk.
type finding struct {
	records     string // the journal, one record a line
	head        string // the newest record, as edgectl names it
	epoch       int    // of the newest record
	rotated     int    // the number of EpochRotated
	verify      string // of journal verify --deep: "" if it found nothing, else its output
	projections string // of projections check, in the same way
	gate        string // the exit code of a gate on the host, and its log if that is not 0
	installed   string // hash of the installed runtime; "" if there is none
	source      string // hash of the file that it is installed from
	mission     string // hashes of everything below edge/
	fingerprint fingerprint
	evidence    struct {
		OSFingerprint fingerprint `json:"os_fingerprint"`
	}
}

type fingerprint struct {
	Composite string `json:"composite_hash"`
	OSRelease string `json:"os_release"`
	Uname     string `json:"uname_release"`
	Epoch     int    `json:"boot_epoch"`
}

// look writes what the host finds on the mounted disk into files in $DIR/found. A check that
// reports something leaves its output there; it does not end the script.
const look = `
rm -rf found; mkdir found
[ ! -e $STATE/runtime/edged ] || sha256sum <$STATE/runtime/edged >found/installed
sha256sum <$STATE/runtime/binaries/edged >found/source
(cd $STATE/edge && { find . -printf "%p %y %m %s %T@\n" | LC_ALL=C sort; find . -type f | LC_ALL=C sort | xargs sha256sum; }) >found/mission
if [ -e $STATE/journal ]; then
	edgectl journal verify --deep >found/text 2>&1 || { echo "exit status $?"; cat found/text; } >found/verify
	edgectl projections check >found/text 2>&1 || { echo "exit status $?"; cat found/text; } >found/projections
	edgectl journal export --format jsonl --out - >found/records 2>found/text || { echo "export:"; cat found/text; } >>found/verify
	edgectl journal head >found/head 2>found/text || { echo "head:"; cat found/text; } >>found/verify
fi
[ ! -e $STATE/bootstrap/os_fingerprint.json ] || cp $STATE/bootstrap/os_fingerprint.json found/fingerprint
[ ! -e $STATE/epoch/current/evidence.json ] || cp $STATE/epoch/current/evidence.json found/evidence`

// look judges the disk after a boot that ended with power off. Its mount is read-only.
func (d *disk) look() finding {
	d.T.Helper()
	d.mounted(d.image, "ro", look)
	return d.found("found")
}

// found reads the files that look has left in a folder.
func (d *disk) found(folder string) (f finding) {
	d.T.Helper()
	text := func(name string) string {
		data, err := os.ReadFile(filepath.Join(d.Dir, folder, name))
		if err != nil && !os.IsNotExist(err) {
			d.T.Fatal(err)
		}
		return string(data)
	}
	f.records, f.head, f.verify, f.projections = text("records"), strings.TrimSpace(text("head")), text("verify"), text("projections")
	f.gate, f.installed, f.source, f.mission = text("gate"), text("installed"), text("source"), text("mission")
	for name, v := range map[string]any{"fingerprint": &f.fingerprint, "evidence": &f.evidence} {
		if data := text(name); data != "" {
			if err := json.Unmarshal([]byte(data), v); err != nil {
				d.T.Fatalf("%s: %v\n%s", name, err, data)
			}
		}
	}
	f.rotated = len(regexp.MustCompile(`"type":"EpochRotated"`).FindAllString(f.records, -1))
	if lines := strings.Split(strings.TrimSpace(f.records), "\n"); f.records != "" {
		var last struct{ Epoch int }
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
			d.T.Fatal(err)
		}
		f.epoch = last.Epoch
	}
	return f
}

// equal requires that two values are the same.
func equal[V comparable](t testing.TB, what string, got, want V) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
