package tlscert

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/durable"
)

func sec1PEM(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

func pkcs1PEM(key *rsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

func TestLoadKeys(t *testing.T) {
	ca, ec, r, ed := ecKey(t), ecKey(t), rsaKey(t), edKey(t)
	params := []byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n")
	for name, tt := range map[string]struct {
		node *node
		key  []byte
	}{
		"ecdsa, pkcs8":           {makeNode(t, t.TempDir(), ec, ca, nil), pkcs8PEM(t, ec)},
		"ecdsa, sec1":            {makeNode(t, t.TempDir(), ec, ca, nil), sec1PEM(t, ec)},
		"ecdsa, with parameters": {makeNode(t, t.TempDir(), ec, ca, nil), append(params, sec1PEM(t, ec)...)},
		"rsa, pkcs8":             {makeNode(t, t.TempDir(), r, ca, nil), pkcs8PEM(t, r)},
		"rsa, pkcs1":             {makeNode(t, t.TempDir(), r, ca, nil), pkcs1PEM(r)},
		"ed25519":                {makeNode(t, t.TempDir(), ed, ca, nil), pkcs8PEM(t, ed)},
		"text before the block":  {makeNode(t, t.TempDir(), ed, ca, nil), append([]byte("Bag Attributes\n    localKeyID: 01\n"), pkcs8PEM(t, ed)...)},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, tt.node.Key, tt.key, 0o600)
			b := load(t, tt.node.Paths)
			if !b.Leaf.Equal(tt.node.leaf) || len(b.Chain) != 0 || len(b.CAs) != 1 || !b.CAs[0].Equal(tt.node.ca) {
				t.Errorf("got %+v", b)
			}
		})
	}
}

func TestLoadChainAndSeveralCAs(t *testing.T) {
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
	other := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
	write(t, n.Cert, append([]byte("subject=node\n"), certPEM(n.leaf.Raw, n.ca.Raw)...), 0o644)
	write(t, n.CA, certPEM(other.ca.Raw, n.ca.Raw), 0o644)
	b := load(t, n.Paths)
	if !b.Leaf.Equal(n.leaf) || len(b.Chain) != 1 || !b.Chain[0].Equal(n.ca) || len(b.CAs) != 2 {
		t.Errorf("got %+v", b)
	}
}

func TestLoadFails(t *testing.T) {
	ec := ecKey(t)
	n := makeNode(t, t.TempDir(), ec, ecKey(t), nil)
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, data []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}) }
	legacy := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte("x"),
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}})
	for _, tt := range []struct {
		name string
		file func(*Paths) *string
		data []byte
		kind error
		msg  string
	}{
		{"empty cert", cert, nil, ErrNoCertificate, "it is empty"},
		{"cert is garbage", cert, []byte("hello"), ErrNoCertificate, "no PEM block"},
		{"cert is DER", cert, n.leaf.Raw, ErrNoCertificate, "DER"},
		{"cert is a key", cert, pkcs8PEM(t, ec), ErrNoCertificate, `type "PRIVATE KEY"`},
		{"cert is damaged", cert, block("CERTIFICATE", n.leaf.Raw[:100]), ErrBadCertificate, "number 1"},
		{"chain is damaged", cert, append(certPEM(n.leaf.Raw), block("CERTIFICATE", []byte("x"))...), ErrBadCertificate, "number 2"},
		{"cert too large", cert, make([]byte, MaxBytes+1), ErrUnreadable, "larger than the limit"},
		{"empty key", key, nil, ErrNoKey, "it is empty"},
		{"key is a cert", key, n.certPEM, ErrNoKey, `type "CERTIFICATE"`},
		{"key is damaged", key, block("PRIVATE KEY", []byte("x")), ErrBadKey, "PKCS#8"},
		{"ec key is damaged", key, block("EC PRIVATE KEY", []byte("x")), ErrBadKey, "PKCS#8"},
		{"rsa key is damaged", key, block("RSA PRIVATE KEY", []byte("x")), ErrBadKey, "PKCS#8"},
		{"unknown key", key, block("DSA PRIVATE KEY", []byte("x")), ErrBadKey, `type "DSA PRIVATE KEY"`},
		{"key that cannot sign", key, pkcs8PEM(t, x25519), ErrBadKey, "cannot sign"},
		{"encrypted key", key, block("ENCRYPTED PRIVATE KEY", []byte("x")), ErrEncryptedKey, "openssl pkey"},
		{"encrypted key, old style", key, legacy, ErrEncryptedKey, "openssl pkey"},
		{"key of another certificate", key, pkcs8PEM(t, ecKey(t)), ErrKeyMismatch, "made together"},
		{"key of another type", key, pkcs8PEM(t, edKey(t)), ErrKeyMismatch, "made together"},
		{"ca is garbage", ca, []byte("hello"), ErrNoCertificate, "no PEM block"},
		{"ca is damaged", ca, block("CERTIFICATE", []byte("x")), ErrBadCertificate, "number 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := n.Paths
			path := filepath.Join(t.TempDir(), "file")
			write(t, path, tt.data, 0o600)
			*tt.file(&p) = path
			b, err := Load(p)
			if b != nil {
				t.Fatal("a bundle beside an error")
			}
			checkError(t, err, path, tt.kind, tt.msg)
		})
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, kind := range map[string]error{fifo: durable.ErrNotRegular, "/dev/zero": durable.ErrNotRegular,
		t.TempDir(): durable.ErrNotRegular, "/nonexistent": fs.ErrNotExist} {
		for _, file := range []func(*Paths) *string{cert, key, ca} {
			p := n.Paths
			*file(&p) = path
			_, err := Load(p)
			checkError(t, err, path, ErrUnreadable, "transport section")
			checkError(t, err, path, kind, "")
		}
	}
}

func cert(p *Paths) *string { return &p.Cert }
func key(p *Paths) *string  { return &p.Key }
func ca(p *Paths) *string   { return &p.CA }

func checkError(t *testing.T, err error, path string, kind error, part string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, kind) || e.Path != path {
		t.Fatalf("got %v, want %v at %s", err, kind, path)
	}
	if !strings.Contains(err.Error(), part) || e.Next == "" || !strings.HasSuffix(err.Error(), e.Next) {
		t.Errorf("%q, or the next step, is not in %v", part, err)
	}
}

func TestCheck(t *testing.T) {
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), func(_, leaf *x509.Certificate) {
		leaf.NotBefore, leaf.NotAfter = now, now.Add(100*day)
	})
	b := load(t, n.Paths)
	for _, tt := range []struct {
		at   time.Time
		kind error
	}{
		{now.Add(-time.Second), ErrNotYetValid},
		{now, nil},
		{now.Add(93 * day), nil},
		{now.Add(93*day + time.Second), ErrExpiring},
		{now.Add(100 * day), ErrExpiring},
		{now.Add(100*day + time.Second), ErrExpired},
		{now.Add(102 * day), ErrExpired},
	} {
		err := Check(b, tt.at, MinLeft)
		if tt.kind != nil {
			checkError(t, err, n.Cert, tt.kind, "now "+stamp(tt.at))
		} else if err != nil {
			t.Errorf("%v: %v", tt.at, err)
		}
		if got, want := b.InWindow(tt.at, MinLeft), tt.kind == ErrExpiring || tt.kind == ErrExpired; got != want {
			t.Errorf("%v: in window: %v", tt.at, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	n := makeNode(f, f.TempDir(), ecKey(f), ecKey(f), nil)
	f.Add(n.certPEM)
	f.Add(n.keyPEM)
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		certs, err := parseCertificates("/fuzz", data)
		if err == nil && len(certs) == 0 || err != nil && !strings.Contains(err.Error(), "/fuzz") {
			t.Fatalf("got %v, %v", certs, err)
		}
		key, err := parseKey("/fuzz", data)
		if err == nil && key == nil || err != nil && !strings.Contains(err.Error(), "/fuzz") {
			t.Fatalf("got %v, %v", key, err)
		}
	})
}

func TestErrorWithoutPath(t *testing.T) {
	if got := (&Error{Kind: ErrNoCAKey, Next: "n"}).Error(); got != "check TLS files: no CA key is configured: n" {
		t.Errorf("got %q", got)
	}
	if !errors.Is(&Error{Kind: ErrUnreadable, Err: os.ErrPermission}, os.ErrPermission) {
		t.Error("the cause is lost")
	}
}
