// Package authoring makes runtime manifests from the files of a state root,
// and explains everything that is wrong with one.
package authoring

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/operation"
	"github.com/autonomyops/edged/internal/stateroot"
)

// Manifest is a manifest to be written; its members are in the order of the
// documentation.
type Manifest struct {
	Version           string      `json:"version"`
	BinaryPath        string      `json:"binary_path,omitempty"`
	Serial            *int64      `json:"serial,omitempty"`
	AllowRollbackFrom *int64      `json:"allow_rollback_from,omitempty"`
	NotAfter          *time.Time  `json:"not_after,omitempty"`
	Operations        []Operation `json:"operations"`
}

// Operation is one operation to be written.
type Operation struct {
	Op     string `json:"op"`
	Src    string `json:"src"`
	Dst    string `json:"dst"`
	BLAKE3 string `json:"blake3,omitempty"`
	Mode   string `json:"mode,omitempty"`
}

// ErrSpec: a specification of an operation is not SRC:DST or SRC:DST:MODE.
var ErrSpec = errors.New("not SRC:DST or SRC:DST:MODE")

// ParseOperation reads SRC:DST or SRC:DST:MODE, MODE being octal.
func ParseOperation(op, spec string) (Operation, error) {
	parts := strings.Split(spec, ":")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return Operation{}, fmt.Errorf("%q is %w", spec, ErrSpec)
	}
	o := Operation{Op: op, Src: parts[0], Dst: parts[1]}
	if len(parts) == 3 {
		if _, err := manifest.ParseMode(parts[2]); err != nil {
			return Operation{}, fmt.Errorf("%q is %w: %w", spec, ErrSpec, err)
		}
		o.Mode = parts[2]
	}
	return o, nil
}

// folders are where operations take their files from.
var folders = map[string]string{
	manifest.CopyBinary:    stateroot.Binaries,
	manifest.InstallConfig: stateroot.Bootstrap,
}

// Build pins each operation to the content that its source has now, and returns
// the manifest's bytes. Every problem is in the error.
func Build(fsys durable.FS, root string, m Manifest) ([]byte, error) {
	var bad []error
	for i := range m.Operations {
		o := &m.Operations[i]
		name := o.Src
		if rel, ok := strings.CutPrefix(name, strings.TrimSuffix(root, "/")+"/"); ok {
			name = rel
		} else if !strings.HasPrefix(name, "/") {
			name = folders[o.Op] + "/" + name
		}
		sum, _, err := operation.HashFile(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w; %s takes its files from %s/ of the state root", err, o.Op, folders[o.Op])
		}
		if err != nil {
			bad = append(bad, fmt.Errorf("%s %s: %w", o.Op, o.Src, err))
		}
		o.BLAKE3 = sum
	}
	if len(bad) > 0 {
		return nil, errors.Join(bad...)
	}
	if m.Operations == nil {
		m.Operations = []Operation{}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return nil, err
	}
	for _, p := range Lint(fsys, root, out.Bytes()) {
		bad = append(bad, errors.New(p.String()))
	}
	return out.Bytes(), errors.Join(bad...)
}
