package signing

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/autonomyops/edged/internal/digest"
	"github.com/autonomyops/edged/machine"
)

// statementType distinguishes a statement from anything else that a key signs. A manifest has
// no member type, and a statement has none of a manifest's.
const statementType = "edged-key-rotation"

// maxStatement is the greatest size of a statement in bytes; one has about 400.
const maxStatement = 4 << 10

// ErrStatement: the bytes are not a statement of rotation, or not one that the
// old key signed.
var ErrStatement = errors.New("not a statement of key rotation")

// Statement is signed by an old key and names its successor. It is valid for one journal only,
// so that it cannot be used on another node.
type Statement struct {
	Purpose   string            // machine.PurposeManifest or PurposeCheckpoint
	OldKey    string            // Hash of the signing key
	NewKey    string            // Hash of NewPublic
	NewPublic ed25519.PublicKey // 32 raw bytes
	Journal   string            // id of the journal for which it is valid
}

// wire is the statement's JSON. NewPublic is base64 in it.
type wire struct {
	Journal   string `json:"journal"`
	NewKey    string `json:"new_key"`
	NewPublic []byte `json:"new_public"`
	OldKey    string `json:"old_key"`
	Purpose   string `json:"purpose"`
	Type      string `json:"type"`
	V         int    `json:"v"`
}

// NewStatement returns the statement that newPublic succeeds oldPublic for a purpose in a journal.
func NewStatement(purpose string, oldPublic, newPublic ed25519.PublicKey, journal string) Statement {
	return Statement{Purpose: purpose, OldKey: Hash(oldPublic), NewKey: Hash(newPublic), NewPublic: newPublic, Journal: journal}
}

// Bytes returns the statement as it is signed: one line of JSON in its RFC 8785 form. The error
// is ErrStatement.
func (s Statement) Bytes() ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	data, err := json.Marshal(wire{
		Journal: s.Journal, NewKey: s.NewKey, NewPublic: s.NewPublic, OldKey: s.OldKey,
		Purpose: s.Purpose, Type: statementType, V: 1,
	})
	if err != nil { // text that is not UTF-8
		return nil, fmt.Errorf("%w: %w", ErrStatement, err)
	}
	value := jsontext.Value(data)
	if err := value.Canonicalize(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStatement, err)
	}
	return value, nil
}

func (s Statement) check() error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrStatement, fmt.Sprintf(format, args...))
	}
	if s.Purpose != machine.PurposeManifest && s.Purpose != machine.PurposeCheckpoint {
		return refuse("purpose %q, want %s or %s", s.Purpose, machine.PurposeManifest, machine.PurposeCheckpoint)
	}
	if err := CheckPublic(s.NewPublic); err != nil {
		return fmt.Errorf("%w: the new key: %w", ErrStatement, err)
	}
	switch {
	case !digest.Valid(s.OldKey):
		return refuse("old_key is not 64 lower-case hex digits")
	case s.NewKey != Hash(s.NewPublic):
		return refuse("new_key is not the BLAKE3 of new_public")
	case s.NewKey == s.OldKey:
		return refuse("the new key is the old one")
	case s.Journal == "":
		return refuse("it names no journal")
	}
	return nil
}

// SignStatement signs s with the old key, whose hash s must name. It returns
// the bytes signed and the 64-byte signature. The error is ErrKey or ErrStatement.
func SignStatement(old ed25519.PrivateKey, s Statement) (statement, signature []byte, err error) {
	if len(old) != ed25519.PrivateKeySize {
		return nil, nil, fmt.Errorf("%w: %d bytes, want %d", ErrKey, len(old), ed25519.PrivateKeySize)
	}
	if hash := Hash(Public(old)); hash != s.OldKey {
		return nil, nil, fmt.Errorf("%w: it names %s as the old key, but the signing key is %s", ErrStatement, s.OldKey, hash)
	}
	if statement, err = s.Bytes(); err != nil {
		return nil, nil, err
	}
	return statement, ed25519.Sign(old, statement), nil
}

// VerifyStatement reads a statement that the old key signed. Its bytes must be exactly those of
// Bytes. The caller must compare purpose and journal with its own. The error is ErrStatement.
func VerifyStatement(old ed25519.PublicKey, statement, signature []byte) (Statement, error) {
	if !Verify(old, statement, signature) {
		return Statement{}, fmt.Errorf("%w: the old key did not sign these bytes", ErrStatement)
	}
	s, err := parseStatement(statement)
	if err != nil {
		return Statement{}, err
	}
	if hash := Hash(old); s.OldKey != hash {
		return Statement{}, fmt.Errorf("%w: it names %s as the old key, but %s signed it", ErrStatement, s.OldKey, hash)
	}
	return s, nil
}

func parseStatement(data []byte) (Statement, error) {
	if len(data) > maxStatement {
		return Statement{}, fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrStatement, len(data), maxStatement)
	}
	var w wire
	if err := json.Unmarshal(data, &w, json.RejectUnknownMembers(true)); err != nil {
		return Statement{}, fmt.Errorf("%w: %w", ErrStatement, err)
	}
	if w.Type != statementType || w.V != 1 {
		return Statement{}, fmt.Errorf("%w: type %q, version %d", ErrStatement, w.Type, w.V)
	}
	s := Statement{Purpose: w.Purpose, OldKey: w.OldKey, NewKey: w.NewKey, NewPublic: w.NewPublic, Journal: w.Journal}
	again, err := s.Bytes()
	if err != nil {
		return Statement{}, err
	}
	if !bytes.Equal(again, data) {
		return Statement{}, fmt.Errorf("%w: its JSON is not in the canonical form", ErrStatement)
	}
	return s, nil
}
