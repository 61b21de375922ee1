package ship

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/torchwood"
	"github.com/goccy/go-yaml"

	"github.com/autonomyops/edged/internal/durable"
)

// Limits of a config.
const (
	maxConfig    = 64 << 10 // bytes
	maxWitnesses = 16
)

// ErrConfig: a config is not valid.
var ErrConfig = errors.New("it is no valid config of ship")

// Config says who is to see the journal.
type Config struct {
	// Checkpoints is the directory that receives the cosigned checkpoints.
	Checkpoints string    `yaml:"checkpoints"`
	Witnesses   []Witness `yaml:"witnesses"`
	Hub         *Hub      `yaml:"hub"` // nil if there is none
}

// others returns everybody who cosigns.
func (c *Config) others() []Witness {
	all := slices.Clone(c.Witnesses)
	if c.Hub != nil {
		all = append(all, c.Hub.Witness)
	}
	return all
}

// Witness is a C2SP tlog-witness.
type Witness struct {
	// URL is the submission prefix; add-checkpoint is below it.
	URL string `yaml:"url"`
	// Key is its public key in the form of signed notes, of the type for cosignatures.
	Key string `yaml:"key"`

	verifier *torchwood.CosignatureVerifier
}

// Name returns the name in the witness's key.
func (w *Witness) Name() string { return w.verifier.Name() }

// Load reads and checks the config at path. The error is [ErrConfig], or that of
// the file.
func Load(path string) (*Config, error) {
	data, err := durable.ReadHostFile(path, maxConfig)
	if err != nil {
		return nil, err
	}
	c, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrConfig, err)
	}
	return c, nil
}

func parse(data []byte) (*Config, error) {
	var c Config
	if err := yaml.UnmarshalWithOptions(data, &c, yaml.Strict()); err != nil {
		// The whole error of package yaml shows the source in several lines.
		var bad yaml.Error
		if errors.As(err, &bad) && bad.GetToken() != nil {
			at := bad.GetToken().Position
			err = fmt.Errorf("line %d, column %d: %s", at.Line, at.Column, bad.GetMessage())
		}
		return nil, err
	}
	if !filepath.IsAbs(c.Checkpoints) {
		return nil, fmt.Errorf("checkpoints: %q is no absolute path of a directory", c.Checkpoints)
	}
	switch n := len(c.Witnesses); {
	case n == 0 && c.Hub == nil:
		return nil, errors.New("it names neither witnesses nor a hub")
	case n > maxWitnesses:
		return nil, fmt.Errorf("witnesses: %d, but at most %d are possible", n, maxWitnesses)
	}
	names := map[string]bool{}
	for i := range c.Witnesses {
		w := &c.Witnesses[i]
		if err := w.check(); err != nil {
			return nil, fmt.Errorf("witness %d: %w", i+1, err)
		}
		if names[w.Name()] {
			return nil, fmt.Errorf("witness %d: %s is there twice", i+1, w.Name())
		}
		names[w.Name()] = true
	}
	if c.Hub != nil {
		if err := c.Hub.check(); err != nil {
			return nil, fmt.Errorf("hub: %w", err)
		}
		if names[c.Hub.Name()] {
			return nil, fmt.Errorf("hub: %s is also the name of a witness", c.Hub.Name())
		}
	}
	return &c, nil
}

func (w *Witness) check() (err error) {
	u, err := url.Parse(w.URL)
	switch {
	case err != nil:
		return fmt.Errorf("url: %w", err)
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "", u.RawQuery != "", u.Fragment != "":
		return fmt.Errorf("url: %q is not https://HOST/PATH", w.URL)
	}
	w.URL = strings.TrimSuffix(w.URL, "/")
	if w.verifier, err = torchwood.NewCosignatureVerifier(w.Key); err != nil {
		return fmt.Errorf("key: %w: it must be NAME+HASH+KEY, of the type for cosignatures", err)
	}
	return nil
}
