// Command bench measures the product against its required figures, side by side with reference programs and
// peers, and prints one Markdown table. All ratios are medians of ratios taken within one round of interleaved
// runs; absolute times differ from machine to machine and decide nothing.
//
//	go run . -edged ../bin/edged -edgectl ../bin/edgectl
//
// It exits 0 whatever the figures are, and 1 if something could not be measured. A peer that is not installed is
// skipped by name.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if os.Getenv(isolatedEnv) == "" {
		exit, err := isolate(os.Args[1:])
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(exit)
	}
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run of the benchmark.
type bench struct {
	edged, edgectl string
	dir            string // of this run, removed at its end
	bootID         string // the file in the place of the kernel's boot id
	runs           int    // rounds of a measurement of the gate
	historyRuns    int    // rounds of a measurement on the long history
	boots          int    // of the node with the long history
	records        int    // of the long journal
	copyMiB        int    // size of the file of copy_binary
	progress       io.Writer
}

// section is one section of the table.
type section struct {
	name string
	rows func(*bench) ([]row, error)
}

var sections = []section{
	{"clean", (*bench).cleanBoot},
	{"settling", (*bench).settlingBoot},
	{"growth", (*bench).growth},
	{"reconstruction", (*bench).reconstruction},
	{"copy", (*bench).copyBinary},
	{"binary", (*bench).binary},
	{"history", (*bench).history},
	{"fleet", (*bench).fleet},
	{"query", (*bench).query},
}

func run(args []string, stdout, stderr io.Writer) error {
	b := &bench{progress: stderr}
	only, err := b.flags(args, stderr)
	if err != nil {
		return err
	}
	if err := b.place(); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir) //nolint:errcheck // temporary
	if err := b.ownBoots(); err != nil {
		return err
	}
	load := loadAverage()
	b.say("building the reference programs")
	if err := b.buildReferences(); err != nil {
		return err
	}
	var rows []row
	var failed []error
	for _, s := range sections {
		if len(only) > 0 && !slices.Contains(only, s.name) {
			continue
		}
		b.say("measuring: %s", s.name)
		got, err := s.rows(b)
		rows = append(rows, got...)
		if err != nil {
			rows = append(rows, broken(s.name, err))
			failed = append(failed, fmt.Errorf("%s could not be measured: %w", s.name, err))
		}
	}
	fmt.Fprintf(stdout, "%s/%s, %d cores, %s, %d rounds, on %s, load average %s before and %s after\n\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), b.runs, filepath.Dir(b.dir), load, loadAverage())
	return errors.Join(append(failed, printTable(stdout, rows))...)
}

// flags reads the command line and returns the sections that it names.
func (b *bench) flags(args []string, stderr io.Writer) ([]string, error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	var only string
	var quick bool
	f.StringVar(&b.edged, "edged", "../bin/edged", "the gate")
	f.StringVar(&b.edgectl, "edgectl", "../bin/edgectl", "the operator's tool")
	f.StringVar(&b.dir, "dir", "/var/tmp", "a directory on a disk, for everything that is written")
	f.IntVar(&b.runs, "runs", 30, "rounds of each measurement of the gate")
	f.IntVar(&b.historyRuns, "history-runs", 7, "rounds of each measurement on the long journal")
	f.IntVar(&b.boots, "boots", 100_000, "boots of the node with the long history")
	f.IntVar(&b.records, "records", 1_000_000, "records of the long journal")
	f.IntVar(&b.copyMiB, "copy-mib", 1024, "MiB that copy_binary copies")
	f.BoolVar(&quick, "quick", false, "2,000 boots, 50,000 records, 128 MiB, 10 rounds: a quick look, no verdict")
	f.StringVar(&only, "only", "", "comma-separated sections: clean, settling, growth, reconstruction, copy, binary, history, fleet, query")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if quick {
		b.runs, b.historyRuns, b.boots, b.records, b.copyMiB = 10, 3, 2_000, 50_000, 128
	}
	if b.runs < 1 || b.historyRuns < 1 || b.boots < 100 || b.records < 1000 || b.copyMiB < 1 {
		return nil, errors.New("at least 1 run, 100 boots, 1000 records and 1 MiB are needed to measure anything")
	}
	if only == "" {
		return nil, nil
	}
	names := strings.Split(only, ",")
	for _, n := range names {
		if !slices.ContainsFunc(sections, func(s section) bool { return s.name == n }) {
			return nil, fmt.Errorf("-only: there is no section %q", n)
		}
	}
	return names, nil
}

// place makes this run's directory on a disk, and makes the paths absolute.
func (b *bench) place() (err error) {
	for _, p := range []*string{&b.edged, &b.edgectl, &b.dir} {
		if *p, err = filepath.Abs(*p); err != nil {
			return err
		}
		if _, err := os.Stat(*p); err != nil {
			return fmt.Errorf("%w: build the binaries with `make build`", err)
		}
	}
	var st unix.Statfs_t
	if err := unix.Statfs(b.dir, &st); err != nil {
		return &os.PathError{Op: "statfs", Path: b.dir, Err: err}
	}
	if st.Type == unix.TMPFS_MAGIC || st.Type == unix.RAMFS_MAGIC {
		return fmt.Errorf("%s is in memory, where a sync costs nothing; name a directory on a disk with -dir", b.dir)
	}
	b.dir, err = os.MkdirTemp(b.dir, "edged-bench-")
	return err
}

// say reports the progress on standard error.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// loadAverage returns the load average of the last minute, "?" if it is not known. Rates, unlike ratios, mean
// little on a machine that has other work.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	load, _, _ := strings.Cut(string(text), " ")
	return load
}
