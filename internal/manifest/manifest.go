// Package manifest reads the signed runtime manifest: the only description of
// the files that a reconstruction may install.
//
// The bytes are read once. The signature is verified over them, and those same
// bytes are parsed, so that they cannot be
// replaced in between.
package manifest

import (
	"time"

	"github.com/autonomyops/edged/machine"
)

// Limits of a manifest.
const (
	MaxBytes = 32 << 10
	// MaxOperations is the machine's limit: a manifest with more could be accepted
	// and then not be journaled.
	MaxOperations = machine.MaxOperations
	// maxWhole is the greatest whole number that every JSON reader keeps exactly.
	maxWhole = 1<<53 - 1
)

// DefaultBinary is the binary_path of a manifest that names none.
const DefaultBinary = "edged"

// Manifest is a parsed manifest. The zero value of an optional member means
// that it was absent.
type Manifest struct {
	Version           string
	BinaryPath        string
	Operations        []Operation
	Serial            *int64
	AllowRollbackFrom *int64
	NotAfter          *time.Time
}

// Operation is one typed operation. Src and Dst are as written; package
// operation has the rules for them.
type Operation struct {
	Op     string
	Src    string
	Dst    string
	BLAKE3 string // 64 lower-case hex digits
	Mode   string // as ParseMode reads it
}

// The operations.
const (
	CopyBinary    = "copy_binary"
	InstallConfig = "install_config"
)

// Binary returns the path of the runtime's binary, relative to runtime/binaries/.
func (m *Manifest) Binary() string {
	if m.BinaryPath == "" {
		return DefaultBinary
	}
	return m.BinaryPath
}
