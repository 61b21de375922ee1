// Command portability types the tutorial's steps on every architecture and
// filesystem, has each architecture read what the others wrote, and prints a
// table: [P] passed, [F] failed, [S] not run here, with the reason. It exits 1
// if a cell failed, if none could be run, or if the table in README.md says
// something else.
//
// It needs bin/linux-ARCH/ (make cross), root for the mounts, and
// qemu-user-static for other architectures than this machine's. Each filesystem
// is an image of 512 MiB in a folder of its own.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	passed  = "P"
	failed  = "F"
	skipped = "S"

	tutorial = "tutorial"
	readme   = "README.md"
)

// interpreters run a foreign architecture's programs, by GOARCH.
var interpreters = map[string]string{"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static", "riscv64": "qemu-riscv64-static"}

var arches = []string{"amd64", "arm64", "riscv64"}

// cell is one result.
type cell struct {
	What    string  `json:"what"`
	Arch    string  `json:"arch"`
	On      string  `json:"on"` // a filesystem, or the architectures that read the journal
	Result  string  `json:"result"`
	Seconds float64 `json:"seconds"`
	Why     string  `json:"why,omitempty"`
}

// unable is why a cell is not run.
type unable struct{ error }

type matrix struct {
	bin, dir string
	cells    []cell
}

func main() {
	bin := flag.String("bin", "bin", "the folder that holds linux-ARCH/")
	out := flag.String("json", "", "a file for the results as JSON")
	filesystems := flag.String("filesystems", "ext4,xfs,btrfs", "those of the tutorial's cells")
	flag.Parse()
	if err := run(*bin, *out, strings.Split(*filesystems, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "portability:", err)
		os.Exit(1)
	}
}

func run(bin, out string, filesystems []string) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("/var/tmp", "edged-portability-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the images are closed
	m := &matrix{bin: bin, dir: dir}
	programs := map[string]string{}
	for _, arch := range arches {
		if programs[arch], err = m.programs(arch); err != nil {
			programs[arch] = ""
			fmt.Fprintf(os.Stderr, "portability: %s: %v\n", arch, err)
		}
	}
	for _, arch := range arches {
		for _, fs := range filesystems {
			m.cell(tutorial, arch, fs, func() error { return m.tutorial(programs[arch], fs) })
		}
	}
	for _, arch := range arches {
		m.cell("journal", arch, "read by all", func() error { return m.read(arch, programs) })
	}
	if out != "" {
		text, err := json.MarshalIndent(m.cells, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(out, append(text, '\n'), 0o644); err != nil { //nolint:gosec // for everybody
			return err
		}
	}
	count := map[string]int{}
	for _, c := range m.cells {
		count[c.Result]++
	}
	switch {
	case count[failed] > 0:
		return fmt.Errorf("%d cells failed", count[failed])
	case count[passed] == 0:
		return errors.New("no cell could be run")
	}
	return m.compare()
}

// compare compares the tutorial's cells with the table in README.md: a row for each
// architecture, a column for each filesystem.
func (m *matrix) compare() error {
	text, err := os.ReadFile(readme) //nolint:gosec // ours
	if err != nil {
		return err
	}
	written := map[string]string{}
	var columns []string
	for line := range strings.Lines(string(text)) {
		row := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		arch, _, _ := strings.Cut(row[0], " ")
		switch {
		case len(row) < 2:
			columns = nil
		case columns == nil:
			columns = row
		case len(row) == len(columns):
			for i, result := range row[1:] {
				written[arch+" "+columns[i+1]] = result
			}
		}
	}
	for _, c := range m.cells {
		if got := written[c.Arch+" "+c.On]; c.What == tutorial && got != "["+c.Result+"]" {
			return fmt.Errorf("%s says %q of %s on %s, but the run says [%s]: correct the table", readme, got, c.Arch, c.On, c.Result)
		}
	}
	return nil
}

// cell runs one and prints its line at once.
func (m *matrix) cell(what, arch, on string, run func() error) {
	began := time.Now()
	err := run()
	c := cell{What: what, Arch: arch, On: on, Result: passed, Seconds: time.Since(began).Round(100 * time.Millisecond).Seconds()}
	var why unable
	switch {
	case errors.As(err, &why):
		c.Result, c.Why = skipped, err.Error()
	case err != nil:
		c.Result, c.Why = failed, err.Error()
	}
	m.cells = append(m.cells, c)
	first, rest, _ := strings.Cut(c.Why, "\n")
	fmt.Printf("[%s] %-8s  %-7s  %-11s  %6.1f s  %s\n", c.Result, c.What, c.Arch, c.On, c.Seconds, first)
	if rest != "" {
		fmt.Println(rest)
	}
}

// programs makes a folder in which edged and edgectl are those of arch.
func (m *matrix) programs(arch string) (string, error) {
	dir := filepath.Join(m.dir, arch)
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // as every folder of programs
		return "", err
	}
	qemu := ""
	if arch != runtime.GOARCH {
		path, err := exec.LookPath(interpreters[arch])
		if err != nil {
			return "", fmt.Errorf("%s is not installed (qemu-user-static)", interpreters[arch])
		}
		qemu = path + " "
	}
	for _, name := range []string{"edged", "edgectl"} {
		program := filepath.Join(m.bin, "linux-"+arch, name)
		if _, err := os.Stat(program); err != nil {
			return "", fmt.Errorf("%w: run make cross", err)
		}
		script := fmt.Sprintf("#!/bin/sh\nexec %s%s \"$@\"\n", qemu, program)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil { //nolint:gosec // a program
			return "", err
		}
	}
	return dir, nil
}

// tutorial types the tour on a new filesystem.
func (m *matrix) tutorial(programs, fs string) (err error) {
	if programs == "" {
		return unable{errors.New("its programs cannot be run here")}
	}
	at, unmount, err := m.mount(fs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unmount()) }()
	out, err := command([]string{"EDGED_BIN=" + programs, "TMPDIR=" + at, "GOTMPDIR=" + m.dir}, "go", "test", "-count=1", "-v", "-run", "^TestTutorialScript$", "./docs")
	switch {
	case err != nil:
		return err
	case !bytes.Contains(out, []byte("--- PASS: TestTutorialScript")):
		return unable{fmt.Errorf("the tutorial was not typed: %s", bytes.TrimSpace(out))}
	}
	return nil
}

// mount makes a filesystem in an image and mounts it. Each step needs the one
// before: nothing is made, mounted or written after a step that failed.
func (m *matrix) mount(fs string) (at string, unmount func() error, err error) {
	if os.Geteuid() != 0 {
		return "", nil, unable{errors.New("mounting needs root")}
	}
	mkfs := "mkfs." + fs
	if _, err := exec.LookPath(mkfs); err != nil {
		return "", nil, unable{fmt.Errorf("%s is not installed", mkfs)}
	}
	dir, err := os.MkdirTemp(m.dir, fs+"-")
	if err != nil {
		return "", nil, err
	}
	image, at := filepath.Join(dir, "image"), filepath.Join(dir, "mounted")
	if err := os.Mkdir(at, 0o755); err != nil { //nolint:gosec // a mount point
		return "", nil, err
	}
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		return "", nil, err
	}
	if err := os.Truncate(image, 512<<20); err != nil {
		return "", nil, err
	}
	if _, err := command(nil, mkfs, "-q", image); err != nil {
		return "", nil, err
	}
	if _, err := command(nil, "mount", "-o", "loop", image, at); err != nil {
		return "", nil, unable{err}
	}
	return at, func() error {
		_, err := command(nil, "umount", at)
		return err
	}, nil
}

// readings are what every architecture must print alike of a journal.
var readings = [][]string{
	{"journal", "export", "--format", "jsonl", "--out", "-"},
	{"journal", "verify", "--deep", "--json"},
	{"journal", "log"},
	{"replay", "explain", "--json"},
	{"replay", "--at", "epoch:1", "--json"},
	{"projections", "check", "--json"},
}

// read writes a journal of two epochs with arch's programs, and compares what all
// print of it.
func (m *matrix) read(arch string, programs map[string]string) error {
	for _, arch := range arches {
		if programs[arch] == "" {
			return unable{fmt.Errorf("the programs of %s cannot be run here", arch)}
		}
	}
	root := filepath.Join(m.dir, "node-"+arch)
	env := []string{"EDGE_CONFIG=" + filepath.Join(root, "bootstrap/config.yaml"), "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1"}
	run := func(arch, program string, args ...string) ([]byte, error) {
		return command(env, filepath.Join(programs[arch], program), args...)
	}
	for _, step := range [][]string{
		{"edgectl", "init", root, "--demo", "--node", "portable"}, {"edged", "precheck"}, {"edgectl", "drill", "--reason", "portability"}, {"edged", "precheck"}, {"edged", "precheck"},
	} {
		if _, err := run(arch, step[0], step[1:]...); err != nil {
			return err
		}
	}
	for _, args := range readings {
		want, err := run(arch, "edgectl", args...)
		if err != nil {
			return err
		}
		for _, other := range arches {
			got, err := run(other, "edgectl", args...)
			if err != nil {
				return fmt.Errorf("%s: %w", other, err)
			}
			if !bytes.Equal(got, want) {
				return fmt.Errorf("edgectl %s of %s prints\n%s%s prints\n%s", strings.Join(args, " "), other, got, arch, want)
			}
		}
	}
	return nil
}

// command returns the standard output; its error has everything that the command
// wrote.
func command(env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...) //nolint:gosec // ours
	cmd.Env = append(os.Environ(), env...)
	var stdout, all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &all
	err := cmd.Run()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, all.Bytes(), stdout.Bytes())
	}
	return stdout.Bytes(), nil
}
