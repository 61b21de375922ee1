package main

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

// syncCalls are the system calls that wait for the disk.
const syncCalls = "fsync,fdatasync,sync_file_range,msync,sync,syncfs"

// countCalls counts the calls in a trace of strace -f by name.
func countCalls(trace []byte) map[string]int {
	// One call in strace's output: a process number, a name, arguments. A call
	// that another thread interrupts is written twice, "<unfinished ...>" with its
	// name and "<... name resumed>"; only the first counts.
	traced := regexp.MustCompile(`^(?:\[pid +)?\d*\]? *([a-z_0-9]+)\(`)
	// A sync_file_range without flags asks whether the kernel has the call,
	// and waits for nothing. Pebble makes one for each file it creates.
	probe := regexp.MustCompile(`sync_file_range\([^)]*, 0\)`)
	calls := map[string]int{}
	for _, name := range strings.Split(syncCalls, ",") {
		calls[name] = 0
	}
	for lines := bufio.NewScanner(bytes.NewReader(trace)); lines.Scan(); {
		m := traced.FindSubmatch(lines.Bytes())
		if m == nil || probe.Match(lines.Bytes()) {
			continue
		}
		if _, counts := calls[string(m[1])]; counts {
			calls[string(m[1])]++
		}
	}
	maps.DeleteFunc(calls, func(_ string, n int) bool { return n == 0 })
	return calls
}

// nameCalls are the system calls that change names; of those that open a file, the ones that may create it.
const nameCalls = "openat,openat2,open,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,symlink,symlinkat"

// nameChanges returns the calls of a trace that succeeded and changed a name.
func nameChanges(trace []byte) (changes []string) {
	opens := regexp.MustCompile(`^(?:\[pid +)?\d*\]? *(open[a-z0-9]*)\(`)
	named := regexp.MustCompile(`^(?:\[pid +)?\d*\]? *(mkdir|mkdirat|rename[a-z0-9]*|unlink|unlinkat|rmdir|link|linkat|symlink|symlinkat|creat)\(`)
	for line := range bytes.Lines(trace) {
		created := opens.Match(line) && bytes.Contains(line, []byte("O_CREAT"))
		if (created || named.Match(line)) && !bytes.Contains(line, []byte(" = -1 ")) {
			changes = append(changes, ": "+string(bytes.TrimSpace(line)))
		}
	}
	return changes
}

// total returns the sum of the counts, and a text with each of them.
func total(calls map[string]int) (n int, text string) {
	var parts []string
	for name, c := range calls {
		n += c
		parts = append(parts, fmt.Sprintf("%s %d", name, c))
	}
	sort.Strings(parts)
	return n, strings.Join(parts, ", ")
}

// trace runs a command under strace and returns its calls that sync or change
// names.
func (b *bench) trace(c command) ([]byte, error) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return nil, err
	}
	out := filepath.Join(b.dir, "strace.out")
	c.args = append([]string{strace, "-f", "-qq", "-e", "trace=" + syncCalls + "," + nameCalls, "-e", "signal=none", "-o", out, "--"}, c.args...)
	if _, err := c.run(); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}
