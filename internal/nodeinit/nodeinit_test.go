package nodeinit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/nodeinit"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/internal/tlscert"
)

func layOut(t *testing.T, dir string, opt nodeinit.Options) *nodeinit.Result {
	t.Helper()
	res, err := nodeinit.Init(context.Background(), dir, opt)
	historytest.Check(t, err)
	return res
}

func action(r *nodeinit.Result, path string) nodeinit.Item {
	i := slices.IndexFunc(r.Items, func(i nodeinit.Item) bool { return i.Path == path })
	if i < 0 {
		return nodeinit.Item{}
	}
	return r.Items[i]
}

func read(t *testing.T, parts ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts...))
	historytest.Check(t, err)
	return data
}

func TestPlain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b", "root")
	res := layOut(t, dir, nodeinit.Options{Node: "node-1"})
	if res.StateRoot != dir || res.Node != "node-1" {
		t.Errorf("%+v", res)
	}
	for _, name := range []string{"edge/segments", "edge/relay", "identity", "runtime", "runtime/binaries", "epoch", "bootstrap"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || !info.IsDir() || action(res, name+"/").Action != nodeinit.Created {
			t.Errorf("%s: %v, %+v", name, err, action(res, name+"/"))
		}
	}
	for _, name := range []string{"journal", "tls", "demo", "runtime/manifest.json", "identity/manifest-verify.pub"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was made: %v", name, err)
		}
	}
	cfg, err := config.Load(filepath.Join(dir, "bootstrap/config.yaml"))
	historytest.Check(t, err)
	if cfg.Identity.EdgeDomainID != "node-1" || cfg.Root.Root != dir || cfg.Storage.LocalRoot != filepath.Join(dir, "edge/segments") || cfg.Transport.CAKeyFile != "" {
		t.Errorf("%+v", cfg)
	}
	other := filepath.Join(t.TempDir(), "other")
	layOut(t, other, nodeinit.Options{Node: "node-1"})
	if salt(t, other) == salt(t, dir) {
		t.Error("two nodes drew one salt")
	}
}

// TestMissing: each thing that a node still needs is named until it is there.
func TestMissing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "root")
	for _, left := range []string{"tls/ca.crt", "tls/node.crt", "tls/node.key", "identity/manifest-verify.pub", "runtime/binaries/edged",
		"runtime/manifest.json", "runtime/manifest.json.sig"} {
		res := layOut(t, dir, nodeinit.Options{Node: "n"})
		path := filepath.Join(dir, left)
		if len(res.Missing) == 0 || res.Missing[0].Path != path || !strings.Contains(res.Missing[0].Command, filepath.Join(dir, strings.TrimSuffix(left, ".sig"))) {
			t.Fatalf("%s is not what is missing next: %+v", left, res.Missing)
		}
		historytest.Check(t, os.MkdirAll(filepath.Dir(path), 0o700))
		historytest.Check(t, os.WriteFile(path, nil, 0o600))
	}
	for _, opt := range []nodeinit.Options{{}, {Demo: true}} {
		if res := layOut(t, dir, opt); len(res.Missing) != 0 {
			t.Errorf("%+v", res.Missing)
		}
	}
	historytest.Check(t, os.WriteFile(filepath.Join(dir, "bootstrap/config.yaml"), []byte("schema: v9\n"), 0o600))
	layOut(t, dir, nodeinit.Options{Node: "n"})
	if res := layOut(t, filepath.Join(t.TempDir(), "demo"), nodeinit.Options{Demo: true}); len(res.Missing) != 0 {
		t.Errorf("a demonstration misses %+v", res.Missing)
	}
}

// salt is the fleet salt as the config has it: 32 bytes in hex.
func salt(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "bootstrap/config.yaml"))
	historytest.Check(t, err)
	found := regexp.MustCompile(`(?m)^  fleet_salt: "([0-9a-f]{64})"$`).FindSubmatch(data)
	if found == nil {
		t.Fatalf("no salt in\n%s", data)
	}
	return string(found[1])
}

// Each key of the config has a comment, or stands under one.
func TestConfigIsCommented(t *testing.T) {
	dir := t.TempDir()
	layOut(t, dir, nodeinit.Options{Node: "n"})
	text := string(read(t, dir, "bootstrap/config.yaml"))
	for _, want := range []string{"never journaled", "EDGE_STATE_ROOT", "7 days", "strict demands", "journal_id", "# ca_key_file:"} {
		if !strings.Contains(text, want) {
			t.Errorf("the config does not say %q", want)
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasSuffix(line, " ") || len(line) > 100 && !strings.Contains(line, dir) {
			t.Errorf("%q", line)
		}
	}
}

func TestCheckpointKey(t *testing.T) {
	dir := t.TempDir()
	layOut(t, dir, nodeinit.Options{Node: "node-1"})
	private, public := filepath.Join(dir, "identity/journal-sign.key"), filepath.Join(dir, "identity/journal-sign.pub")
	info, err := os.Stat(private)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	check := func() {
		t.Helper()
		signer, err := note.NewSigner(strings.TrimSpace(string(read(t, private))))
		historytest.Check(t, err)
		verifier, err := note.NewVerifier(strings.TrimSpace(string(read(t, public))))
		historytest.Check(t, err)
		msg, err := note.Sign(&note.Note{Text: "edged/x\n1\nAAAA\n"}, signer)
		historytest.Check(t, err)
		if _, err := note.Open(msg, note.VerifierList(verifier)); err != nil || signer.Name() != "node-1" {
			t.Errorf("%s: %v", signer.Name(), err)
		}
	}
	check()
	old := read(t, public)
	historytest.Check(t, os.Remove(public))
	res := layOut(t, dir, nodeinit.Options{})
	if action(res, "identity/journal-sign.pub").Action != nodeinit.Created || !bytes.Equal(read(t, public), old) {
		t.Error("the public half was not made from the private one")
	}
	check()
	historytest.Check(t, os.Remove(private))
	if res = layOut(t, dir, nodeinit.Options{}); action(res, "identity/journal-sign.key").Action != nodeinit.Skipped {
		t.Errorf("%+v", action(res, "identity/journal-sign.key"))
	}
	if _, err := os.Stat(private); !errors.Is(err, os.ErrNotExist) {
		t.Error("a private half was made that does not belong to the public one")
	}
	historytest.Check(t, os.WriteFile(private, []byte("garbage\n"), 0o600))
	historytest.Check(t, os.Remove(public))
	if res = layOut(t, dir, nodeinit.Options{}); action(res, "identity/journal-sign.pub").Action != nodeinit.Skipped {
		t.Errorf("%+v", action(res, "identity/journal-sign.pub"))
	}
}

func TestDemo(t *testing.T) {
	dir := t.TempDir()
	layOut(t, dir, nodeinit.Options{Node: "node-1", Demo: true})
	cfg, err := config.Load(filepath.Join(dir, "bootstrap/config.yaml"))
	historytest.Check(t, err)
	tls, err := tlscert.Open(tlscert.Paths{Cert: cfg.Transport.CertFile, Key: cfg.Transport.KeyFile, CA: cfg.Transport.CAFile, CAKey: cfg.Transport.CAKeyFile})
	historytest.Check(t, err)
	bundle, err := tls.Load()
	historytest.Check(t, errors.Join(err, tls.Close()))
	historytest.Check(t, tlscert.Check(bundle, time.Now(), tlscert.MinLeft))
	historytest.Check(t, bundle.Leaf.CheckSignatureFrom(bundle.CAs[0]))
	if _, err := tlscert.Rotate(bundle, 30, tlscert.Times{Now: time.Now()}); err != nil {
		t.Errorf("the demonstration's certificate cannot be rotated: %v", err)
	}
	root, err := durable.OpenRoot(dir)
	historytest.Check(t, err)
	defer root.Close() //nolint:errcheck // read only here
	files, err := manifest.Read(root)
	historytest.Check(t, err)
	if m, err := files.Verify(); err != nil || len(m.Operations) != 0 {
		t.Errorf("%+v, %v", m, err)
	}
	for _, name := range []string{"tls/ca.key", "tls/node.key", "demo/manifest-verify.key"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// tree is what names hold, times aside.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for path, line := range historytest.Tree(t, dir) {
		f := strings.Fields(line)
		out[path] = f[0] + " " + f[len(f)-1]
		if strings.HasPrefix(line, "d") {
			out[path] = f[0]
		}
	}
	return out
}

// Whatever is missing is added, whatever is there is left: tried for each file.
func TestAddsWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	res := layOut(t, dir, nodeinit.Options{Node: "node-1", Demo: true})
	before := historytest.Tree(t, dir)
	again := layOut(t, dir, nodeinit.Options{Demo: true})
	historytest.SameTree(t, dir, before)
	for _, item := range again.Items {
		if item.Action != nodeinit.Kept {
			t.Errorf("%+v", item)
		}
	}
	whole := tree(t, dir)
	for _, item := range res.Items {
		if strings.HasSuffix(item.Path, "/") {
			continue
		}
		path := filepath.Join(dir, item.Path)
		data := read(t, path)
		historytest.Check(t, os.Remove(path))
		got := action(layOut(t, dir, nodeinit.Options{Node: "node-1", Demo: true}), item.Path)
		for p, line := range tree(t, dir) {
			if p != path && whole[p] != line {
				t.Errorf("without %s: %s became %s", item.Path, p, line)
			}
		}
		if _, err := os.Stat(path); (err == nil) != (got.Action == nodeinit.Created) {
			t.Errorf("%s: %v, %+v", item.Path, err, got)
		}
		if got.Action == nodeinit.Skipped && got.Note == "" {
			t.Errorf("%s was skipped without a word", item.Path)
		}
		info := map[bool]os.FileMode{true: 0o600, false: 0o644}[strings.HasSuffix(item.Path, ".key")]
		if item.Path == "bootstrap/config.yaml" {
			info = 0o640
		}
		historytest.Check(t, os.WriteFile(path, data, info))
		historytest.Check(t, os.Chmod(path, info))
	}
}

func TestNothingIsBlessedUnasked(t *testing.T) {
	dir := t.TempDir()
	layOut(t, dir, nodeinit.Options{Node: "node-1", Demo: true})
	sig := filepath.Join(dir, "runtime/manifest.json.sig")
	historytest.Check(t, os.Remove(sig))
	historytest.Check(t, os.WriteFile(filepath.Join(dir, "runtime/manifest.json"), []byte(`{"version":"1","operations":[]}`), 0o600))
	if got := action(layOut(t, dir, nodeinit.Options{Demo: true}), "runtime/manifest.json.sig"); got.Action != nodeinit.Skipped {
		t.Errorf("%+v", got)
	}
	// Another public key: nothing is signed that the node would refuse.
	historytest.Check(t, os.Remove(filepath.Join(dir, "runtime/manifest.json")))
	historytest.Check(t, os.WriteFile(filepath.Join(dir, "identity/manifest-verify.pub"), historytest.Key("other").Public().(ed25519.PublicKey), 0o600))
	res := layOut(t, dir, nodeinit.Options{Demo: true})
	if got := action(res, "runtime/manifest.json.sig"); got.Action != nodeinit.Skipped {
		t.Errorf("%+v", got)
	}
	if got := action(res, "identity/manifest-verify.pub"); got.Action != nodeinit.Kept || !strings.Contains(got.Note, "does not belong") {
		t.Errorf("%+v", got)
	}
}

func TestRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	historytest.Check(t, os.WriteFile(file, nil, 0o600))
	link := filepath.Join(t.TempDir(), "link")
	historytest.Check(t, os.Symlink(t.TempDir(), link))
	named := t.TempDir()
	layOut(t, named, nodeinit.Options{Node: "one"})
	blocked := t.TempDir()
	historytest.Check(t, os.WriteFile(filepath.Join(blocked, "epoch"), nil, 0o600))
	badKey := t.TempDir()
	historytest.Check(t, os.Mkdir(filepath.Join(badKey, "demo"), 0o700))
	historytest.Check(t, os.WriteFile(filepath.Join(badKey, "demo/manifest-verify.key"), []byte("short"), 0o600))
	badCA := t.TempDir()
	historytest.Check(t, os.Mkdir(filepath.Join(badCA, "tls"), 0o700))
	for _, name := range []string{"ca.crt", "ca.key"} {
		historytest.Check(t, os.WriteFile(filepath.Join(badCA, "tls", name), []byte("short"), 0o600))
	}
	for _, tt := range []struct {
		name, dir string
		opt       nodeinit.Options
		want      string
	}{
		{"a file", file, nodeinit.Options{Node: "n"}, "not a directory"},
		{"a link", link, nodeinit.Options{Node: "n"}, "symbolic link"},
		{"no node name", t.TempDir(), nodeinit.Options{Node: "a b"}, "no node name"},
		{"a long node name", t.TempDir(), nodeinit.Options{Node: strings.Repeat("n", 129)}, "1 to 128"},
		{"no host name", t.TempDir(), nodeinit.Options{Hostname: func() (string, error) { return "", errors.New("lost") }}, "--node"},
		{"another node name", named, nodeinit.Options{Node: "two"}, `names the node "one"`},
		{"a file for a directory", blocked, nodeinit.Options{Node: "n"}, "epoch"},
		{"a key that is none", badKey, nodeinit.Options{Node: "n", Demo: true}, "5 bytes"},
		{"a CA that is none", badCA, nodeinit.Options{Node: "n", Demo: true}, "not PEM"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := nodeinit.Init(context.Background(), tt.dir, tt.opt); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v does not say %q", err, tt.want)
			}
		})
	}
}

func TestGateIsRunning(t *testing.T) {
	dir := t.TempDir()
	root, err := durable.OpenRoot(dir)
	historytest.Check(t, err)
	defer root.Close() //nolint:errcheck // releases the lock
	if held, err := root.TryLock(); !held || err != nil {
		t.Fatal(held, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := nodeinit.Init(ctx, dir, nodeinit.Options{Node: "n"}); err == nil {
		t.Error("laid out under a running gate")
	}
	if _, err := os.Stat(filepath.Join(dir, stateroot.Bootstrap)); err == nil {
		t.Error("something was written")
	}
}

func TestHostname(t *testing.T) {
	res := layOut(t, t.TempDir(), nodeinit.Options{Hostname: func() (string, error) { return "my host/ä", nil }})
	if res.Node != "my-host--" {
		t.Errorf("%q", res.Node)
	}
}
