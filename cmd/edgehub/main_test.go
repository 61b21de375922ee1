package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/ship"
	"github.com/autonomyops/edged/internal/transparency"
)

func call(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, func(string) string { return "" }, &out, &errs)
	return code, out.String(), errs.String()
}

// A fleet is a store with one node that has shipped.
type fleet struct {
	store, public, journal string
	key                    transparency.Signer
}

func newFleet(t *testing.T) fleet {
	t.Helper()
	f := fleet{store: filepath.Join(t.TempDir(), "store")}
	keyFile := filepath.Join(t.TempDir(), "hub.key")
	code, out, errs := call("key", "hub.test", "--out", keyFile)
	if code != 0 {
		t.Fatal(errs)
	}
	f.public = strings.TrimSpace(out)
	key, err := readKey(keyFile)
	historytest.Check(t, err)
	store, err := bucket.Open(t.Context(), f.store)
	historytest.Check(t, err)
	h, err := hub.New(t.Context(), store, key, slog.New(slog.DiscardHandler))
	historytest.Check(t, err)
	server := httptest.NewServer((&hub.Server{Hub: h, Access: &hub.Access{Open: true}, Limits: hub.DefaultLimits()}).Handler())
	defer server.Close()

	node := historytest.New(t, t.TempDir())
	node.First()
	node.Match()
	node.Stop()
	f.journal = node.State.Journal
	f.key, err = transparency.GenerateSigner("n")
	historytest.Check(t, err)
	src, err := history.Open(node.Dir)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	tree, err := transparency.Build(t.Context(), src, src.Tip().Seq, nil)
	historytest.Check(t, err)
	config := filepath.Join(t.TempDir(), "ship.yaml")
	historytest.Check(t, os.WriteFile(config, []byte("checkpoints: "+t.TempDir()+"\nhub:\n  url: "+server.URL+"\n  key: "+f.public+"\n"), 0o600))
	c, err := ship.Load(config)
	historytest.Check(t, err)
	_, res, err := ship.Ship(t.Context(), c, tree, ship.Node{Key: f.key})
	if err != nil || res.Outcome != ship.Cosigned {
		t.Fatalf("%+v, %v", res, err)
	}
	return f
}

func TestCommands(t *testing.T) {
	f := newFleet(t)
	other, err := transparency.GenerateSigner("n")
	historytest.Check(t, err)
	inventory := filepath.Join(t.TempDir(), "nodes")
	historytest.Check(t, os.WriteFile(inventory, []byte("# all of them\n"+historytest.Node+"\n\ndepot-9\n"), 0o600))
	stranger, _, err := hub.GenerateKey("stranger.test")
	historytest.Check(t, err)
	out := filepath.Join(t.TempDir(), "out")
	for _, tt := range []struct {
		args []string
		code int
		want string // in what it prints
	}{
		{[]string{"status"}, 1, "1 node, 2 records\n      1 flagged\n"}, // the mount check was skipped
		{[]string{"status", "--inventory", inventory}, 1, "depot-9: never seen\n  never seen: the inventory names it"},
		{[]string{"status", "--json"}, 1, `"name": "` + historytest.Node + `"`},
		{[]string{"verify"}, 0, "1 journal, 2 records: all as the nodes signed them; pass --key"},
		{[]string{"verify", "--key", f.public, "--deep"}, 0, "all as the hub and the nodes signed them"},
		{[]string{"verify", "--key", stranger.Public()}, 1, "error: journal " + f.journal + " of " + historytest.Node + ", record 2: unsigned: no given key of a hub"},
		{[]string{"verify", "--key", "x"}, 2, "pass the public key that edgehub key printed"},
		{[]string{"verify", "--journal", "5c0e7c1f-8a4e-4b39-9d5c-6a1f2e3d4c5b"}, 2, "next: edgehub status --json lists the journals"},
		{[]string{"verify", "--journal", "../../etc/passwd"}, 2, "is no id of a journal"},
		{[]string{"verify", "--json"}, 0, `"ok": true`},
		{[]string{"export", "--out", out}, 0, "2 records of 1 journal in 1 file\n"},
		{[]string{"export", "--out", out}, 2, "next: name a new directory"},
		{[]string{"export", "--out", out + "2", "--node", "depot-*"}, 0, "0 records of 0 journals in 0 files\n"},
		{[]string{"export", "--out", out + "3", "--node", "["}, 2, "use * and ? in it"},
		{[]string{"export", "--out", out + "3", "--format", "csv"}, 2, "pass --format parquet"},
		{[]string{"export", "--out", out + "3", "--json"}, 0, `"records": 2`},
		{[]string{"accept-key", "--journal", f.journal, "--key", "x"}, 2, "as edgectl key show prints it"},
		{[]string{"accept-key", "--journal", f.journal}, 2, "next: pass both"},
		{[]string{"accept-key", "--journal", f.journal, "--key", other.Verifier().String()}, 0, "is accepted, and was " + f.key.Verifier().String()},
		{[]string{"verify"}, 0, "warning: journal " + f.journal + " of " + historytest.Node + ": accepted: key 2 of the node"},
		{[]string{"forget", "--journal", f.journal}, 2, "say why with --reason"},
		{[]string{"forget", "--reason", "x"}, 2, "pass --journal ID"},
		{[]string{"forget", "--journal", f.journal, "--reason", "depot closed", "--by", "op"}, 0, "its records are removed (1 object); head and checkpoints stay"},
		{[]string{"verify"}, 0, "the records were removed on"},
		{[]string{"export", "--out", out + "4"}, 0, "is left out: its records were removed"},
		{[]string{"serve"}, 2, "edgehub key makes one"},
		{[]string{"statsu"}, 2, "did you mean 'edgehub status'?"},
		{nil, 2, "use one of accept-key"},
	} {
		args := tt.args
		if len(args) > 0 {
			args = append([]string{args[0], "--store", f.store}, args[1:]...)
		}
		code, out, errs := call(args...)
		if code != tt.code || !strings.Contains(out+errs, tt.want) {
			t.Errorf("edgehub %q: %d, %s%s, want %d %q", args, code, out, errs, tt.code, tt.want)
		}
		if len(args) > 2 && args[len(args)-1] == "--json" && !json.Valid([]byte(out)) {
			t.Errorf("edgehub %q: %s", args, out)
		}
	}
	if code, _, errs := call("status"); code != 2 || !strings.Contains(errs, "no store is named") {
		t.Errorf("%d, %s", code, errs)
	}
}

// serve refuses what would leave the hub open by mistake.
func TestServeRefuses(t *testing.T) {
	dir := t.TempDir()
	key, token := filepath.Join(dir, "key"), filepath.Join(dir, "token")
	if code, _, errs := call("key", "hub.test", "--out", key); code != 0 {
		t.Fatal(errs)
	}
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if code, _, errs := call("key", "hub.test", "--out", key); code != 2 || !strings.Contains(errs, "a key that is overwritten is lost") {
		t.Errorf("%d, %s", code, errs)
	}
	historytest.Check(t, os.WriteFile(token, []byte("short\n"), 0o600))
	for want, args := range map[string][]string{
		"the hub needs a certificate": {},
		"the hub needs the authority": {"--tls-cert", "x", "--tls-key", "x"},
		"nobody could read":           {"--tls-cert", "x", "--tls-key", "x", "--node-ca", "testdata/ca.pem"},
		"a token of 5 characters":     {"--token-file", token},
		"is without certificates":     {"--open-enrolment", "--tls-cert", "x"},
		"not a private key":           {"--key", token},
		"holds no certificate":        {"--node-ca", token},
	} {
		code, _, errs := call(append([]string{"serve", "--store", filepath.Join(dir, "store"), "--key", key}, args...)...)
		if code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%q: %d, %s, want %q", args, code, errs, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "store")); err == nil {
		t.Error("a refused hub has made its store")
	}
}

// Every command has help with an example.
func TestHelp(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		args := strings.Fields(cmd.CommandPath())[1:]
		code, out, errs := call(append(args, "--help")...)
		if code != 0 || errs != "" || !strings.Contains(out, "Examples:") {
			t.Errorf("%v: %d, %s%s", args, code, out, errs)
		}
		for line := range strings.Lines(out) {
			if len(line) > 200 || strings.IndexFunc(line, func(r rune) bool { return r > '~' }) >= 0 {
				t.Errorf("%v: a line of %d columns, or not of ASCII: %s", args, len(line), line)
			}
		}
		for _, c := range cmd.Commands() {
			if c.Name() != "help" {
				visit(c)
			}
		}
	}
	visit(root(&env{}))
}
