package gate

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/osid"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"

	"github.com/autonomyops/edged/internal/durable"
)

// node is an edge node in a temporary folder: a state root, an operating
// system that tests may replace, and what the operator deploys.
type node struct {
	t      *testing.T
	dir    string // holds everything
	root   string // the state root
	config string
	env    map[string]string
	kernel string
	now    time.Time
	boots  int      // of the operating system; each has a boot id
	serial *big.Int // of the next leaf
	key    ed25519.PrivateKey
	logs   bytes.Buffer
	stdout bytes.Buffer
	edit   func(*Host) // last word on the host, for one test
}

const configText = `schema: v1
identity:
  edge_domain_id: node-01
  fleet_salt: "abababababababababababababababababababababababababababababababab"
storage:
  local_root: /var/lib/edge/segments
  disk_ceiling_bytes: 1073741824
  eviction_threshold_fraction: 0.85
assurance: { mode: baseline, memory_ceiling_bytes: 536870912 }
transport:
  listen_addr: ":17300"
  cert_file: DIR/node.crt
  key_file: DIR/node.key
  ca_file: DIR/ca.crt
  handshake_timeout_seconds: 10
quota: { max_active_peers: 4, ingest_bytes_per_peer_per_window: 1048576, window_seconds: 60 }
retry: { max_retry_count: 3, backoff_base_seconds: 5, window_seconds: 60 }
scheduler: { max_concurrent_relays: 2, schedule_interval_seconds: 5, max_segments_per_scheduling_round: 8, tie_break_comparator: lex_segment_id }
eviction: { policy: lru_priority, max_eviction_batch_size: 8, retention_window_seconds: 3600 }
metrics: { log_level: info, log_format: json }
state_root: { root: "DIR/state" }
`

func newNode(t *testing.T) *node {
	t.Helper()
	dir := t.TempDir()
	n := &node{
		t: t, dir: dir, root: filepath.Join(dir, "state"), config: filepath.Join(dir, "edge.toml"),
		env: map[string]string{"EDGE_STATE_ROOT_SKIP_MOUNT_CHECK": "1"}, kernel: "6.8.0-101-generic",
		now: time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC), serial: big.NewInt(77),
	}
	n.mkdir(n.root)
	n.writeFile(n.config, []byte(strings.ReplaceAll(configText, "DIR", dir)))
	n.writeFile(n.osRelease(), []byte("ID=ubuntu\nVERSION_ID=24.04\n"))
	n.certificate(90 * 24 * time.Hour)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	n.key = key
	return n
}

func (n *node) osRelease() string               { return filepath.Join(n.dir, "os-release") }
func (n *node) path(name string) string         { return filepath.Join(n.root, name) }
func (n *node) mkdir(path string)               { n.check(os.MkdirAll(path, 0o750)) }
func (n *node) read(name string) []byte         { return n.must(os.ReadFile(n.path(name))) }
func (n *node) remove(name string)              { n.check(os.RemoveAll(n.path(name))) }
func (n *node) must(b []byte, err error) []byte { n.t.Helper(); n.check(err); return b }

func (n *node) check(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) writeFile(path string, data []byte) {
	n.t.Helper()
	n.mkdir(filepath.Dir(path))
	n.check(os.WriteFile(path, data, 0o640))
}

func (n *node) write(name string, data []byte) { n.t.Helper(); n.writeFile(n.path(name), data) }

// certificate makes a self-signed P-256 certificate that ends after left.
func (n *node) certificate(left time.Duration) {
	n.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	n.check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "node-01"},
		NotBefore: n.now.Add(-365 * 24 * time.Hour), NotAfter: n.now.Add(left), DNSNames: []string{"node-01"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der := n.must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	n.writeFile(filepath.Join(n.dir, "node.crt"), cert)
	n.writeFile(filepath.Join(n.dir, "ca.crt"), cert)
	n.writeFile(filepath.Join(n.dir, "node.key"),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: n.must(x509.MarshalPKCS8PrivateKey(key))}))
}

// deploy signs a manifest and puts it, its signature and the key in place.
func (n *node) deploy(manifest string) {
	n.t.Helper()
	n.write("runtime/manifest.json", []byte(manifest))
	n.write("runtime/manifest.json.sig", ed25519.Sign(n.key, []byte(manifest)))
	n.write("identity/manifest-verify.pub", n.key.Public().(ed25519.PublicKey))
}

const emptyManifest = `{"version":"1","binary_path":"edged","operations":[]}`

// precheck boots once.
func (n *node) precheck(opts ...func(*Options)) int {
	n.t.Helper()
	n.now = n.now.Add(time.Minute)
	n.boots++
	return n.again(opts...)
}

// again runs the gate once more in the same boot.
func (n *node) again(opts ...func(*Options)) int {
	n.t.Helper()
	n.logs.Reset()
	n.stdout.Reset()
	opt := Options{ConfigPath: n.config, Software: "edged/test"}
	for _, o := range opts {
		o(&opt)
	}
	return Run(context.Background(), opt, n.host())
}

// examine makes the checks of the next boot.
func (n *node) examine(opts ...func(*Options)) *Examination {
	n.t.Helper()
	s := Subject{Options: Options{ConfigPath: n.config, Software: "edged/test"}}
	for _, o := range opts {
		o(&s.Options)
	}
	return Examine(context.Background(), s, n.host())
}

// host is the running system, with what the node has of its own.
func (n *node) host() Host {
	host := LinuxHost()
	host.Getenv = func(key string) string { return n.env[key] }
	host.Now = func() time.Time { return n.now }
	host.BootID = func() (string, error) { return n.bootID(), nil }
	host.OS = osid.Source{EtcPath: n.osRelease(), UsrPath: filepath.Join(n.dir, "absent"), Uname: func() (string, error) { return n.kernel, nil }}
	host.Stdout = &n.stdout
	host.Logger = func(string) *slog.Logger {
		return slog.New(slog.NewTextHandler(&n.logs, &slog.HandlerOptions{ReplaceAttr: dropTime}))
	}
	if n.edit != nil {
		n.edit(&host)
	}
	return host
}

// bootID is the kernel's name of the running boot.
func (n *node) bootID() string {
	return uuid.NewSHA1(uuid.Nil, []byte(strconv.Itoa(n.boots))).String()
}

func dropTime(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 {
		return slog.Attr{}
	}
	return a
}

// boot boots once and requires the exit code.
func (n *node) boot(want int, opts ...func(*Options)) string {
	n.t.Helper()
	if got := n.precheck(opts...); got != want {
		n.t.Fatalf("exit %d, want %d\n%s", got, want, n.logs.String())
	}
	return n.logs.String()
}

// silent boots once and requires exit 0 without a word.
func (n *node) silent() {
	n.t.Helper()
	if logs := n.boot(ExitOK); logs != "" {
		n.t.Fatalf("a clean boot said:\n%s", logs)
	}
}

// logged requires that the last boot's log has a line with each of the parts.
func (n *node) logged(parts ...string) {
	n.t.Helper()
	for line := range strings.Lines(n.logs.String()) {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(line, p)
		}
		if all {
			return
		}
	}
	n.t.Fatalf("no log line has %q:\n%s", parts, n.logs.String())
}

// fingerprint reads the projection.
func (n *node) fingerprint() (f struct {
	CompositeHash string `json:"composite_hash"`
	BootEpoch     uint64 `json:"boot_epoch"`
	UnameRelease  string `json:"uname_release"`
}) {
	n.t.Helper()
	n.check(json.Unmarshal(n.read("bootstrap/os_fingerprint.json"), &f))
	return f
}

// tamper sets members of the fingerprint file as a JSON tool would: the file
// is written in that tool's own formatting.
func (n *node) tamper(members map[string]any) {
	n.t.Helper()
	var doc map[string]any
	n.check(json.Unmarshal(n.read("bootstrap/os_fingerprint.json"), &doc))
	for k, v := range members {
		if doc[k] = v; v == nil {
			delete(doc, k)
		}
	}
	data, err := json.Marshal(doc)
	n.write("bootstrap/os_fingerprint.json", n.must(data, err))
}

var zeroHash = strings.Repeat("0", 64)

// history reads the whole journal.
func (n *node) history() (machine.State, []machine.Event) {
	n.t.Helper()
	root, err := durable.OpenRootReadOnly(n.root)
	n.check(err)
	defer root.Close()
	view, err := journal.OpenView(root, journal.DefaultLayout())
	n.check(err)
	defer view.Close()
	var events []machine.Event
	fold := machine.NewFold(machine.State{})
	for rec, err := range view.Records(1, view.Tip().Seq) {
		n.check(err)
		e, err := replay.Event(rec)
		n.check(err)
		n.check(fold.Apply(e))
		events = append(events, e)
	}
	return fold.State(), events
}

// kinds names the events from record from on, captures with their role.
func (n *node) kinds(from uint64) string {
	n.t.Helper()
	_, events := n.history()
	var out []string
	for _, e := range events[min(int(from), len(events)):] {
		name := string(e.Meta.Kind)
		switch p := e.Payload.(type) {
		case machine.FingerprintCaptured:
			name += ":" + string(p.Role)
		case machine.UpdateDetected:
			name += fmt.Sprintf(":%v#%d", p.Causes, p.Attempt)
		case machine.ProjectionRepaired:
			name += ":" + p.Reason
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// tip is the number of records.
func (n *node) tip() uint64 { n.t.Helper(); s, _ := n.history(); return s.Seq }
