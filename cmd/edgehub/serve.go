package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/logging"
	"github.com/autonomyops/edged/internal/tlsfiles"
)

// memory is what the Go runtime tries to stay below, in bytes. The bound of the whole
// process is 256 MiB.
const memory = 200 << 20

// maxFile is the largest file of keys, certificates or names that is read, in bytes.
const maxFile = 16 << 20

// serving is what the flags of serve say.
type serving struct {
	listen, key, cert, certKey, nodeCA, operatorCA, tokens string
	open                                                   bool
	policy                                                 policyFlags
	limits                                                 hub.Limits
}

func serveCommand(e *env) *cobra.Command {
	s := serving{limits: hub.DefaultLimits()}
	cmd := &cobra.Command{
		Use:   "serve --key FILE",
		Short: "answer nodes and operators",
		Long: `serve takes the journals that nodes ship, and shows them: the page of the fleet is at
the address that it prints. It speaks HTTPS. A node ships with a client certificate
that has one URI, urn:edged:node:NAME, from an authority in --node-ca. An operator reads
with a certificate from an authority in --operator-ca, or with a token of --token-file: a
bearer token, or in a browser the password, under any name. A node may read its own
journal.

--open-enrolment is for a demonstration: it speaks HTTP, and believes every name.`,
		Example: `  edgehub serve --store /srv/edgehub --key hub.key --listen :8430 --tls-cert hub.pem --tls-key hub-key.pem --node-ca nodes-ca.pem --token-file tokens
  edgehub serve --store s3://fleet/edgehub --key hub.key --tls-cert hub.pem --tls-key hub-key.pem --node-ca nodes-ca.pem --operator-ca operators-ca.pem
  edgehub serve --store demo-store --key hub.key --open-enrolment`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.serve(cmd, &s) },
	}
	f := cmd.Flags()
	f.StringVar(&s.listen, "listen", "127.0.0.1:8430", "address and port")
	f.StringVar(&s.key, "key", "", "the hub's private key, from edgehub key")
	f.StringVar(&s.cert, "tls-cert", "", "PEM file with the hub's certificate")
	f.StringVar(&s.certKey, "tls-key", "", "PEM file with the certificate's key")
	f.StringVar(&s.nodeCA, "node-ca", "", "PEM file with the authorities of the nodes' certificates")
	f.StringVar(&s.operatorCA, "operator-ca", "", "PEM file with the authorities of the operators' certificates")
	f.StringVar(&s.tokens, "token-file", "", "file with the operators' tokens, one a line")
	f.BoolVar(&s.open, "open-enrolment", false, "for a demonstration: no TLS, anybody writes under any name; without --token-file anybody reads")
	f.Int64Var(&s.limits.Bytes, "limit-bytes", s.limits.Bytes, "bytes that a node may send in a day; a request counts as 64 KiB at least")
	f.IntVar(&s.limits.Journals, "limit-journals", s.limits.Journals, "journals that a node may begin in a day")
	s.policy.flags(cmd)
	return cmd
}

func (e *env) serve(cmd *cobra.Command, s *serving) error {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memory)
	}
	log, err := logging.New(logging.NewConsole(os.Stderr, e.getenv("JOURNAL_STREAM")), "auto", slog.LevelInfo, e.getenv("NO_COLOR") != "")
	if err != nil {
		return err
	}
	policy, err := s.policy.policy()
	if err != nil {
		return err
	}
	key, err := readKey(s.key)
	if err != nil {
		return err
	}
	access, config, err := s.access()
	if err != nil {
		return err
	}
	store, err := e.open(cmd.Context(), bucket.Open)
	if err != nil {
		return err
	}
	h, err := hub.New(cmd.Context(), store, key, log)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(cmd.Context(), "tcp", s.listen)
	if err != nil {
		return fail("name another address with --listen, or end what uses it", "%w", err)
	}
	scheme := "http"
	if config != nil {
		scheme = "https"
	}
	if s.open {
		log.Warn(access.String())
	}
	log.Info("the hub serves", "address", scheme+"://"+l.Addr().String()+"/", "store", store.String(), "key", key.Public())
	go h.Run(cmd.Context())
	server := &hub.Server{Hub: h, Access: access, Policy: policy, Limits: s.limits}
	if err := server.Serve(cmd.Context(), l, config); err != nil {
		return err
	}
	log.Info("the hub ended")
	return nil
}

func readKey(file string) (*hub.Key, error) {
	if file == "" {
		return nil, fail("pass --key FILE; edgehub key makes one", "serve needs the hub's key")
	}
	text, err := durable.ReadHostFile(file, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail("edgehub key makes one", "the hub's key: %w", err)
	}
	if err != nil {
		return nil, err
	}
	key, err := hub.NewKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return key, nil
}

// access reads who may write and read, and the configuration of TLS; nil for HTTP.
func (s *serving) access() (*hub.Access, *tls.Config, error) {
	a := &hub.Access{Open: s.open}
	var err error
	if a.Nodes, err = tlsfiles.Pool(s.nodeCA); err != nil {
		return nil, nil, err
	}
	if a.Operators, err = tlsfiles.Pool(s.operatorCA); err != nil {
		return nil, nil, err
	}
	if s.tokens != "" {
		if a.Tokens, err = names(s.tokens); err != nil {
			return nil, nil, err
		}
		for _, t := range a.Tokens {
			if len(t) < 20 {
				return nil, nil, fail("use a random one: openssl rand -hex 32", "%s: a token of %d characters can be guessed", s.tokens, len(t))
			}
		}
	}
	if s.open {
		if s.cert != "" || s.nodeCA != "" {
			return nil, nil, fail("drop one of them", "--open-enrolment is without certificates")
		}
		return a, nil, nil
	}
	switch {
	case s.cert == "" || s.certKey == "":
		return nil, nil, fail("pass --tls-cert and --tls-key; for a demonstration --open-enrolment", "the hub needs a certificate")
	case a.Nodes == nil:
		return nil, nil, fail("pass --node-ca; docs/hub.md shows how to make one", "the hub needs the authority of the nodes' certificates")
	case a.Operators == nil && len(a.Tokens) == 0:
		return nil, nil, fail("pass --operator-ca or --token-file", "nobody could read what the hub holds")
	}
	pair, err := tlsfiles.Pair(s.cert, s.certKey)
	if err != nil {
		return nil, nil, fail("check the files of --tls-cert and --tls-key", "the hub's certificate: %w", err)
	}
	// The certificate of a client is judged after the handshake, which proves that it has the
	// key: a node then learns what is wrong.
	return a, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}, nil
}

// names reads the lines of a file. Empty lines and those that begin with # are skipped.
func names(file string) ([]string, error) {
	text, err := durable.ReadHostFile(file, maxFile)
	if err != nil {
		return nil, err
	}
	found := []string{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			found = append(found, line)
		}
	}
	return found, nil
}
