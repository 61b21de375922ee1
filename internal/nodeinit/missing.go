package nodeinit

import (
	"os"
	"path/filepath"

	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/stateroot"
)

// Missing is something that a gated node needs and does not have yet. Command
// brings it; a word in capital letters stands for a file that the operator has.
type Missing struct {
	What    string `json:"what"`
	Path    string `json:"path"`
	Command string `json:"command"`
}

// missing lists what the config in the state root names, or the gate looks for,
// and is not there, in the order in which a node is commissioned.
func (l *layout) missing() ([]Missing, error) {
	cfg, err := config.Load(filepath.Join(l.root, stateroot.NodeConfig))
	if err != nil {
		return nil, err
	}
	below := func(name string) string { return filepath.Join(l.root, name) }
	install := func(mode, source, path string) string {
		return display.Command("install", "-D", "-m", mode, source, path)
	}
	t := cfg.Transport
	all := []Missing{
		{"the certificate of the CA", t.CAFile, install("644", "CA", t.CAFile)},
		{"the node's certificate", t.CertFile, install("644", "CERTIFICATE", t.CertFile)},
		{"the key of the node's certificate", t.KeyFile, install("600", "KEY", t.KeyFile)},
	}
	if t.CAKeyFile != "" {
		all = append(all, Missing{"the key of the CA", t.CAKeyFile, install("600", "CA_KEY", t.CAKeyFile)})
	}
	verifyKey, manifest, signature := below(stateroot.ManifestVerifyKey), below(stateroot.Manifest), below(stateroot.ManifestSignature)
	all = append(all,
		Missing{"the public key of the manifests", verifyKey, install("644", "VERIFY_KEY", verifyKey)},
		Missing{"the manifest", manifest, display.Command("edgectl", "manifest", "new", "--serial", "1", "--copy-binary", "edged:runtime/edged", "--out", manifest)},
		Missing{"the manifest's signature", signature, display.Command("edgectl", "manifest", "sign", manifest, "--key", "SIGN_KEY")})
	absent := []Missing{}
	for _, m := range all {
		if _, err := os.Stat(m.Path); err != nil {
			absent = append(absent, m)
		}
	}
	return absent, nil
}
