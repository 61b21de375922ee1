package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

// syncCalls are the system calls by which a process waits for the disk.
const syncCalls = "fsync,fdatasync,sync_file_range,msync,sync,syncfs"

// countCalls counts the calls of one name each in what strace -f wrote.
func countCalls(trace []byte) map[string]int {
	// One call in strace's output: a process number, a name, arguments. A call
	// that another thread interrupts is told twice, "<unfinished ...>" with its
	// name and "<... name resumed>"; only the first counts.
	traced := regexp.MustCompile(`^(?:\[pid +)?\d*\]? *([a-z_0-9]+)\(`)
	// A sync_file_range without flags asks whether the kernel has the call,
	// and waits for nothing. Pebble makes one for each file it creates.
	probe := regexp.MustCompile(`sync_file_range\([^)]*, 0\)`)
	calls := map[string]int{}
	for lines := bufio.NewScanner(bytes.NewReader(trace)); lines.Scan(); {
		if m := traced.FindSubmatch(lines.Bytes()); m != nil && !probe.Match(lines.Bytes()) {
			calls[string(m[1])]++
		}
	}
	return calls
}

// total sums the counts, and says them by name.
func total(calls map[string]int) (n int, text string) {
	var parts []string
	for name, c := range calls {
		n += c
		parts = append(parts, fmt.Sprintf("%s %d", name, c))
	}
	sort.Strings(parts)
	return n, strings.Join(parts, ", ")
}

// countSyncs runs a command under strace and counts its sync calls.
func (b *bench) countSyncs(c command) (map[string]int, error) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return nil, err
	}
	out := filepath.Join(b.dir, "strace.out")
	c.args = append([]string{strace, "-f", "-qq", "-e", "trace=" + syncCalls, "-e", "signal=none", "-o", out, "--"}, c.args...)
	if _, err := c.run(); err != nil {
		return nil, err
	}
	trace, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	return countCalls(trace), nil
}
