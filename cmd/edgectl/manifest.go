package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/stateroot"
)

func manifestCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "manifest",
		Short: "build, lint, sign and verify runtime manifests",
		Long: `A runtime manifest says what a reconstruction installs and from where. The gate
accepts one only with a signature by the node's manifest key, and applies it
only if every operation of it is sound.`,
		Example: `  edgectl manifest new --serial 1 --copy-binary edged:runtime/edged > manifest.json
  edgectl manifest sign manifest.json --key keys/manifest-verify.key`,
	}
	cmd.AddCommand(manifestNew(e), manifestLint(e), manifestSign(e), manifestVerify(e))
	return cmd
}

// judged is what lint and verify print as JSON.
type judged struct {
	OK         bool             `json:"ok"`
	File       string           `json:"file"`
	Hash       string           `json:"manifest_hash,omitempty"`
	Key        string           `json:"key_blake3,omitempty"`
	Serial     *int64           `json:"serial"`
	Operations int              `json:"operations"`
	Problems   []manifestDefect `json:"problems"`
}

type manifestDefect struct {
	Where  string `json:"where"`
	Reason string `json:"reason"`
}

func (j *judged) add(problems ...manifest.Problem) {
	for _, p := range problems {
		j.Problems = append(j.Problems, manifestDefect(p))
	}
}

// verdict prints the judgement and returns the command's outcome.
func (e *env) verdict(j judged, good string) error {
	j.OK = len(j.Problems) == 0
	if j.Problems == nil {
		j.Problems = []manifestDefect{}
	}
	var err error
	if e.json {
		err = writeJSON(e.stdout, j)
	} else {
		err = printVerdict(e.stdout, j, good)
	}
	if !j.OK {
		return errWrong
	}
	return err
}

func printVerdict(w io.Writer, j judged, good string) error {
	var b strings.Builder
	for _, p := range j.Problems {
		fmt.Fprintf(&b, "%s: %s\n", j.File, manifest.Problem(p))
	}
	switch n := len(j.Problems); n {
	case 0:
		fmt.Fprintf(&b, "%s: %s\n", j.File, good)
	case 1:
		fmt.Fprintf(&b, "%s: 1 problem\n", j.File)
	default:
		fmt.Fprintf(&b, "%s: %d problems\n", j.File, n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// manifestFile is the manifest that is meant: a file that was named, or the
// state root's. tree is the state root to compare it with, nil if none is
// named.
type manifestFile struct {
	path string
	root string // absolute path of tree
	tree *durable.Root
}

// manifestAt finds the manifest that args name.
func (e *env) manifestAt(args []string) (*manifestFile, error) {
	root, err := e.root()
	if err != nil {
		if len(args) == 1 && e.target.stateRoot == "" && e.target.config == "" {
			return &manifestFile{path: args[0]}, nil // a file, and no state root to hold it against
		}
		return nil, err
	}
	m := &manifestFile{path: filepath.Join(root, stateroot.Manifest), root: root}
	if len(args) == 1 {
		m.path = args[0]
	}
	if m.tree, err = durable.OpenRootReadOnly(root); err != nil {
		return nil, fail("name a state root that edgectl init laid out", "state root: %w", err)
	}
	return m, nil
}

// fs is the state root's tree, or a nil interface.
func (m *manifestFile) fs() durable.FS {
	if m.tree == nil {
		return nil
	}
	return m.tree
}

func (m *manifestFile) close() {
	if m.tree != nil {
		_ = m.tree.Close() // read-only
	}
}

// read reads the manifest's bytes, once.
func (m *manifestFile) read() ([]byte, error) {
	data, err := durable.ReadHostFile(m.path, manifest.MaxBytes)
	if err != nil {
		return nil, fail("name a manifest of at most 32 KiB, or a state root that holds one", "read the manifest: %w", err)
	}
	return data, nil
}
