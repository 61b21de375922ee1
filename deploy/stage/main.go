// Command stage lays out what is installed on an image, or on the host of a hub:
// binaries, units, completions, man pages, documents, an example config, and a list of
// all that is linked into the binaries. make install and make package use it.
//
//	go run ./deploy/stage -out DIR [-of edged|edgehub] [-bin DIR] [-host DIR] [-debian VERSION]
//
// It runs from the top folder of the repository. The same sources, binaries and
// SOURCE_DATE_EPOCH give the same files, byte for byte.
package main

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	s := stage{}
	flag.StringVar(&s.out, "out", "", "the folder that becomes /")
	of := flag.String("of", "edged", "the product: edged, for a node, or edgehub")
	flag.StringVar(&s.bin, "bin", "bin", "the binaries to install")
	flag.StringVar(&s.host, "host", "bin", "the same binaries for this machine: they print their help")
	flag.StringVar(&s.debian, "debian", "", "the version of a Debian package; adds what one must have")
	flag.Parse()
	known := false
	if s.product, known = products[*of]; s.out == "" || flag.NArg() > 0 || !known {
		flag.Usage()
		os.Exit(2)
	}
	if err := s.all(); err != nil {
		fmt.Fprintln(os.Stderr, "stage:", err)
		os.Exit(1)
	}
}

// stage is one layout.
type stage struct {
	product
	out, bin, host, debian string
	time                   time.Time // of every file
	written                map[string]bool
}

// product is what a package has of its own.
type product struct {
	name  string
	short map[string]string // binaries, and what each is in a word
	files []file
	// steps write what is made.
	steps []func(*stage) error
}

// file is copied as it is in the repository; from is a pattern.
type file struct {
	from, to string
	mode     fs.FileMode
}

var products = map[string]product{
	"edged": {
		name: "edged",
		short: map[string]string{
			"edged":   "the boot gate of an edge node",
			"edgectl": "inspect, sign and verify what the boot gate of an edge node relies on",
		},
		files: []file{
			{"deploy/systemd/write-checkpoint", "usr/libexec/edged", 0o755},
			{"deploy/systemd/*.service", "usr/lib/systemd/system", 0o644},
			{"deploy/systemd/*.timer", "usr/lib/systemd/system", 0o644},
			{"deploy/systemd/boot-complete.target.d/*.conf", "usr/lib/systemd/system/boot-complete.target.d", 0o644},
			{"deploy/systemd/*.preset", "usr/lib/systemd/system-preset", 0o644},
		},
		steps: []func(*stage) error{(*stage).example},
	},
	"edgehub": {
		name:  "edgehub",
		short: map[string]string{"edgehub": "hold the journals of a fleet of edge nodes"},
		files: []file{
			{"deploy/hub/edgehub.service", "usr/lib/systemd/system", 0o644},
		},
		steps: []func(*stage) error{(*stage).hubUser},
	},
}

// docDir returns the folder of documents.
func (s *stage) docDir() string { return "usr/share/doc/" + s.name }

func (s *stage) all() error {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH is not set to the seconds since 1970: %w", err)
	}
	s.time, s.written = time.Unix(seconds, 0).UTC(), map[string]bool{}
	steps := []func(*stage) error{(*stage).copied, (*stage).completions, (*stage).manPages, (*stage).pages, (*stage).components, (*stage).debianFiles}
	for _, step := range append(steps, s.steps...) {
		if err := step(s); err != nil {
			return err
		}
	}
	return nil
}

// binaries returns the names of the product's binaries, in alphabetical order.
func (s *stage) binaries() []string { return slices.Sorted(maps.Keys(s.short)) }

// copied copies what is installed as it is in the repository.
func (s *stage) copied() error {
	all := s.files
	for _, name := range s.binaries() {
		all = append(all, file{filepath.Join(s.bin, name), "usr/bin", 0o755})
	}
	for _, f := range all {
		names, err := filepath.Glob(f.from)
		if err != nil || len(names) == 0 {
			return fmt.Errorf("%s is missing: run make build, and make cross for another architecture", f.from)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			if err := s.write(path.Join(f.to, filepath.Base(name)), data, f.mode); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *stage) completions() error {
	for _, name := range s.binaries() {
		for shell, to := range map[string]string{
			"bash": "usr/share/bash-completion/completions/" + name,
			"zsh":  "usr/share/zsh/vendor-completions/_" + name,
			"fish": "usr/share/fish/vendor_completions.d/" + name + ".fish",
		} {
			script, err := s.run(name, "completion", shell)
			if err == nil {
				err = s.write(to, script, 0o644)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// example is the config that edgectl init writes, for the paths of the units,
// and without a salt: the gate refuses it until that is put in.
func (s *stage) example() error {
	root, err := os.MkdirTemp("", "edged-stage-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root) //nolint:errcheck // a temporary folder
	if _, err := s.run("edgectl", "init", root, "--node", "edge-node-01"); err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(root, "bootstrap/config.yaml"))
	if err != nil {
		return err
	}
	text := strings.ReplaceAll(string(data), root+"/tls/", "/persist/tls/")
	text = strings.ReplaceAll(text, root, "/persist/edge")
	before, salt, found := strings.Cut(text, "\n  fleet_salt: \"")
	_, after, ends := strings.Cut(salt, "\"\n")
	if !found || !ends {
		return fmt.Errorf("the config that edgectl init writes has no fleet_salt")
	}
	return s.write(s.docDir()+"/examples/config.yaml", []byte(before+"\n  fleet_salt: \"put the salt of your fleet here: openssl rand -hex 32\"\n"+after), 0o644)
}

// hubUser is the user of the hub's unit.
func (s *stage) hubUser() error {
	data, err := os.ReadFile("deploy/hub/edgehub.sysusers")
	if err != nil {
		return err
	}
	return s.write("usr/lib/sysusers.d/edgehub.conf", data, 0o644)
}

// run runs a binary of this machine, without the environment's config or state root.
func (s *stage) run(name string, args ...string) ([]byte, error) {
	cmd := exec.Command(filepath.Join(s.host, name), args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}

// write writes one file; name is relative to /.
func (s *stage) write(name string, data []byte, mode fs.FileMode) error {
	at := filepath.Join(s.out, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(at); err != nil { // a binary that runs is replaced, not written to
		return err
	}
	if err := os.WriteFile(at, data, mode); err != nil {
		return err
	}
	s.written[name] = true
	if err := os.Chmod(at, mode); err != nil { // whatever the umask is
		return err
	}
	return os.Chtimes(at, s.time, s.time)
}

// writeGzip writes a file compressed, without a name and a time in it.
func (s *stage) writeGzip(name string, data []byte) error {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return s.write(name+".gz", b.Bytes(), 0o644)
}
