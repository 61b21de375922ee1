package nodeinit

import (
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/internal/stateroot"
)

// template is the config with a comment on each key; {{name}} is replaced.
//
//go:embed config.yaml
var template string

// saltBytes is the length of a fleet salt: 64 hex digits, the fewest allowed.
const saltBytes = 32

// config writes the node's config, unless there is one.
func (l *layout) config() error {
	there, err := l.exists(stateroot.NodeConfig)
	if err != nil {
		return err
	}
	if there {
		l.done(stateroot.NodeConfig, false, "")
		return nil
	}
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return fmt.Errorf("draw a fleet salt: %w", err)
	}
	caKey := "# ca_key_file: " + l.quote(fileCAKey)
	if l.opt.Demo {
		caKey = "ca_key_file: " + l.quote(fileCAKey)
	}
	text := strings.NewReplacer(
		"{{node}}", quoted(l.node),
		"{{salt}}", quoted(hex.EncodeToString(salt)),
		"{{segments}}", l.quote(stateroot.EdgeSegments),
		"{{cert}}", l.quote(fileCert), "{{key}}", l.quote(fileKey), "{{ca}}", l.quote(fileCA),
		"{{ca_key}}", caKey,
		"{{root}}", quoted(l.root),
	).Replace(template)
	if _, err := config.Parse(stateroot.NodeConfig, []byte(text)); err != nil {
		return fmt.Errorf("the config for %s would not be valid: %w; choose another directory", l.root, err)
	}
	// The salt is a secret of the fleet: only owner and group may read it.
	return l.write(stateroot.NodeConfig, []byte(text), 0o640, "the node's config, for you to edit")
}

// quote returns a path below the state root as a YAML scalar.
func (l *layout) quote(name string) string { return quoted(filepath.Join(l.root, name)) }

// quoted returns s as a YAML scalar: a JSON string is one.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // strings always marshal
	}
	return string(b)
}
