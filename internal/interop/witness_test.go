package interop

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

const (
	litewitness = "filippo.io/torchwood/cmd/litewitness@v0.9.0"
	omniwitness = "github.com/transparency-dev/witness/cmd/omniwitness@v0.0.0-20260720115447-2e1c6971d19e"
)

// TestWitnesses: witnesses that are not ours cosign three boots of a node, refuse a
// rewritten history, and answer an older copy with their own size. torchwood
// verifies what is kept by a policy.
func TestWitnesses(t *testing.T) {
	if os.Getenv("EDGED_INTEROP") != "1" {
		t.Skip("builds tools of other projects: runs with EDGED_INTEROP=1")
	}
	t.Run("litewitness", func(t *testing.T) {
		t.Parallel()
		n := newNode(t, "go", "jq", "sqlite3", "ssh-agent", "ssh-add", "ssh-keygen")
		n.Sh("GOBIN=$DIR/tools go install " + litewitness)
		w := n.startLitewitness()
		n.witnessed(w)
		// After a rotation of the key it is a stranger, until its operator has the new one.
		n.Sh("edgectl key rotate checkpoint")
		n.ships(2, "stranger", "give the operator")
		w.register()
		n.ships(0, "cosigned", "")
		n.away(w)
	})
	t.Run("omniwitness", func(t *testing.T) {
		t.Parallel()
		n := newNode(t, "go", "jq")
		n.Sh("GOBIN=$DIR/tools go install " + omniwitness)
		w := n.startOmniwitness()
		n.witnessed(w)
		n.away(w)
	})
}

// witnessed has a witness judge the life of a node.
func (n *node) witnessed(w *running) {
	n.T.Helper()
	n.boot()
	n.Sh("mkdir kept")
	n.write("ship.yaml", fmt.Sprintf("checkpoints: %s\nwitnesses:\n  - url: %s\n    key: %s\n", filepath.Join(n.Dir, "kept"), w.url, w.key))

	// A journal that it does not know: the next step names what its operator needs.
	if w.refuses {
		n.ships(2, "stranger", "next: give the operator of that witness the origin "+n.origin()+" and the key "+n.origin()+"+")
	} else {
		n.ships(2, "away", "the next run sends what they lack")
	}
	w.register()
	for range 3 {
		n.boot()
		n.ships(0, "cosigned", "")
	}
	policy, err := torchwood.ParsePolicy(fmt.Appendf(nil, "log %s\nwitness w %s\nquorum w\n", n.vkey(), w.key))
	if err != nil {
		n.T.Fatal(err)
	}
	kept, err := filepath.Glob(filepath.Join(n.Dir, "kept/*.checkpoint"))
	if err != nil || len(kept) != 3 {
		n.T.Fatalf("%q, %v", kept, err)
	}
	for _, file := range kept {
		signed, err := os.ReadFile(file)
		if err != nil {
			n.T.Fatal(err)
		}
		if _, _, err := torchwood.VerifyCheckpoint(signed, policy); err != nil {
			n.T.Errorf("%s: %v\n%s", file, err, signed)
		}
	}

	// An auditor sees who has seen which part of a bundle.
	n.write("policy.txt", fmt.Sprintf("log %s\nwitness w %s\nquorum w\n", n.vkey(), w.key))
	n.Sh(fmt.Sprintf(`edgectl audit bundle --out node.tar.zst
set -- node.tar.zst --key $STATE/identity/journal-sign.pub --since $(ls -v kept/*.checkpoint | head -n 1)
edgectl audit verify "$@" --witness %s --policy policy.txt --json >judged
jq -e '.verdict == "extended" and .witnesses[0].events > 0 and .witnesses[0].events < .events' judged
edgectl audit verify "$@" --witness %s | grep '^seen by '`, w.key, w.key))

	// The state root is put back, with and without the checkpoints.
	n.Sh("cp -a $STATE older")
	for range 3 {
		n.boot()
	}
	n.ships(0, "cosigned", "")
	n.Sh("mv $STATE newer; cp -a older $STATE")
	n.ships(1, "rolled_back", "keep the disk as it is")
	n.Sh("mv kept kept.1; mkdir kept")
	n.ships(1, "rolled_back", "keep the disk as it is")
	// It goes on from there: as long as before, and longer.
	for range 3 {
		n.boot()
	}
	n.ships(1, "rewritten", "keep the disk as it is")
	n.boot()
	n.ships(1, "rewritten", "keep the disk as it is")
	n.Sh("rmdir kept; mv kept.1 kept; rm -r $STATE; mv newer $STATE")
	n.ships(0, "cosigned", "")
}

// away stops the witness.
func (n *node) away(w *running) {
	n.T.Helper()
	w.stop()
	n.boot()
	n.ships(2, "away", "the next run sends what they lack")
}

// vkey is the journal's key as others need it.
func (n *node) vkey() string {
	n.T.Helper()
	return named(n.T, n.origin(), string(n.file("state/identity/journal-sign.pub")))
}

// ships runs edgectl ship and expects an exit code and an outcome.
func (n *node) ships(exit int, outcome, says string) {
	n.T.Helper()
	n.Sh(fmt.Sprintf("exit=0; edgectl ship --ship-config ship.yaml --json >shipped 2>said || exit=$?; [ $exit = %d ] || { cat shipped said; echo exit $exit; exit 1; }", exit))
	var got struct {
		Witnesses []struct{ Outcome, Detail string }
	}
	if err := json.Unmarshal(n.file("shipped"), &got); err != nil || len(got.Witnesses) != 1 || got.Witnesses[0].Outcome != outcome {
		n.T.Errorf("%s, want %s", n.file("shipped"), outcome)
	}
	if !strings.Contains(string(n.file("said")), says) {
		n.T.Errorf("%s, want %s", n.file("said"), says)
	}
}

// write writes a file in the node's folder.
func (n *node) write(name, text string) {
	n.T.Helper()
	if err := os.WriteFile(filepath.Join(n.Dir, name), []byte(text), 0o600); err != nil {
		n.T.Fatal(err)
	}
}

// running is a witness that runs.
type running struct {
	url, key string
	stop     func()
	// refuses: it answers as the specification says if it does not know a journal.
	// omniwitness answers with status 500.
	refuses bool
	// register makes the journal and its key known, as the witness's operator does.
	register func()
}

// unused returns an address on which nothing listens.
func (n *node) unused() string {
	n.T.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.T.Fatal(err)
	}
	defer free.Close() //nolint:errcheck // its number is used now
	return free.Addr().String()
}

// answers waits until a program answers at an address, and returns its page.
func (n *node) answers(address string) (page string) {
	n.T.Helper()
	n.await(func() bool {
		resp, err := http.Get("http://" + address + "/") //nolint:noctx // on this machine
		if err != nil {
			return false
		}
		defer resp.Body.Close() //nolint:errcheck // it was only read
		text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		page = string(text)
		return err == nil
	})
	return page
}

// startLitewitness starts the witness, and the ssh-agent that holds its key.
func (n *node) startLitewitness() *running {
	n.T.Helper()
	// The path of a socket is limited to 107 bytes.
	dir, err := os.MkdirTemp("", "w")
	if err != nil {
		n.T.Fatal(err)
	}
	n.T.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "agent")
	n.start("ssh-agent", "-D", "-a", socket)
	n.await(func() bool { _, err := os.Stat(socket); return err == nil })
	n.Sh("ssh-keygen -q -t ed25519 -N '' -f witness; SSH_AUTH_SOCK=" + socket + " ssh-add -q witness; ssh-keygen -lf witness.pub | cut -d' ' -f2 >fingerprint")
	address := n.unused()
	w := &running{url: "http://" + address, refuses: true}
	w.stop = n.start(filepath.Join(n.Dir, "tools/litewitness"), "-db", "witness.db", "-name", "witness.test/w", "-key", strings.TrimSpace(string(n.file("fingerprint"))),
		"-ssh-agent", socket, "-listen", address)
	page := n.answers(address)
	w.key = regexp.MustCompile(`witness\.test/w\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+`).FindString(page)
	if w.key == "" {
		n.T.Fatalf("the witness names no key: %s", page)
	}
	w.register = func() { // as witnessctl does
		const empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
		n.Sh(fmt.Sprintf(`sqlite3 witness.db "PRAGMA busy_timeout=5000; INSERT OR IGNORE INTO log VALUES('%s', 0, '%s'); INSERT INTO key VALUES('%s', '%s')" >/dev/null`,
			n.origin(), empty, n.origin(), n.vkey()))
	}
	return w
}

// startOmniwitness starts the witness. It knows a log when it starts.
func (n *node) startOmniwitness() *running {
	n.T.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		n.T.Fatal(err)
	}
	key, err := torchwood.NewCosignatureSigner("omni.test", private)
	if err != nil {
		n.T.Fatal(err)
	}
	vkey, err := note.NewEd25519VerifierKey("omni.test", public)
	if err != nil {
		n.T.Fatal(err)
	}
	hash := strings.Split(vkey, "+")[1]
	n.write("omni.key", "PRIVATE+KEY+omni.test+"+hash+"+"+base64.StdEncoding.EncodeToString(append([]byte{1}, private.Seed()...)))
	address := n.unused()
	w := &running{url: "http://" + address, key: key.Verifier().String()}
	start := func(logs string) {
		n.write("logs.yaml", logs)
		w.stop = n.start(filepath.Join(n.Dir, "tools/omniwitness"), "--additional_logs", "logs.yaml", "--private_key_path", "omni.key", "--db_file", "omni.db",
			"--listen", address, "--metrics_listen", n.unused())
		n.answers(address)
	}
	start("Logs: []\n")
	w.register = func() {
		w.stop()
		start(fmt.Sprintf("Logs:\n  - Origin: %s\n    PublicKey: %s\n", n.origin(), n.vkey()))
	}
	return w
}

// start starts a program that ends with the test. stop ends it earlier.
func (n *node) start(name string, args ...string) (stop func()) {
	n.T.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = n.Dir
	cmd.Stdout, cmd.Stderr = n.T.Output(), n.T.Output()
	if err := cmd.Start(); err != nil {
		n.T.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it was killed
		}
	}
	n.T.Cleanup(stop)
	return stop
}

// await waits until something is so.
func (n *node) await(so func() bool) {
	n.T.Helper()
	for range 300 {
		if so() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	n.T.Fatal("it did not happen within 15 s")
}

// A witness that never answers keeps no gate waiting, and a ship that is killed leaves
// nothing half written.
func TestShipKilled(t *testing.T) {
	n := newNode(t, "jq")
	n.boot()
	n.Sh("mkdir kept")
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := torchwood.NewCosignatureSigner("w.test", private)
	if err != nil {
		t.Fatal(err)
	}
	asked, answer := make(chan bool, 1), make(chan bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		_, signed, _ := strings.Cut(string(body), "\n\n")
		text, _, ok := strings.Cut(signed, "\n\n")
		if err != nil || !ok {
			return
		}
		select {
		case asked <- true:
			<-answer // the first question
		default:
		}
		line, err := note.Sign(&note.Note{Text: text + "\n"}, key)
		if err == nil {
			_, _ = w.Write(line[len(text)+2:]) // who was killed does not read it
		}
	}))
	t.Cleanup(server.Close)
	n.write("ship.yaml", fmt.Sprintf("checkpoints: %s\nwitnesses:\n  - url: %s\n    key: %s\n", filepath.Join(n.Dir, "kept"), server.URL, key.Verifier()))

	stop := n.start(filepath.Join(os.Getenv("EDGED_BIN"), "edgectl"), "ship", "--state-root", n.State, "--ship-config", "ship.yaml")
	<-asked
	n.boot() // while ship waits for the answer
	stop()
	close(answer)
	asked <- true // later questions are answered

	for i := range 40 {
		n.boot()
		stop := n.start(filepath.Join(os.Getenv("EDGED_BIN"), "edgectl"), "ship", "--state-root", n.State, "--ship-config", "ship.yaml")
		time.Sleep(time.Duration(i) * 4 * time.Millisecond)
		stop()
		files, err := filepath.Glob(filepath.Join(n.Dir, "kept/*.checkpoint"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := note.Open(text, note.VerifierList(key.Verifier())); err != nil {
				t.Errorf("killed after %d ms: %s: %v\n%s", i*4, file, err, text)
			}
		}
	}
	n.ships(0, "cosigned", "")
}
