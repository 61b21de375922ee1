package gate

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/digest"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

const day = 24 * time.Hour

// oneOp is a manifest with one operation, whose source is app.
const oneOp = `{"version":"1","operations":[{"op":"copy_binary","src":"app","dst":"bin/app"}]}`

// settled is a node with a baseline, a manifest in place, and mission data.
func (s *stage) settled(manifest string) {
	s.t.Helper()
	s.mission()
	s.boot(ExitOK)
	s.write("runtime/binaries/app", []byte("#!app"))
	s.write("runtime/binaries/edged", []byte("#!edged"))
	s.deploy(manifest)
}

// updated is a settled node that has completed so many epochs.
func (s *stage) updated(epochs int, manifest string) {
	s.t.Helper()
	s.settled(manifest)
	for range epochs {
		s.update()
		s.boot(ExitOK)
	}
}

// wiped is a node that had completed an epoch. Then its runtime was replaced,
// and everything that shows that it ever booted was removed.
func (s *stage) wiped(gateKeys string) {
	s.t.Helper()
	s.updated(1, oneOp)
	s.gateKeys(gateKeys)
	s.write("bin/app", []byte("#!another"))
	for _, name := range []string{"journal", "bootstrap/journal_head", "bootstrap/os_fingerprint.json", "epoch"} {
		s.remove(name)
	}
}

// keyHash is the BLAKE3 of the manifest verify key, quoted for the config.
func (n *node) keyHash() string {
	return `"` + blake3Hex(n.key.Public().(ed25519.PublicKey)) + `"`
}

func (n *node) pinKey() { n.t.Helper(); n.gateKeys("manifest_key_blake3: " + n.keyHash()) }

// update gives the node another kernel.
func (n *node) update() { n.kernel += "+" }

// operate appends an event as an operator's command does.
func (n *node) operate(p machine.Payload) {
	n.t.Helper()
	host := LinuxHost()
	host.Now = func() time.Time { return n.now }
	_, err := Operate(context.Background(), n.root, host, func(machine.State) (machine.Payload, error) { return p, nil })
	n.check(err)
}

// setConfig replaces text of the config.
func (n *node) setConfig(old, text string) {
	n.t.Helper()
	data := string(n.must(os.ReadFile(n.config)))
	if !strings.Contains(data, old) {
		n.t.Fatalf("the config has no %q", old)
	}
	n.writeFile(n.config, []byte(strings.Replace(data, old, text, 1)))
}

// gateKeys adds keys of section gate to the config.
func (n *node) gateKeys(keys string) {
	n.t.Helper()
	data := n.must(os.ReadFile(n.config))
	n.writeFile(n.config, []byte(string(data)+"gate: { "+keys+" }\n"))
}

func blake3Hex(data []byte) string { return digest.Of(data) }

// liveHash is the composite hash of the operating system as it is now.
func (n *node) liveHash() string {
	n.t.Helper()
	return blake3Hex(append(n.must(os.ReadFile(n.osRelease())), n.kernel...))
}

// legacy puts down the files of the software that kept no journal.
func (n *node) legacy(hash string, epoch int) {
	n.t.Helper()
	text := string(n.must(os.ReadFile(n.osRelease())))
	n.write("bootstrap/os_fingerprint.json", fmt.Appendf(nil,
		`{"composite_hash":%q,"os_release":%q,"uname_release":%q,"boot_epoch":%d,"captured_at":"2025-01-01T00:00:00Z"}`, hash, text, n.kernel, epoch))
	if epoch > 0 {
		n.write("epoch/current/evidence.json", fmt.Appendf(nil, `{"os_fingerprint":{"composite_hash":%q,"boot_epoch":%d},"binary_hash":""}`, hash, epoch))
	}
}

// journalID is the id of the node's journal.
func (n *node) journalID() string { n.t.Helper(); s, _ := n.history(); return s.Journal }

// keep copies a file or folder of the state root aside; the function returned
// puts the copy back in place of what is there by then.
func (n *node) keep(names ...string) (putBack func()) {
	n.t.Helper()
	aside, err := os.MkdirTemp(n.dir, "aside-")
	n.check(err)
	for i, name := range names {
		n.copyTree(n.path(name), filepath.Join(aside, fmt.Sprint(i)))
	}
	return func() {
		n.t.Helper()
		for i, name := range names {
			n.remove(name)
			n.copyTree(filepath.Join(aside, fmt.Sprint(i)), n.path(name))
		}
	}
}

func (n *node) copyTree(from, to string) {
	n.t.Helper()
	info, err := os.Stat(from)
	n.check(err)
	if info.IsDir() {
		n.check(os.CopyFS(to, os.DirFS(from)))
		// Its directories are made as the umask allows, the gate's are nobody else's.
		n.check(filepath.WalkDir(to, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			return os.Chmod(name, 0o750)
		}))
		return
	}
	n.writeFile(to, n.must(os.ReadFile(from)))
}

// flip changes one byte of a file of the state root.
func (n *node) flip(name string, at int) {
	n.t.Helper()
	data := n.read(name)
	data[at] ^= 0x40
	n.write(name, data)
}

// salvaged puts a journal in place that continues another, as a salvage does.
func (n *node) salvaged(p machine.JournalSalvaged) {
	n.t.Helper()
	n.remove("journal")
	n.remove("bootstrap/journal_head")
	data, err := machine.Encode(p)
	n.check(err)
	root, err := durable.OpenRoot(n.root)
	n.check(err)
	defer root.Close()
	w, _, err := journal.Create(root, layout, record.Entry{
		ID: uuid.Must(uuid.NewV7()), Type: string(p.Kind()), Crit: true, Time: n.now, BootID: "b", Run: uuid.Must(uuid.NewV7()).String(),
		Node: "node-01", Epoch: p.Epoch, Data: data,
	}, journal.CreateOptions{})
	n.check(err)
	n.check(w.Close())
}

// appendUnknown appends an event of a kind that no gate knows yet.
func (n *node) appendUnknown(crit bool) {
	n.t.Helper()
	root, err := durable.OpenRoot(n.root)
	n.check(err)
	defer root.Close()
	view, err := journal.OpenView(root, layout)
	n.check(err)
	action, err := view.CheckHead(nil)
	n.check(err)
	w, err := journal.OpenWriter(view, action, "b")
	n.check(err)
	s, _ := n.history()
	_, err = w.Append(record.Entry{
		ID: uuid.Must(uuid.NewV7()), Type: "SomethingNew", Crit: crit, Time: n.now, BootID: "b", Run: uuid.Must(uuid.NewV7()).String(),
		Node: s.Node, Epoch: s.Epoch, Data: []byte(`{"v":1}`),
	})
	n.check(err)
	n.check(w.Close())
}

// authority makes a CA of its own (ca.crt, ca.key) and a leaf signed by it,
// valid between the two times; the CA ends at caEnd.
func (n *node) authority(from, to, caEnd time.Time) {
	n.t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	n.check(err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: n.now.Add(-20 * 365 * day), NotAfter: caEnd,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER := n.must(x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey))
	ca, err = x509.ParseCertificate(caDER)
	n.check(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	n.check(err)
	leaf := &x509.Certificate{
		SerialNumber: n.serial, Subject: pkix.Name{CommonName: "node-01"}, NotBefore: from, NotAfter: to,
		DNSNames: []string{"node-01"}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der := n.must(x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey))
	n.pem("ca.crt", "CERTIFICATE", caDER)
	n.pem("ca.key", "PRIVATE KEY", n.must(x509.MarshalPKCS8PrivateKey(caKey)))
	n.pem("node.crt", "CERTIFICATE", der)
	n.pem("node.key", "PRIVATE KEY", n.must(x509.MarshalPKCS8PrivateKey(key)))
}

func (n *node) file(name string) string { return filepath.Join(n.dir, name) }

func (n *node) pem(name, kind string, der []byte) {
	n.t.Helper()
	n.writeFile(n.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// caKey lets the gate re-issue the certificate.
func (n *node) caKey() {
	n.t.Helper()
	n.setConfig("  handshake_timeout", "  ca_key_file: "+n.file("ca.key")+"\n  handshake_timeout")
}

// leaf returns the node's present certificate.
func (n *node) leaf() *x509.Certificate {
	n.t.Helper()
	block, _ := pem.Decode(n.must(os.ReadFile(n.file("node.crt"))))
	cert, err := x509.ParseCertificate(block.Bytes)
	n.check(err)
	return cert
}
