// Command edgehub is the hub of a fleet: it holds the journals of all nodes, signs what
// it holds, and says which nodes may be trusted. Each verb is one file here; what it does
// is in package hub.
//
// Results go to standard output, everything else to standard error. Exit status: 0 done
// and healthy, 1 the check found something wrong, 2 it could not be done.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"os/user"
	"strings"
	"syscall"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/commandline"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/hub/bucket"
)

// errWrong ends a command whose check found something wrong, and that has said what.
var errWrong = errors.New("the check found something wrong")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// env is what a command has of the process.
type env struct {
	getenv         func(string) string
	stdout, stderr io.Writer
	store          string
	json           bool
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	e := &env{getenv: getenv, stdout: stdout, stderr: stderr}
	cmd := root(e)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errWrong):
		return 1
	}
	fmt.Fprintf(stderr, "edgehub: %s\n", strings.TrimSpace(err.Error()))
	if advised := (*errs.Advised)(nil); errors.As(err, &advised) && advised.Next != "" {
		fmt.Fprintf(stderr, "  next: %s\n", advised.Next)
	}
	return 2
}

func fail(next, format string, args ...any) error { return errs.Advise(next, format, args...) }

func root(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "edgehub",
		Short: "hold the journals of a fleet, and say which nodes may be trusted",
		Long: `edgehub is the hub of a fleet of edge nodes. Nodes send it their journals (edgectl
ship); it verifies, keeps and cosigns them, shows all nodes on one page, and
reports a node whose history was rewritten, put back, cloned or wiped.

serve answers nodes and operators. The other commands need the store alone, and no
hub that runs. --store is a folder, or s3://BUCKET/PREFIX with the credentials and the
endpoint in the environment variables that the tools of AWS read.

Exit status: 0 done and healthy, 1 the check found something wrong, 2 it could not be
done.`,
		Example: `  edgehub key hub.example.org --out hub.key
  edgehub serve --store /srv/edgehub --key hub.key --listen :8430 --tls-cert hub.pem --tls-key hub-key.pem --node-ca nodes-ca.pem --token-file tokens
  edgehub status --store /srv/edgehub`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	cmd.SetOut(e.stdout)
	cmd.SetErr(e.stderr)
	cmd.PersistentFlags().StringVar(&e.store, "store", "", "the store: a folder, or s3://BUCKET/PREFIX (default $EDGEHUB_STORE)")
	cmd.AddCommand(serveCommand(e), keyCommand(e), statusCommand(e), verifyCommand(e), exportCommand(e), acceptKeyCommand(e), forgetCommand(e))
	commandline.Prepare(cmd)
	return cmd
}

// read opens a store that exists, and writes nothing: read access is enough.
func (e *env) read(ctx context.Context) (bucket.Store, error) { return e.open(ctx, bucket.OpenReader) }

// change opens a store that exists.
func (e *env) change(ctx context.Context) (bucket.Store, error) {
	if _, err := e.read(ctx); err != nil {
		return nil, err
	}
	return e.open(ctx, bucket.Open)
}

func (e *env) open(ctx context.Context, open func(context.Context, string) (bucket.Store, error)) (bucket.Store, error) {
	at := e.store
	if at == "" {
		at = e.getenv("EDGEHUB_STORE")
	}
	if at == "" {
		return nil, fail("pass --store DIR or --store s3://BUCKET/PREFIX, or set EDGEHUB_STORE", "no store is named")
	}
	return open(ctx, at)
}

func (e *env) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&e.json, "json", false, "print the result as JSON")
}

// print writes a value as JSON.
func (e *env) print(v any) error {
	return json.MarshalWrite(e.stdout, v, json.Deterministic(true), jsontext.Multiline(true))
}

// author is who changes a store, and why.
type author struct{ by, reason string }

func (a *author) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.by, "by", "", "who asks for it, as the store will name them (default: you)")
	cmd.Flags().StringVar(&a.reason, "reason", "", "why: the store keeps it for auditors")
}

func (a *author) check(e *env) error {
	if a.reason = strings.TrimSpace(a.reason); a.reason == "" || len(a.reason) > 1000 {
		return fail("say why with --reason, in at most 1,000 bytes; the store keeps it", "a reason is missing, or too long")
	}
	if a.by == "" {
		a.by = e.getenv("SUDO_USER")
	}
	if u, err := user.Current(); a.by == "" && err == nil {
		a.by = u.Username
	}
	return nil
}

// unknown adds a next step to the error for a journal that the hub does not hold.
func unknown(err error) error {
	if errors.Is(err, hub.ErrUnknown) {
		return fail("edgehub status --json lists the journals", "%w", err)
	}
	return err
}
