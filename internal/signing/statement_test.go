package signing

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"

	"github.com/autonomyops/edged/machine"
)

const testJournal = "5f0c6b0e-8a5d-4a53-9f5e-2f9a4b8f7d11"

func TestStatement(t *testing.T) {
	old, next := testKey(t), testKey(t)
	s := NewStatement(machine.PurposeManifest, Public(old), Public(next), testJournal)
	statement, signature, err := SignStatement(old, s)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"journal":%q,"new_key":%q,"new_public":%q,"old_key":%q,"purpose":"manifest","type":"edged-key-rotation","v":1}`,
		testJournal, Hash(Public(next)), base64.StdEncoding.EncodeToString(Public(next)), Hash(Public(old)))
	if string(statement) != want {
		t.Errorf("the statement is\n%s\nwant\n%s", statement, want)
	}
	if canonical, err := jcs.Transform(statement); err != nil || !bytes.Equal(canonical, statement) {
		t.Errorf("RFC 8785 gives %s, %v", canonical, err)
	}
	got, err := VerifyStatement(Public(old), statement, signature)
	if err != nil || got.Purpose != s.Purpose || got.Journal != s.Journal || got.OldKey != s.OldKey ||
		got.NewKey != s.NewKey || !got.NewPublic.Equal(Public(next)) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestStatementRefused(t *testing.T) {
	old, next := testKey(t), testKey(t)
	good := NewStatement(machine.PurposeCheckpoint, Public(old), Public(next), testJournal)
	for name, change := range map[string]func(*Statement){
		"purpose":          func(s *Statement) { s.Purpose = "tls" },
		"no journal":       func(s *Statement) { s.Journal = "" },
		"journal encoding": func(s *Statement) { s.Journal = "\xff" },
		"old key":          func(s *Statement) { s.OldKey = strings.ToUpper(s.OldKey) },
		"new key":          func(s *Statement) { s.NewKey = Hash([]byte("other")) },
		"new public":       func(s *Statement) { s.NewPublic = s.NewPublic[:31] },
		"weak key":         func(s *Statement) { s.NewPublic = make([]byte, 32); s.NewKey = Hash(s.NewPublic) },
		"itself":           func(s *Statement) { s.NewPublic = Public(old); s.NewKey = s.OldKey },
	} {
		s := good
		change(&s)
		if data, err := s.Bytes(); !errors.Is(err, ErrStatement) {
			t.Errorf("%s: %s, %v", name, data, err)
		}
		if _, _, err := SignStatement(old, s); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
	if _, _, err := SignStatement(next, good); !errors.Is(err, ErrStatement) {
		t.Error("signed by a key that it does not name:", err)
	}
	if _, _, err := SignStatement(old[:10], good); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
}

// TestVerifyStatementRefuses: bytes that the old key did sign, but that are
// not exactly a statement.
func TestVerifyStatementRefuses(t *testing.T) {
	old, next := testKey(t), testKey(t)
	good, signature, err := SignStatement(old, NewStatement(machine.PurposeManifest, Public(old), Public(next), testJournal))
	if err != nil {
		t.Fatal(err)
	}
	text := string(good)
	for name, statement := range map[string]string{
		"white space":      strings.Replace(text, ":", ": ", 1),
		"another order":    `{"v":1,` + strings.Replace(text[1:], `,"v":1`, "", 1),
		"unknown member":   strings.Replace(text, `"v":1`, `"v":1,"x":1`, 1),
		"duplicate member": strings.Replace(text, `"v":1`, `"v":1,"v":1`, 1),
		"case":             strings.Replace(text, `"journal"`, `"Journal"`, 1),
		"type":             strings.Replace(text, "edged-key-rotation", "manifest", 1),
		"version":          strings.Replace(text, `"v":1`, `"v":2`, 1),
		"trailing":         text + "{}",
		"escape":           strings.Replace(text, "manifest", `man\u0069fest`, 1),
		"huge":             text + strings.Repeat(" ", maxStatement),
		"a manifest":       `{"version":"1","operations":[]}`,
		"null":             "null",
		"nothing":          "",
		"other old key":    strings.Replace(text, Hash(Public(old)), Hash([]byte("other")), 1),
		"other new key":    strings.Replace(text, Hash(Public(next)), Hash([]byte("other")), 1),
	} {
		if s, err := VerifyStatement(Public(old), []byte(statement), ed25519.Sign(old, []byte(statement))); !errors.Is(err, ErrStatement) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	for name, err := range map[string]error{
		"by the new key":  second(VerifyStatement(Public(next), good, ed25519.Sign(next, good))),
		"under the new":   second(VerifyStatement(Public(next), good, signature)),
		"short signature": second(VerifyStatement(Public(old), good, signature[:63])),
		"no key":          second(VerifyStatement(nil, good, signature)),
	} {
		if !errors.Is(err, ErrStatement) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ Statement, err error) error { return err }

func FuzzStatement(f *testing.F) {
	old, next := testKey(f), testKey(f)
	good, _, err := SignStatement(old, NewStatement(machine.PurposeManifest, Public(old), Public(next), testJournal))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"journal":"\ud800"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := VerifyStatement(Public(old), data, ed25519.Sign(old, data))
		if err != nil {
			if !errors.Is(err, ErrStatement) {
				t.Fatal(err)
			}
			return
		}
		if again, err := s.Bytes(); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%s is read from %s, %v", again, data, err)
		}
	})
}
