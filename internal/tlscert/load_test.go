package tlscert

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
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
			put(t, tt.node.Key, tt.key, 0o600)
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
	put(t, n.Cert, append([]byte("subject=node\n"), certPEM(n.leaf.Raw, n.ca.Raw)...), 0o644)
	put(t, n.CA, certPEM(other.ca.Raw, n.ca.Raw), 0o644)
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
		{"empty cert", certFile, nil, ErrNoCertificate, "it is empty"},
		{"cert is garbage", certFile, []byte("hello"), ErrNoCertificate, "no PEM block"},
		{"cert is DER", certFile, n.leaf.Raw, ErrNoCertificate, "DER"},
		{"cert is a key", certFile, pkcs8PEM(t, ec), ErrNoCertificate, `type "PRIVATE KEY"`},
		{"cert is damaged", certFile, block("CERTIFICATE", n.leaf.Raw[:100]), ErrBadCertificate, "number 1"},
		{"cert too large", certFile, make([]byte, MaxBytes+1), ErrUnreadable, "larger than the limit"},
		{"empty key", keyFile, nil, ErrNoKey, "it is empty"},
		{"key is a cert", keyFile, n.certPEM, ErrNoKey, `type "CERTIFICATE"`},
		{"key is damaged", keyFile, block("PRIVATE KEY", []byte("x")), ErrBadKey, "PKCS#8"},
		{"ec key is damaged", keyFile, block("EC PRIVATE KEY", []byte("x")), ErrBadKey, "PKCS#8"},
		{"rsa key is damaged", keyFile, block("RSA PRIVATE KEY", []byte("x")), ErrBadKey, "PKCS#8"},
		{"unknown key", keyFile, block("DSA PRIVATE KEY", []byte("x")), ErrBadKey, `type "DSA PRIVATE KEY"`},
		{"key that cannot sign", keyFile, pkcs8PEM(t, x25519), ErrBadKey, "cannot sign"},
		{"encrypted key", keyFile, block("ENCRYPTED PRIVATE KEY", []byte("x")), ErrEncryptedKey, "openssl pkey"},
		{"encrypted key, old style", keyFile, legacy, ErrEncryptedKey, "openssl pkey"},
		{"key of another certificate", keyFile, pkcs8PEM(t, ecKey(t)), ErrKeyMismatch, "belong together"},
		{"key of another type", keyFile, pkcs8PEM(t, edKey(t)), ErrKeyMismatch, "belong together"},
		{"ca is garbage", caFile, []byte("hello"), ErrNoCertificate, "no PEM block"},
		{"ca is damaged", caFile, block("CERTIFICATE", []byte("x")), ErrBadCertificate, "number 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := n.Paths
			path := filepath.Join(t.TempDir(), "file")
			put(t, path, tt.data, 0o600)
			*tt.file(&p) = path
			b, err := loadPaths(p)
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
		for _, file := range []func(*Paths) *string{certFile, keyFile, caFile} {
			p := n.Paths
			*file(&p) = path
			_, err := loadPaths(p)
			checkError(t, err, path, ErrUnreadable, "transport section")
			checkError(t, err, path, kind, "")
		}
	}
}

func certFile(p *Paths) *string { return &p.Cert }
func keyFile(p *Paths) *string  { return &p.Key }
func caFile(p *Paths) *string   { return &p.CA }

func checkError(t *testing.T, err error, path string, kind error, part string) {
	t.Helper()
	var e *errs.Error
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
		{now.Add(-time.Second), nil}, // a lower bound of the time proves nothing
		{now, nil},
		{now.Add(93 * day), nil},
		{now.Add(93*day + time.Second), ErrExpiring},
		{now.Add(100 * day), ErrExpiring},
		{now.Add(100*day + time.Second), ErrExpired},
	} {
		err := Check(b, tt.at, MinLeft)
		if tt.kind != nil {
			checkError(t, err, n.Cert, tt.kind, "now "+stamp(tt.at))
		} else if err != nil {
			t.Errorf("%v: %v", tt.at, err)
		}
		if got := b.NotYetValid(tt.at); got != tt.at.Before(now) {
			t.Errorf("%v: not yet valid: %t", tt.at, got)
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
		certs, _, err := certificates("/fuzz", data, false)
		if err == nil && len(certs) == 0 || err != nil && !strings.Contains(err.Error(), "/fuzz") {
			t.Fatalf("got %v, %v", certs, err)
		}
		for _, b := range blocks(data) {
			if again, rest := pem.Decode(data[b.from:b.to]); again == nil || again.Type != b.Type || !bytes.Equal(again.Bytes, b.Bytes) || len(rest) != 0 {
				t.Fatalf("bytes %d to %d are not the block", b.from, b.to)
			}
		}
		key, _, err := privateKey("/fuzz", data)
		if err == nil && key == nil || err != nil && !strings.Contains(err.Error(), "/fuzz") {
			t.Fatalf("got %v, %v", key, err)
		}
	})
}

// TestOptionalInput: an unusable certificate after the leaf or in the CA bundle is reported, and is
// no failure while a usable one remains.
func TestOptionalInput(t *testing.T) {
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
	bad := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: negativeSerial(t, n.ca.Raw)})
	for name, tt := range map[string]struct {
		cert, ca []byte
		skipped  []string // of the certificate file, then of the CA's
	}{
		"all good":             {n.certPEM, certPEM(n.ca.Raw, n.ca.Raw), nil},
		"CA first":             {n.certPEM, slices.Concat(certPEM(n.ca.Raw), bad), []string{"ca.crt: a part of the file cannot be used: certificate number 2: x509"}},
		"CA last":              {n.certPEM, slices.Concat(bad, certPEM(n.ca.Raw)), []string{"certificate number 1"}},
		"many":                 {n.certPEM, append(bytes.Repeat(bad, 9), certPEM(n.ca.Raw)...), []string{"certificate number 4, and more"}},
		"chain":                {slices.Concat(n.certPEM, bad, certPEM(n.ca.Raw)), certPEM(n.ca.Raw), []string{"node.crt: a part of the file cannot be used: certificate number 2: x509"}},
		"both":                 {slices.Concat(n.certPEM, bad), slices.Concat(bad, certPEM(n.ca.Raw)), []string{"node.crt", "ca.crt"}},
		"CA after a mark":      {n.certPEM, slices.Concat(certPEM(n.ca.Raw), []byte("\uFEFF"), certPEM(n.ca.Raw)), []string{"a byte-order mark before BEGIN in line"}},
		"chain is indented":    {append(n.certPEM, indent(certPEM(n.ca.Raw))...), certPEM(n.ca.Raw), []string{"an indented BEGIN"}},
		"CA is cut short":      {n.certPEM, append(certPEM(n.ca.Raw), certPEM(n.ca.Raw)[:90]...), []string{"cut short or damaged in line"}},
		"CA in UTF-16":         {n.certPEM, slices.Concat(certPEM(n.ca.Raw), utf16BE(certPEM(n.ca.Raw))), []string{"text in UTF-16"}},
		"a comment says BEGIN": {n.certPEM, append([]byte("# a -----BEGIN CERTIFICATE----- line\n"), certPEM(n.ca.Raw)...), nil},
	} {
		t.Run(name, func(t *testing.T) {
			put(t, n.Cert, tt.cert, 0o644)
			put(t, n.CA, tt.ca, 0o644)
			b := load(t, n.Paths)
			if !b.Leaf.Equal(n.leaf) || len(b.CAs) == 0 || !b.CAs[0].Equal(n.ca) || len(b.Skipped) != len(tt.skipped) {
				t.Fatalf("leaf, %d CAs, skipped %v", len(b.CAs), b.Skipped)
			}
			for i, want := range tt.skipped {
				if e := b.Skipped[i]; !errors.Is(e, ErrSkipped) || !strings.Contains(e.Error(), want) || e.Next == "" {
					t.Errorf("got %v, want %q in it", e, want)
				}
			}
			if len(tt.skipped) > 0 && strings.Contains(name, "chain") && len(b.Chain) > 1 {
				t.Errorf("the chain is %d long", len(b.Chain))
			}
		})
	}
}

// negativeSerial is a certificate that Go and OpenSSL refuse to parse: its serial
// is negative.
func negativeSerial(t *testing.T, der []byte) []byte {
	t.Helper()
	at := bytes.Index(der, []byte{0xa0, 3, 2, 1, 2, 2, 1, 1}) // version 3, serial 1
	if at < 0 {
		t.Fatal("no serial found")
	}
	bad := bytes.Clone(der)
	bad[at+7] = 0xff
	if _, err := x509.ParseCertificate(bad); err == nil {
		t.Fatal("it is parsed")
	}
	return bad
}

func indent(data []byte) []byte {
	return []byte("  " + strings.ReplaceAll(strings.TrimSpace(string(data)), "\n", "\n  ") + "\n")
}

func utf16LE(data []byte) []byte {
	out := []byte{0xff, 0xfe}
	for _, c := range data {
		out = append(out, c, 0)
	}
	return out
}

func utf16BE(data []byte) []byte {
	out := []byte{0xfe, 0xff}
	for _, c := range data {
		out = append(out, 0, c)
	}
	return out
}

// TestPEMMessages: a message describes the text that is not read.
func TestPEMMessages(t *testing.T) {
	ec := ecKey(t)
	n := makeNode(t, t.TempDir(), ec, ecKey(t), nil)
	mark, key, ca := []byte("\uFEFF"), pkcs8PEM(t, ec), certPEM(n.ca.Raw)
	joined := slices.Concat(bytes.TrimSpace(n.certPEM), ca)
	files := map[string]func(*Paths) *string{"cert": certFile, "key": keyFile, "ca": caFile}
	for _, tt := range []struct {
		name, file string
		data       []byte
		kind       error
		msg, next  string
	}{
		{"mark", "cert", slices.Concat(mark, n.certPEM), ErrNoCertificate, "a byte-order mark before BEGIN in line 1", "plain ASCII"},
		{"mark before the leaf, then the chain", "cert", slices.Concat(mark, n.certPEM, ca), ErrKeyMismatch, "a byte-order mark before BEGIN in line 1", "plain ASCII"},
		{"UTF-16", "cert", utf16LE(n.certPEM), ErrNoCertificate, "text in UTF-16", "plain ASCII"},
		{"UTF-16, big-endian", "ca", utf16BE(ca), ErrNoCertificate, "text in UTF-16", "plain ASCII"},
		{"joined", "cert", joined, ErrNoCertificate, "END and BEGIN joined in line", "plain ASCII"},
		{"joined, then the chain", "cert", slices.Concat(joined, ca), ErrKeyMismatch, "END and BEGIN joined in line", "plain ASCII"},
		{"indented", "cert", indent(n.certPEM), ErrNoCertificate, "an indented BEGIN in line 1", "plain ASCII"},
		{"wrong order", "cert", slices.Concat(ca, n.certPEM), ErrKeyMismatch, "belongs to certificate number 2", "put that certificate first"},
		{"a key among certificates", "cert", key, ErrNoCertificate, `a PEM block of type "PRIVATE KEY"`, "PEM form"},
		{"a key instead of a CA", "ca", key, ErrNoCertificate, `a PEM block of type "PRIVATE KEY"`, "PEM form"},
		{"cut short", "cert", n.certPEM[:200], ErrNoCertificate, "cut short or damaged in line 1", "plain ASCII"},
		{"key after a mark", "key", slices.Concat(mark, key), ErrNoKey, "a byte-order mark before BEGIN", "plain ASCII"},
		{"key in UTF-16", "key", utf16LE(key), ErrNoKey, "text in UTF-16", "plain ASCII"},
		{"key is indented", "key", indent(key), ErrNoKey, "an indented BEGIN", "plain ASCII"},
		{"two keys, wrong order", "key", slices.Concat(pkcs8PEM(t, ecKey(t)), key), ErrKeyMismatch, "private key number 2", "put that key first"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := n.Paths
			path := filepath.Join(t.TempDir(), "file")
			put(t, path, tt.data, 0o600)
			*files[tt.file](&p) = path
			want := path
			if tt.kind == ErrKeyMismatch {
				want = p.Key
			}
			_, err := loadPaths(p)
			checkError(t, err, want, tt.kind, tt.msg)
			var e *errs.Error
			if errors.As(err, &e) && !strings.Contains(e.Next, tt.next) {
				t.Errorf("%q is not in the advice %q", tt.next, e.Next)
			}
		})
	}
}

// TestLargeKeys: a key that would take minutes is refused by its length before any arithmetic, both
// as the node's key and as the CA's.
func TestLargeKeys(t *testing.T) {
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
	pkcs1 := func(bits int) []byte {
		odd := func(bits int) *big.Int {
			return new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), uint(bits-1)), big.NewInt(1))
		}
		half := odd(bits / 2)
		der, err := asn1.Marshal(struct {
			Version                int
			N, E, D, P, Q, U, V, W *big.Int
		}{0, odd(bits), big.NewInt(65537), odd(bits), half, half, half, half, half})
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	pkcs8 := func(inner []byte) []byte {
		der, err := asn1.Marshal(struct {
			Version   int
			Algorithm pkix.AlgorithmIdentifier
			Key       []byte
		}{0, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, Parameters: asn1.NullRawValue}, inner})
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	for name, tt := range map[string]struct {
		data []byte
		kind error
		msg  string
	}{
		"8192 bits":          {block("RSA PRIVATE KEY", pkcs1(8192)), ErrBadKey, ""},
		"8193 bits, pkcs1":   {block("RSA PRIVATE KEY", pkcs1(8193)), ErrLargeKey, "RSA with 8193 bits"},
		"8193 bits, pkcs8":   {block("PRIVATE KEY", pkcs8(pkcs1(8193))), ErrLargeKey, "RSA with 8193 bits"},
		"700 KB":             {block("RSA PRIVATE KEY", pkcs1(1_200_000)), ErrLargeKey, "bytes; deploy"},
		"700 KB, pkcs8":      {block("PRIVATE KEY", pkcs8(pkcs1(1_200_000))), ErrLargeKey, "at most 8192 bits"},
		"a file over 1 MiB":  {bytes.Repeat([]byte("x"), MaxBytes+1), ErrUnreadable, "larger than the limit"},
		"short, but no RSA":  {block("RSA PRIVATE KEY", []byte("x")), ErrBadKey, ""},
		"short, and no PKCS": {block("PRIVATE KEY", pkcs8([]byte("x"))), ErrBadKey, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key")
			put(t, path, tt.data, 0o600)
			p := n.Paths
			p.Key = path
			_, err := loadPaths(p)
			checkError(t, err, path, tt.kind, tt.msg)
			p = n.Paths
			p.CAKey = path
			_, err = Rotate(load(t, p), 365, times())
			checkError(t, err, path, tt.kind, tt.msg)
		})
	}
}

// TestAdvice: the advice never uses something that is not configured, and names an appended renewal.
func TestAdvice(t *testing.T) {
	key := ecKey(t)
	n := makeNode(t, t.TempDir(), key, ecKey(t), nil)
	b := load(t, n.Paths)
	if err := Check(b, now, MinLeft); err == nil || !strings.Contains(err.Error(), "--rotate-certs") {
		t.Error(err)
	}
	b.Paths.CAKey = ""
	if err := Check(b, now, MinLeft); err == nil || strings.Contains(err.Error(), "--rotate-certs") || !strings.Contains(err.Error(), "set transport.ca_key_file") {
		t.Error(err)
	}
	template := leafTemplate()
	template.NotAfter = now.Add(90 * day)
	put(t, n.Cert, append(n.certPEM, certPEM(sign(t, template, n.ca, key, caKeyOf(t, n)))...), 0o644)
	checkError(t, Check(load(t, n.Paths), now, MinLeft), n.Cert, ErrExpiring, "put it first in the file")
}

func caKeyOf(t *testing.T, n *node) crypto.Signer {
	t.Helper()
	data, err := os.ReadFile(n.CAKey)
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := privateKey(n.CAKey, data)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
