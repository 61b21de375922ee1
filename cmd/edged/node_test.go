package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// config is that of the specification. DIR is the node's folder.
const config = `schema: v1
identity: { edge_domain_id: node-01, fleet_salt: "SALT" }
storage: { local_root: /var/lib/edge/segments, disk_ceiling_bytes: 1073741824, eviction_threshold_fraction: 0.85 }
assurance: { mode: baseline, memory_ceiling_bytes: 536870912 }
transport: { listen_addr: ":17300", cert_file: DIR/node.crt, key_file: DIR/node.key, ca_file: DIR/node.crt, handshake_timeout_seconds: 10 }
quota: { max_active_peers: 4, ingest_bytes_per_peer_per_window: 1048576, window_seconds: 60 }
retry: { max_retry_count: 3, backoff_base_seconds: 5, window_seconds: 60 }
scheduler: { max_concurrent_relays: 2, schedule_interval_seconds: 5, max_segments_per_scheduling_round: 8, tie_break_comparator: lex_segment_id }
eviction: { policy: lru_priority, max_eviction_batch_size: 8, retention_window_seconds: 3600 }
metrics: { log_level: LEVEL, log_format: json }
state_root: { root: DIR/state }
`

const salt = "abababababababababababababababababababababababababababababababab"

// node is a node that never booted, in a folder of the test's own.
type node struct {
	dir, config string
	env         map[string]string
}

// newNode makes one whose config has this log level.
func newNode(t *testing.T, level string) *node {
	t.Helper()
	dir := t.TempDir()
	n := &node{dir: dir, config: filepath.Join(dir, "config.yaml"), env: map[string]string{"EDGE_STATE_ROOT_SKIP_MOUNT_CHECK": "1"}}
	cert, key := selfSigned(t)
	n.write(t, "node.crt", cert)
	n.write(t, "node.key", key)
	n.write(t, "config.yaml", []byte(strings.NewReplacer("DIR", dir, "LEVEL", level, "SALT", salt).Replace(config)))
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o755); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *node) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(n.dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// edged runs a command line on the node.
func (n *node) edged(args ...string) outcome { return command(n.env, args...) }

func selfSigned(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "node-01"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}
