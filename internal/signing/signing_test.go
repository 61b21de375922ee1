package signing

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func testKey(t testing.TB) ed25519.PrivateKey { return must[ed25519.PrivateKey](t)(Generate()) }

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestParsePublic(t *testing.T) {
	key := testKey(t)
	public := Public(key)
	spki := must[[]byte](t)(x509.MarshalPKIXPublicKey(public))
	ec := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ecSPKI := must[[]byte](t)(x509.MarshalPKIXPublicKey(&ec.PublicKey))
	weak := must[[]byte](t)(x509.MarshalPKIXPublicKey(ed25519.PublicKey(make([]byte, 32))))
	tests := []struct {
		name string
		in   []byte
		says string // "" where the key is read
	}{
		{"raw", public, ""},
		{"spki", pemOf("PUBLIC KEY", spki), ""},
		{"spki behind text", append([]byte("a comment\n"), pemOf("PUBLIC KEY", spki)...), ""},
		{"empty", nil, "0 bytes, want 32"},
		{"short", public[:31], "31 bytes, want 32"},
		{"long", append(bytes.Clone(public), '\n'), "33 bytes, want 32"},
		{"a signing key", key, "64 bytes, want 32"},
		{"huge", make([]byte, MaxKeyFile+1), "the limit is"},
		{"a private pem", pemOf("PRIVATE KEY", spki), "want PUBLIC KEY"},
		{"a broken pem", pemOf("PUBLIC KEY", spki[:20]), "not an Ed25519 key"},
		{"another algorithm", pemOf("PUBLIC KEY", ecSPKI), "*ecdsa.PublicKey"},
		{"zeros", make([]byte, 32), "small order"},
		{"zeros in pem", pemOf("PUBLIC KEY", weak), "small order"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParsePublic(tt.in)
			if tt.says == "" {
				if err != nil || !got.Equal(public) {
					t.Fatal(got, err)
				}
				want := bytes.Clone(public) // tt.in may be public itself
				tt.in[0] ^= 1
				if !bytes.Equal(got, want) {
					t.Error("the key shares the caller's bytes")
				}
				tt.in[0] ^= 1
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) || !errors.Is(err, ErrKey) && !errors.Is(err, ErrWeakKey) {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
}

func TestParsePrivate(t *testing.T) {
	key := testKey(t)
	pkcs8 := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(key))
	ec := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ecPKCS8 := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(ec))
	torn := bytes.Clone(key)
	torn[63] ^= 1
	tests := []struct {
		name string
		in   []byte
		says string
	}{
		{"raw", key, ""},
		{"pkcs8", pemOf("PRIVATE KEY", pkcs8), ""},
		{"empty", nil, "0 bytes, want 64"},
		{"short", key[:63], "63 bytes, want 64"},
		{"a seed", key[:32], "a verify key or a bare seed"},
		{"long", append(bytes.Clone(key), '\n'), "65 bytes, want 64"},
		{"halves of two keys", torn, "does not belong to its seed"},
		{"huge", make([]byte, MaxKeyFile+1), "the limit is"},
		{"encrypted", pemOf("ENCRYPTED PRIVATE KEY", pkcs8), "not encrypted"},
		{"a broken pem", pemOf("PRIVATE KEY", pkcs8[:20]), "not an Ed25519 key"},
		{"another algorithm", pemOf("PRIVATE KEY", ecPKCS8), "*ecdsa.PrivateKey"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParsePrivate(tt.in)
			if tt.says == "" {
				if err != nil || !got.Equal(key) {
					t.Fatal(got, err)
				}
				return
			}
			if !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %q", err, tt.says)
			}
			if strings.Contains(err.Error(), string(key.Seed())) {
				t.Error("the error holds the key")
			}
		})
	}
}

// TestOpenSSL reads what openssl makes and has openssl read what we signed.
func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(openssl, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	read := func(name string) []byte { return must[[]byte](t)(os.ReadFile(filepath.Join(dir, name))) }
	run("genpkey", "-algorithm", "ed25519", "-out", "key.pem")
	run("pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem")
	key := must[ed25519.PrivateKey](t)(ParsePrivate(read("key.pem")))
	public := must[ed25519.PublicKey](t)(ParsePublic(read("pub.pem")))
	if !Public(key).Equal(public) {
		t.Fatal("openssl's halves do not belong together")
	}
	message := []byte("{}")
	for name, data := range map[string][]byte{"m": message, "s": ed25519.Sign(key, message)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run("pkeyutl", "-verify", "-pubin", "-inkey", "pub.pem", "-rawin", "-in", "m", "-sigfile", "s")
	run("pkeyutl", "-sign", "-inkey", "key.pem", "-rawin", "-in", "m", "-out", "theirs")
	if !Verify(public, message, read("theirs")) {
		t.Error("openssl's signature does not verify")
	}
	run("genpkey", "-algorithm", "ed25519", "-aes-256-cbc", "-pass", "pass:x", "-out", "locked.pem")
	if _, err := ParsePrivate(read("locked.pem")); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "not encrypted") {
		t.Error(err)
	}
}

// TestWeakKeys forges a signature under each key of small order, as anybody
// could: with R of small order and S zero the equation depends on the hash only.
func TestWeakKeys(t *testing.T) {
	for _, weak := range smallOrder {
		for _, sign := range []byte{0, 0x80} {
			key := weak
			key[31] |= sign
			if !errors.Is(CheckPublic(key[:]), ErrWeakKey) {
				t.Errorf("%x passes for a key", key)
			}
			message, signature := forge(key[:])
			if signature == nil {
				continue // crypto/ed25519 does not take this encoding for a point
			}
			if Verify(key[:], message, signature) {
				t.Errorf("%x: a forged signature verifies", key)
			}
		}
	}
	if m, s := forge(make([]byte, 32)); s == nil || !ed25519.Verify(make([]byte, 32), m, s) {
		t.Error("the test forges nothing: it proves nothing")
	}
	if err := CheckPublic(Public(testKey(t))); err != nil {
		t.Error(err)
	}
	if err := CheckPublic(nil); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
}

func forge(key ed25519.PublicKey) (message, signature []byte) {
	for i := range uint64(200) {
		message = binary.LittleEndian.AppendUint64(nil, i)
		signature = make([]byte, 64)
		signature[0] = 1 // R is the neutral point, S is zero
		if ed25519.Verify(key, message, signature) {
			return message, signature
		}
	}
	return nil, nil
}

func TestVerify(t *testing.T) {
	key := testKey(t)
	public, message := Public(key), []byte("bytes")
	signature := ed25519.Sign(key, message)
	if !Verify(public, message, signature) {
		t.Fatal("a good signature does not verify")
	}
	for name, ok := range map[string]bool{
		"short key":       Verify(public[:31], message, signature),
		"no key":          Verify(nil, message, signature),
		"short signature": Verify(public, message, signature[:63]),
		"long signature":  Verify(public, message, append(bytes.Clone(signature), 0)),
		"other bytes":     Verify(public, []byte("bytes "), signature),
		"other key":       Verify(Public(testKey(t)), message, signature),
	} {
		if ok {
			t.Error(name, "verifies")
		}
	}
}

func TestHash(t *testing.T) {
	// b3sum of 32 bytes 0, 1, … 31.
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	if got := Hash(key); len(got) != 64 || got != strings.ToLower(got) {
		t.Error(got)
	}
	if b3sum, err := exec.LookPath("b3sum"); err == nil {
		cmd := exec.Command(b3sum, "--no-names")
		cmd.Stdin = bytes.NewReader(key)
		if out, err := cmd.Output(); err != nil || strings.TrimSpace(string(out)) != Hash(key) {
			t.Errorf("b3sum says %s, %v; we say %s", out, err, Hash(key))
		}
	}
}

func FuzzPublicKey(f *testing.F) {
	public := Public(testKey(f))
	spki, _ := x509.MarshalPKIXPublicKey(public)
	f.Add([]byte(public))
	f.Add(pemOf("PUBLIC KEY", spki))
	f.Add(make([]byte, 32))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\n\n-----END PUBLIC KEY-----"))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := ParsePublic(data)
		if err == nil && CheckPublic(key) != nil {
			t.Fatal("a key that is none was read")
		}
		Verify(key, data, data)
	})
}

func FuzzPrivateKey(f *testing.F) {
	key := testKey(f)
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(key)
	f.Add([]byte(key))
	f.Add(pemOf("PRIVATE KEY", pkcs8))
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := ParsePrivate(data)
		if err != nil {
			if !errors.Is(err, ErrKey) {
				t.Fatal(err)
			}
			return
		}
		if !Verify(Public(key), data, ed25519.Sign(key, data)) {
			t.Fatal("the halves do not belong together")
		}
	})
}
