package gate

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/durable/memfs"
)

func TestPrecheck_FirstRun_Exit0(t *testing.T) {
	n := newNode(t)
	n.boot(ExitOK)
	n.logged("level=INFO msg=edge.os.fingerprint_initialized composite_hash=")
	for _, dir := range []string{"edge/segments", "edge/relay", "identity", "runtime", "runtime/binaries", "epoch", "bootstrap", "journal"} {
		if fi, err := os.Stat(n.path(dir)); err != nil || !fi.IsDir() {
			t.Errorf("%s was not created: %v", dir, err)
		}
	}
	if fp := n.fingerprint(); fp.BootEpoch != 0 || len(fp.CompositeHash) != 64 || fp.CompositeHash == zeroHash {
		t.Errorf("fingerprint %+v", fp)
	}
	if got := n.kinds(0); got != "FingerprintCaptured:initial" {
		t.Errorf("events %s", got)
	}
}

func TestPrecheck_Match_Exit0_Silent(t *testing.T) {
	n := newNode(t)
	n.boot(ExitOK)
	before := n.read("bootstrap/os_fingerprint.json")
	for range 3 {
		n.silent()
	}
	if string(n.read("bootstrap/os_fingerprint.json")) != string(before) {
		t.Error("a clean boot rewrote the fingerprint file")
	}
	if got := n.kinds(1); got != "FingerprintCaptured:match FingerprintCaptured:match FingerprintCaptured:match" {
		t.Errorf("events %s", got)
	}
}

func TestPrecheck_EpochRotatedAfterReconstruction(t *testing.T) {
	n := newNode(t)
	n.boot(ExitOK)
	n.deploy(emptyManifest)
	n.tamper(map[string]any{"composite_hash": zeroHash})
	n.boot(ExitOK)
	n.logged("level=WARN msg=edge.os.update_detected", "previous_hash="+zeroHash, "current_hash=")
	n.logged("level=INFO msg=edge.os.reconstruction_started")
	n.logged("level=INFO msg=edge.os.reconstruction_completed duration_seconds=", "boot_epoch=1")

	var evidence map[string]any
	n.check(json.Unmarshal(n.read("epoch/current/evidence.json"), &evidence))
	if evidence["binary_hash"] != "" || evidence["config_hash"] != "" {
		t.Errorf("hashes of files that are not there: %v", evidence)
	}
	if fp := evidence["os_fingerprint"].(map[string]any); fp["boot_epoch"] != float64(1) {
		t.Errorf("evidence of epoch %v", fp["boot_epoch"])
	}
	if _, err := os.Stat(n.path("epoch/previous")); err == nil {
		t.Error("previous/ exists after one epoch")
	}
	n.silent()
}

func TestPrecheck_BootEpochIncrement(t *testing.T) {
	n := newNode(t)
	n.boot(ExitOK)
	n.deploy(emptyManifest)
	for want := uint64(1); want <= 3; want++ {
		n.tamper(map[string]any{"composite_hash": zeroHash})
		n.boot(ExitOK)
		if got := n.fingerprint().BootEpoch; got != want {
			t.Fatalf("epoch %d, want %d", got, want)
		}
	}
	if _, err := os.Stat(n.path("epoch/previous/evidence.json")); err != nil {
		t.Error(err)
	}
	n.silent()
}

func TestPrecheck_ExitCode1_BadConfig(t *testing.T) {
	n := newNode(t)
	n.writeFile(n.config, []byte("schema: v1\nidentity: {edge_domain_id: 'no spaces allowed'}\nfrobnicate: 1\n"))
	n.boot(ExitConfig)
	n.logged("level=ERROR", "path="+n.config, "edge_domain_id")
	n.logged("frobnicate")
	if entries, err := os.ReadDir(n.root); err != nil || len(entries) != 0 {
		t.Errorf("the state root was touched: %v %v", entries, err)
	}
	n.config = ""
	n.boot(ExitConfig)
	n.logged("EDGE_CONFIG")
}

func TestPrecheck_ExitCode2_EphemeralFS(t *testing.T) {
	n := newNode(t)
	delete(n.env, "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK")
	dir, err := os.MkdirTemp("/dev/shm", "edged-test-")
	if err != nil {
		t.Skip("no tmpfs at /dev/shm: ", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	n.env["EDGE_STATE_ROOT"] = dir
	n.boot(ExitStateRoot)
	n.logged("level=ERROR", "path="+dir, "tmpfs")
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("the ephemeral directory was written to: %v", entries)
	}
}

func TestPrecheck_ExitCode3_CertExpiresSoon(t *testing.T) {
	n := newNode(t)
	n.certificate(3 * 24 * time.Hour)
	n.boot(ExitCertificate)
	n.logged("level=ERROR", "path="+filepath.Join(n.dir, "node.crt"))
	if got := n.kinds(0); got != "PrecheckFailed" {
		t.Errorf("events %s", got)
	}
	n.certificate(90 * 24 * time.Hour)
	n.boot(ExitOK)
	if got := n.kinds(1); got != "FingerprintCaptured:initial" {
		t.Errorf("a failed boot spoiled the first run: %s", got)
	}
}

func TestPrecheck_ExitCode5_MissingManifestVerifyKey(t *testing.T) {
	n := newNode(t)
	n.boot(ExitOK)
	n.deploy(emptyManifest)
	n.remove("identity/manifest-verify.pub")
	n.kernel = "6.9.0"
	before := n.read("bootstrap/os_fingerprint.json")
	n.boot(ExitReconstruction)
	n.logged("level=ERROR", `msg="precheck: manifest verify key missing on reconstruction path"`, "path="+n.path("identity/manifest-verify.pub"), "err=")
	if string(n.read("bootstrap/os_fingerprint.json")) != string(before) {
		t.Error("a failed reconstruction changed the fingerprint file")
	}
	n.deploy(emptyManifest)
	n.boot(ExitOK)
	if got := n.kinds(1); got != "FingerprintCaptured:differs UpdateDetected:[os_changed]#1 PrecheckFailed "+
		"FingerprintCaptured:differs UpdateDetected:[os_changed]#2 ManifestVerified EpochRotated" {
		t.Errorf("events %s", got)
	}
}

func TestPrecheck_InvalidSig_Exit5(t *testing.T) {
	n := newNode(t)
	n.boot(ExitOK)
	n.deploy(emptyManifest)
	n.write("runtime/manifest.json.sig", make([]byte, 64))
	n.kernel = "6.9.0"
	n.boot(ExitReconstruction)
	n.logged("level=ERROR", `msg="precheck: manifest signature verification failed"`, "path=", "err=")
	if got := n.fingerprint().BootEpoch; got != 0 {
		t.Errorf("epoch %d", got)
	}
}

func TestOSUpdateSimulation(t *testing.T) {
	n := newNode(t)
	n.boot(ExitOK)
	for _, dir := range []string{"edge/segments", "edge/relay", "identity", "runtime", "runtime/binaries", "epoch", "bootstrap"} {
		if fi, err := os.Stat(n.path(dir)); err != nil || !fi.IsDir() {
			t.Errorf("%s: %v", dir, err)
		}
	}
	n.deploy(emptyManifest)
	n.tamper(map[string]any{"composite_hash": zeroHash})
	logs := n.boot(ExitOK)
	n.logged("edge.os.update_detected", "previous_hash="+zeroHash)
	if strings.Contains(logs, "current_hash="+zeroHash) {
		t.Error("the live hash is zeros")
	}
	if fp := n.fingerprint(); fp.BootEpoch != 1 || fp.CompositeHash == zeroHash {
		t.Errorf("after reconstruction: %+v", fp)
	}
	n.silent()
}

func TestFingerprintChange_KernelOnly_TriggersReconstruction(t *testing.T) {
	n := newNode(t)
	n.boot(ExitOK)
	n.deploy(emptyManifest)
	n.kernel = "6.8.0-102-generic"
	n.boot(ExitOK)
	n.logged("edge.os.update_detected", "changed=[uname_release]")
	if fp := n.fingerprint(); fp.BootEpoch != 1 || fp.UnameRelease != n.kernel {
		t.Errorf("fingerprint %+v", fp)
	}
}

// operation boots into a reconstruction with one operation.
func (n *node) operation(op string) int {
	n.t.Helper()
	n.boot(ExitOK)
	n.write("runtime/binaries/app", []byte("#!app"))
	n.deploy(`{"version":"1","operations":[` + op + `]}`)
	n.kernel += "+1"
	return n.precheck()
}

func TestRunReconstruction_SrcOutsideBinaries_Rejected(t *testing.T) {
	for _, src := range []string{"../manifest.json", "/etc/passwd", "../../identity/manifest-verify.pub", "a/../../x"} {
		n := newNode(t)
		if exit := n.operation(`{"op":"copy_binary","src":"` + src + `","dst":"bin/app"}`); exit != ExitReconstruction {
			t.Errorf("src %s: exit %d\n%s", src, exit, n.logs.String())
		}
		n.logged("level=ERROR", "precheck: operation")
	}
}

func TestRunReconstruction_DstOutsideStateRoot_Rejected(t *testing.T) {
	for _, dst := range []string{"../x", "/tmp/x", "a/../../x", "bootstrap/x", "identity/x", "epoch/x", "edge/x", "runtime/binaries/x", "runtime/manifest.json", "journal.x"} {
		n := newNode(t)
		if exit := n.operation(`{"op":"copy_binary","src":"app","dst":"` + dst + `"}`); exit != ExitReconstruction {
			t.Errorf("dst %s: exit %d\n%s", dst, exit, n.logs.String())
		}
	}
}

func TestRunReconstruction_HashMismatch_Rejected(t *testing.T) {
	n := newNode(t)
	if exit := n.operation(`{"op":"copy_binary","src":"app","dst":"bin/app","blake3":"` + zeroHash + `"}`); exit != ExitReconstruction {
		t.Fatalf("exit %d\n%s", exit, n.logs.String())
	}
	if _, err := os.Stat(n.path("bin/app")); err == nil {
		t.Error("bytes of another hash were published")
	}
}

func TestRunReconstruction_AppliesAndResumes(t *testing.T) {
	n := newNode(t)
	n.boot(ExitOK)
	n.write("runtime/binaries/edged", []byte("edged binary"))
	n.write("bootstrap/config.yaml", []byte("a: b\n"))
	n.deploy(`{"version":"1","operations":[{"op":"copy_binary","src":"edged","dst":"bin/edged"},{"op":"install_config","src":"config.yaml","dst":"etc/config.yaml","mode":"0600"}]}`)
	n.kernel = "7.0"
	n.boot(ExitOK)
	if got := string(n.read("bin/edged")); got != "edged binary" {
		t.Errorf("installed %q", got)
	}
	if fi, err := os.Stat(n.path("etc/config.yaml")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi, err)
	}
	var evidence struct {
		BinaryHash string `json:"binary_hash"`
		ConfigHash string `json:"config_hash"`
		Operations []any  `json:"operations"`
	}
	n.check(json.Unmarshal(n.read("epoch/current/evidence.json"), &evidence))
	if len(evidence.Operations) != 2 || evidence.BinaryHash != blake3Hex([]byte("edged binary")) || evidence.ConfigHash != blake3Hex([]byte("a: b\n")) {
		t.Errorf("evidence %+v", evidence)
	}
	n.silent()

	n.remove("bin/edged")
	n.silent() // nobody asked for the runtime to be verified
	n.boot(ExitOK, func(o *Options) { o.VerifyRuntime = true })
	n.logged("edge.os.update_detected", "cause=runtime_drift")
	if got := string(n.read("bin/edged")); got != "edged binary" {
		t.Errorf("restored %q", got)
	}
}

// An update that lost power in the middle of an operation and is abandoned
// leaves no temporary file behind.
func TestPrecheck_AbandonmentSweeps(t *testing.T) {
	m := newMemNode(t)
	m.firstBoot()
	kernel := m.kernel
	m.kernel += "+1"
	disk := m.disk
	disk.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpRename && op.New == "bin/edged" {
			disk.Kill()
		}
		return nil
	})
	m.precheck()
	m.disk = disk.Crash(memfs.Crash{Keep: memfs.All})
	const temp = "bin/.edged-op.tmp"
	if _, err := m.disk.Lstat(temp); err != nil {
		t.Fatalf("the crash left no temporary file: %v", err)
	}
	m.kernel = kernel
	m.boot(ExitOK)
	m.logged("edge.os.update_abandoned")
	if _, err := m.disk.Lstat(temp); err == nil {
		t.Error("the temporary file is still there")
	}
}
