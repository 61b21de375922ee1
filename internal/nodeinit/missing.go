package nodeinit

import (
	"os"
	"path/filepath"

	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/stateroot"
)

// Missing is something that a gated node needs and does not have yet. Command
// brings it; a word in capital letters is a placeholder for a file of the operator's.
type Missing struct {
	What    string `json:"what"`
	Path    string `json:"path"`
	Command string `json:"command"`
}

// missing lists what the config in the state root names, or the gate looks for,
// and is not there, in the order in which a node is commissioned. A config that
// is not valid comes first, and names nothing.
func (l *layout) missing() []Missing {
	install := func(what, mode, source, path string) Missing {
		return Missing{what, path, display.Command("install", "-D", "-m", mode, source, path)}
	}
	absent := []Missing{}
	var needed []Missing
	file := filepath.Join(l.root, stateroot.NodeConfig)
	if cfg, err := config.Load(file); err != nil {
		absent = append(absent, Missing{"a valid config", file, display.Command("edgectl", "config", "check", file)})
	} else {
		t := cfg.Transport
		needed = append(needed,
			install("the certificate of the CA", "644", "CA", t.CAFile),
			install("the node's certificate", "644", "CERTIFICATE", t.CertFile),
			install("the key of the node's certificate", "600", "KEY", t.KeyFile))
		if t.CAKeyFile != "" {
			needed = append(needed, install("the key of the CA", "600", "CA_KEY", t.CAKeyFile))
		}
	}
	below := func(name string) string { return filepath.Join(l.root, name) }
	needed = append(needed, install("the public key of the manifests", "644", "VERIFY_KEY", below(stateroot.ManifestVerifyKey)))
	if !l.opt.Demo {
		needed = append(needed, install("the runtime that the manifest installs", "755", "RUNTIME", below(stateroot.Binaries+"/edged")))
	}
	manifest := below(stateroot.Manifest)
	needed = append(needed,
		Missing{"the manifest", manifest, display.Command("edgectl", "manifest", "new", "--serial", "1", "--copy-binary", "edged:runtime/edged", "--out", manifest, "--state-root", l.root)},
		Missing{"the manifest's signature", below(stateroot.ManifestSignature), display.Command("edgectl", "manifest", "sign", manifest, "--key", "SIGNING_KEY")})
	for _, m := range needed {
		if _, err := os.Stat(m.Path); err != nil {
			absent = append(absent, m)
		}
	}
	return absent
}
