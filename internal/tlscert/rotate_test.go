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
	"encoding/pem"
	"errors"
	"os"
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
	pair, err := tls.X509KeyPair(r.cert, r.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf, pair
}

// install installs a rotation on this host.
func install(t *testing.T, p Paths, r *Rotation) {
	t.Helper()
	f, err := Open(p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := f.Load()
	if err == nil {
		err = f.Install(b, r)
	}
	if err == nil {
		err = f.Finish()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestRotate(t *testing.T) {
	for name, keys := range map[string]struct{ leaf, ca crypto.Signer }{
		"ecdsa":   {ecKey(t), ecKey(t)},
		"rsa":     {rsaKey(t), rsaKey(t)},
		"ed25519": {edKey(t), edKey(t)},
	} {
		t.Run(name, func(t *testing.T) {
			n := makeNode(t, t.TempDir(), keys.leaf, keys.ca, nil)
			r, err := Rotate(load(t, n.Paths), 365, Times{Known: now.Add(-day + 300*time.Millisecond), Now: now.Add(500 * time.Millisecond)})
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
			if !leaf.NotBefore.Equal(now.Add(-day)) || !leaf.NotAfter.Equal(now.Add(365*day)) || !r.NotAfter.Equal(leaf.NotAfter) {
				t.Errorf("valid from %v until %v, %v", leaf.NotBefore, leaf.NotAfter, r.NotAfter)
			}
			if r.OldSerial != "4711" || r.NewSerial != leaf.SerialNumber.String() || leaf.SerialNumber.BitLen() != 128 {
				t.Errorf("serials %s, %s", r.OldSerial, r.NewSerial)
			}
			again, err := Rotate(load(t, n.Paths), 365, times())
			if err != nil || again.NewSerial == r.NewSerial || bytes.Equal(again.key, r.key) {
				t.Error("a second one has the same serial or key")
			}
		})
	}
}

func TestRotateEndsWithTheCA(t *testing.T) {
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), func(ca, _ *x509.Certificate) {
		ca.NotAfter = now.Add(30 * day)
	})
	r, err := Rotate(load(t, n.Paths), 365, times())
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := rotated(t, r)
	if !leaf.NotAfter.Equal(n.ca.NotAfter) {
		t.Errorf("valid from %v until %v", leaf.NotBefore, leaf.NotAfter)
	}
}

func TestRotateKeepsChainAndBareLeaf(t *testing.T) {
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), func(_, leaf *x509.Certificate) {
		leaf.KeyUsage, leaf.ExtKeyUsage, leaf.BasicConstraintsValid = 0, nil, false
	})
	other := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
	put(t, n.Cert, certPEM(n.leaf.Raw, n.ca.Raw), 0o644)
	put(t, n.CA, certPEM(other.ca.Raw, n.ca.Raw), 0o644)
	r, err := Rotate(load(t, n.Paths), 30, times())
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
		{name: "no key configured", key: func() string { return "" }, kind: ErrNoCAKey, msg: "transport.ca_key_file"},
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
		{name: "CA that begins later: the clock may be behind", edit: func(ca, _ *x509.Certificate) { ca.NotBefore = now.Add(day) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n = makeNode(t, t.TempDir(), ecKey(t), caK, tt.edit)
			path := n.Cert
			if tt.key != nil {
				n.CAKey = tt.key()
			}
			if tt.path != nil {
				path = tt.path()
			}
			if tt.days == 0 {
				tt.days = 365
			}
			r, err := Rotate(load(t, n.Paths), tt.days, times())
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
			install(t, n.Paths, r)
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
	_, err := Rotate(b, 365, times())
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
	r, err := Rotate(b, 365, Times{Known: time.Now().Add(-time.Hour), Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	install(t, n.Paths, r)
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
	put(t, old, n.certPEM, 0o644)
	for _, show := range [][]string{{"-subject"}, {"-ext", "subjectAltName,extendedKeyUsage"}} {
		was, is := run(append([]string{"x509", "-noout", "-in", old}, show...)...), run(append([]string{"x509", "-noout", "-in", n.Cert}, show...)...)
		if was != is {
			t.Errorf("%v was %s, is %s", show, was, is)
		}
	}
}

// TestRotateUnderARunawayClock: a boot in 2031 issues a pair that is valid once
// the clock is right again.
func TestRotateUnderARunawayClock(t *testing.T) {
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), func(ca, _ *x509.Certificate) { ca.NotAfter = now.Add(20 * 365 * day) })
	far := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	r, err := Rotate(load(t, n.Paths), 365, Times{Known: now, Now: far})
	if err != nil {
		t.Fatal(err)
	}
	install(t, n.Paths, r)
	b := load(t, n.Paths)
	for _, at := range []time.Time{now, far} {
		if err := Check(b, at, MinLeft); err != nil || b.NotYetValid(at) {
			t.Errorf("at %v: %v, not yet valid: %t", at, err, b.NotYetValid(at))
		}
	}
	// If no time is known, validity begins with the CA's.
	if r, err = Rotate(b, 365, Times{Now: far}); err != nil {
		t.Fatal(err)
	}
	if leaf, _ := rotated(t, r); !leaf.NotBefore.Equal(n.ca.NotBefore) {
		t.Errorf("valid from %v", leaf.NotBefore)
	}
}

// TestRotateUnderTheCAThatEndsLast: a renewed CA is beside the old one, of the same key, in either
// order, and beside certificates that may not sign.
func TestRotateUnderTheCAThatEndsLast(t *testing.T) {
	caK := ecKey(t)
	renewed := func(end time.Time, edit func(*x509.Certificate)) []byte {
		template := caTemplate()
		template.NotAfter = end
		edit(template)
		return sign(t, template, template, caK, caK)
	}
	same := func(*x509.Certificate) {}
	soon, late := renewed(now.Add(20*day), same), renewed(now.Add(900*day), same)
	later := renewed(now.Add(5000*day), func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, 0 })
	for name, bundle := range map[string][]byte{"old first": certPEM(soon, late, later), "new first": certPEM(later, late, soon)} {
		n := makeNode(t, t.TempDir(), ecKey(t), caK, nil)
		put(t, n.CA, bundle, 0o644)
		r, err := Rotate(load(t, n.Paths), 1200, times())
		if err != nil {
			t.Fatal(name, err)
		}
		if !r.NotAfter.Equal(now.Add(900 * day)) {
			t.Errorf("%s: until %v", name, r.NotAfter)
		}
	}
}

// TestRotateKeepsOtherContent: everything else in the files is kept, byte for byte.
func TestRotateKeepsOtherContent(t *testing.T) {
	params := "-----BEGIN DH PARAMETERS-----\nMAYCAQUCAQI=\n-----END DH PARAMETERS-----\n"
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
	broken := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))
	leaf, key, chain := string(n.certPEM), string(n.keyPEM), string(certPEM(n.ca.Raw))
	for name, tt := range map[string]struct{ cert, key [2]string }{
		"all in one file": {cert: [2]string{"# site 7\r\n" + params + "subject=node\n", params + chain + "trailer"}},
		"two files":       {[2]string{"# leaf\n", chain + broken + params + key + "# end"}, [2]string{"Bag Attributes\n", params + leaf}},
		"windows":         {[2]string{"# leaf\r\n", strings.ReplaceAll(chain, "\n", "\r\n")}, [2]string{"", "\r\n"}},
		"no last newline": {[2]string{"", ""}, [2]string{"", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			p := n.Paths
			cert, keyText := leaf, key
			if name == "no last newline" {
				cert, keyText = strings.TrimSpace(leaf), strings.TrimSpace(key)
			}
			if name == "all in one file" {
				p.Key = p.Cert
				put(t, p.Cert, []byte(tt.cert[0]+key+leaf+tt.cert[1]), 0o600)
			} else {
				put(t, p.Cert, []byte(tt.cert[0]+cert+tt.cert[1]), 0o644)
				put(t, p.Key, []byte(tt.key[0]+keyText+tt.key[1]), 0o600)
			}
			r, err := Rotate(load(t, p), 365, times())
			if err != nil {
				t.Fatal(err)
			}
			install(t, p, r)
			if again := load(t, p); again.Leaf.SerialNumber.String() != r.NewSerial {
				t.Error("another certificate leads the file")
			}
			around := func(path string, want [2]string, without ...string) {
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if text := string(data); !strings.HasPrefix(text, want[0]) || !strings.HasSuffix(text, want[1]) ||
					len(text) > len(want[0])+len(want[1])+2500 || slices.ContainsFunc(without, func(s string) bool { return strings.Contains(text, s) }) {
					t.Errorf("%s holds\n%s", path, text)
				}
			}
			if p.Key == p.Cert {
				around(p.Cert, tt.cert, leaf, key)
				return
			}
			around(p.Cert, tt.cert, cert)
			around(p.Key, tt.key, keyText)
		})
	}
}

// TestRotateTooLarge: a file that the next boot could not read is not written.
func TestRotateTooLarge(t *testing.T) {
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), func(_, leaf *x509.Certificate) { leaf.NotAfter = now.Add(5 * day) })
	put(t, n.Key, append(n.keyPEM, bytes.Repeat([]byte("#"), MaxBytes-len(n.keyPEM))...), 0o600)
	b := load(t, n.Paths)
	b.keyBlock.to = b.keyBlock.from // as if the old key were shorter
	_, err := Rotate(b, 365, times())
	checkError(t, err, n.Cert, ErrIssue, "larger than the limit")
}
