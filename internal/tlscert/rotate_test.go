package tlscert

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func san(t *testing.T, c *x509.Certificate) pkix.Extension {
	t.Helper()
	i := slices.IndexFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) })
	if i < 0 {
		t.Fatal("no subject alternative names")
	}
	return c.Extensions[i]
}

func rotated(t *testing.T, r *Rotation) (*x509.Certificate, tls.Certificate) {
	t.Helper()
	pair, err := tls.X509KeyPair(r.CertPEM, r.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf, pair
}

func TestRotate(t *testing.T) {
	for name, keys := range map[string]struct{ leaf, ca crypto.Signer }{
		"ecdsa":   {ecKey(t), ecKey(t)},
		"rsa":     {rsaKey(t), rsaKey(t)},
		"ed25519": {edKey(t), edKey(t)},
	} {
		t.Run(name, func(t *testing.T) {
			n := makeNode(t, t.TempDir(), keys.leaf, keys.ca, nil)
			r, err := Rotate(load(t, n.Paths), n.caKey, 365, now.Add(500*time.Millisecond))
			if err != nil {
				t.Fatal(err)
			}
			leaf, _ := rotated(t, r)
			roots := x509.NewCertPool()
			roots.AddCert(n.ca)
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, DNSName: "node-01.example"}); err != nil {
				t.Error(err)
			}
			public, ok := leaf.PublicKey.(*ecdsa.PublicKey)
			if !ok || public.Curve != elliptic.P256() {
				t.Errorf("key is %T", leaf.PublicKey)
			}
			old, got := san(t, n.leaf), san(t, leaf)
			if !bytes.Equal(leaf.RawSubject, n.leaf.RawSubject) || !bytes.Equal(got.Value, old.Value) || got.Critical != old.Critical {
				t.Error("subject or alternative names differ")
			}
			if leaf.KeyUsage != x509.KeyUsageDigitalSignature || !slices.Equal(leaf.ExtKeyUsage, n.leaf.ExtKeyUsage) || leaf.IsCA ||
				!slices.Equal(leaf.CRLDistributionPoints, n.leaf.CRLDistributionPoints) || !slices.Equal(leaf.OCSPServer, n.leaf.OCSPServer) {
				t.Errorf("usages: %v %v", leaf.KeyUsage, leaf.ExtKeyUsage)
			}
			if !leaf.NotBefore.Equal(now.Add(-time.Hour)) || !leaf.NotAfter.Equal(now.Add(365*day)) || !r.NotAfter.Equal(leaf.NotAfter) {
				t.Errorf("valid from %v until %v, %v", leaf.NotBefore, leaf.NotAfter, r.NotAfter)
			}
			if r.OldSerial != "4711" || r.NewSerial != leaf.SerialNumber.String() || leaf.SerialNumber.BitLen() != 128 {
				t.Errorf("serials %s, %s", r.OldSerial, r.NewSerial)
			}
			again, err := Rotate(load(t, n.Paths), n.caKey, 365, now)
			if err != nil || again.NewSerial == r.NewSerial || bytes.Equal(again.KeyPEM, r.KeyPEM) {
				t.Error("a second one has the same serial or key")
			}
		})
	}
}

func TestRotateEndsWithTheCA(t *testing.T) {
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), func(ca, _ *x509.Certificate) {
		ca.NotBefore, ca.NotAfter = now.Add(-time.Minute), now.Add(30*day)
	})
	r, err := Rotate(load(t, n.Paths), n.caKey, 365, now)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := rotated(t, r)
	if !leaf.NotAfter.Equal(n.ca.NotAfter) || !leaf.NotBefore.Equal(n.ca.NotBefore) {
		t.Errorf("valid from %v until %v", leaf.NotBefore, leaf.NotAfter)
	}
}

func TestRotateKeepsChainAndBareLeaf(t *testing.T) {
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), func(_, leaf *x509.Certificate) {
		leaf.KeyUsage, leaf.ExtKeyUsage, leaf.BasicConstraintsValid = 0, nil, false
	})
	other := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
	write(t, n.Cert, certPEM(n.leaf.Raw, n.ca.Raw), 0o644)
	write(t, n.CA, certPEM(other.ca.Raw, n.ca.Raw), 0o644)
	r, err := Rotate(load(t, n.Paths), n.caKey, 30, now)
	if err != nil {
		t.Fatal(err)
	}
	leaf, pair := rotated(t, r)
	if len(pair.Certificate) != 2 || !bytes.Equal(pair.Certificate[1], n.ca.Raw) {
		t.Error("the intermediates are lost")
	}
	if leaf.KeyUsage != 0 || leaf.ExtKeyUsage != nil || leaf.BasicConstraintsValid {
		t.Errorf("got restrictions that the old one did not have: %+v", leaf)
	}
	if err := leaf.CheckSignatureFrom(n.ca); err != nil {
		t.Error(err)
	}
}

func TestRotateFails(t *testing.T) {
	caK := ecKey(t)
	var n *node
	for _, tt := range []struct {
		name string
		edit func(ca, leaf *x509.Certificate)
		key  func() string
		days int
		path func() string
		kind error
		msg  string
	}{
		{name: "no key configured", key: func() string { return "" }, path: func() string { return "" }, kind: ErrNoCAKey, msg: "transport.ca_key_file"},
		{name: "key absent", key: func() string { return "/nonexistent" }, path: func() string { return "/nonexistent" }, kind: ErrUnreadable},
		{name: "key is a certificate", key: func() string { return n.CA }, path: func() string { return n.CA }, kind: ErrNoKey},
		{name: "key of the leaf", key: func() string { return n.Key }, path: func() string { return n.Key }, kind: ErrCAKeyMismatch, msg: "transport.ca_file"},
		{name: "no days", days: -1, kind: ErrValidDays, msg: "between 1 and 36500"},
		{name: "too many days", days: 36501, kind: ErrValidDays, msg: "between 1 and 36500"},
		{name: "too few days", days: 6, kind: ErrValidDays, msg: "at least 7"},
		{name: "seven days", days: 7},
		{name: "not a CA", edit: func(ca, _ *x509.Certificate) { ca.IsCA = false }, path: func() string { return n.CA }, kind: ErrNotCA},
		{name: "CA that may not sign", edit: func(ca, _ *x509.Certificate) { ca.KeyUsage = x509.KeyUsageCRLSign }, path: func() string { return n.CA }, kind: ErrNotCA},
		{name: "CA ends soon", edit: func(ca, _ *x509.Certificate) { ca.NotAfter = now.Add(7*day - time.Second) }, path: func() string { return n.CA }, kind: ErrCAExpiring},
		{name: "CA expired", edit: func(ca, _ *x509.Certificate) { ca.NotAfter = now.Add(-time.Second) }, path: func() string { return n.CA }, kind: ErrCAExpiring},
		{name: "CA not yet valid", edit: func(ca, _ *x509.Certificate) { ca.NotBefore = now.Add(time.Second) }, path: func() string { return n.CA }, kind: ErrCAExpiring},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n = makeNode(t, t.TempDir(), ecKey(t), caK, tt.edit)
			caKey, path := n.caKey, n.Cert
			if tt.key != nil {
				caKey = tt.key()
			}
			if tt.path != nil {
				path = tt.path()
			}
			if tt.days == 0 {
				tt.days = 365
			}
			r, err := Rotate(load(t, n.Paths), caKey, tt.days, now)
			if tt.kind != nil {
				if r != nil {
					t.Fatal("a rotation beside an error")
				}
				checkError(t, err, path, tt.kind, tt.msg)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := Install(load(t, n.Paths), r); err != nil {
				t.Fatal(err)
			}
			if err := Check(load(t, n.Paths), now, MinLeft); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRotateUnissuable: an old certificate whose extensions cannot be taken over.
func TestRotateUnissuable(t *testing.T) {
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
	b := load(t, n.Paths)
	b.Leaf.RawSubject = []byte{0x30, 0x03, 0x01}
	b.Leaf.Extensions = append(b.Leaf.Extensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Value: []byte{0xff}})
	_, err := Rotate(b, n.caKey, 365, now)
	checkError(t, err, n.Cert, ErrIssue, "by hand")
}

func TestOpenssl(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	n := makeNode(t, dir, rsaKey(t), rsaKey(t), func(ca, leaf *x509.Certificate) {
		ca.NotBefore, ca.NotAfter = time.Now().Add(-day), time.Now().Add(900*day)
		leaf.NotBefore, leaf.NotAfter = time.Now().Add(-day), time.Now().Add(day)
	})
	b := load(t, n.Paths)
	r, err := Rotate(b, n.caKey, 365, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := Install(b, r); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		out, err := exec.Command(openssl, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	if out := run("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", n.CA, n.Cert); !strings.Contains(out, ": OK") {
		t.Errorf("verify says %s", out)
	}
	if a, b := run("x509", "-in", n.Cert, "-noout", "-pubkey"), run("pkey", "-in", n.Key, "-pubout"); a != b {
		t.Errorf("certificate has %s, key %s", a, b)
	}
	old := filepath.Join(dir, "old.crt")
	write(t, old, n.certPEM, 0o644)
	for _, show := range [][]string{{"-subject"}, {"-ext", "subjectAltName,extendedKeyUsage"}} {
		was, is := run(append([]string{"x509", "-noout", "-in", old}, show...)...), run(append([]string{"x509", "-noout", "-in", n.Cert}, show...)...)
		if was != is {
			t.Errorf("%v was %s, is %s", show, was, is)
		}
	}
}
