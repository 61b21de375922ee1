package manifest

import "fmt"

// Code is the check that a manifest did not pass.
type Code string

// Codes. Each is the end of a log message, "precheck: " + Code.
const (
	CodeUnreadable       Code = "manifest unreadable on reconstruction path"
	CodeMissing          Code = "manifest missing on reconstruction path"
	CodeTooLarge         Code = "manifest too large"
	CodeSignatureMissing Code = "manifest signature missing on reconstruction path"
	CodeSignatureSize    Code = "manifest signature has wrong size"
	CodeKeyMissing       Code = "manifest verify key missing on reconstruction path"
	CodeKeySize          Code = "manifest verify key has wrong size"
	CodeKeyWritable      Code = "manifest verify key is world-writable"
	CodeKeyUnreadable    Code = "manifest verify key unreadable on reconstruction path"
	CodeSigUnreadable    Code = "manifest signature unreadable on reconstruction path"
	CodeKeyWeak          Code = "manifest verify key is not safe to use"
	CodeKeyPinned        Code = "manifest verify key is not the pinned one"
	CodeKeyUnknown       Code = "manifest verify key refused"
	CodeSignature        Code = "manifest signature verification failed"
	CodeMalformed        Code = "manifest malformed"
	CodeStrict           Code = "manifest does not satisfy assurance mode strict"
	CodeRollback         Code = "manifest serial rolled back"
	CodeExpired          Code = "manifest expired"
)

// Error is a failed check and its file, relative to the state root.
type Error struct {
	Code Code
	Path string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s: %v", e.Path, e.Code, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Message returns the message of the log line.
func (e *Error) Message() string { return "precheck: " + string(e.Code) }

// NextStep returns the instruction for the operator.
func (e *Error) NextStep() string {
	switch e.Code {
	case CodeMissing:
		return "deploy runtime/manifest.json with its signature"
	case CodeTooLarge:
		return "use fewer operations or shorter paths"
	case CodeSignatureMissing:
		return "sign the manifest: `edgectl manifest sign`"
	case CodeSignatureSize:
		return "sign the manifest again: a signature is 64 raw bytes"
	case CodeKeyMissing, CodeKeySize, CodeKeyWeak:
		return "put the verify key back at identity/manifest-verify.pub: 32 raw bytes, not PEM; `edgectl key show` reads either"
	case CodeKeyWritable:
		return "chmod o-w the key, and find out who could have exchanged it"
	case CodeKeyPinned:
		return "put the pinned key back; if the change is meant, change gate.manifest_key_blake3 in the config"
	case CodeKeyUnknown:
		return "put the known key back, or change keys with `edgectl key rotate manifest`"
	case CodeSignature:
		return "sign exactly these bytes with the key that belongs to identity/manifest-verify.pub"
	case CodeMalformed:
		return "`edgectl manifest lint` lists every problem; correct and sign again"
	case CodeStrict:
		return "give the manifest a serial, and every operation a blake3"
	case CodeRollback:
		return "deploy the newer manifest, or sign one that says allow_rollback_from"
	case CodeExpired:
		return "deploy a manifest that is still valid"
	}
	return "check the file's type, permissions and the disk"
}
