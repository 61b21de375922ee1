package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// arches are the architectures for which the product is built.
var arches = []string{"amd64", "arm64", "riscv64"}

// binary checks the file itself: size, symbols, interpreter.
func (b *bench) binary() ([]row, error) {
	info, err := os.Stat(b.edged)
	if err != nil {
		return nil, err
	}
	f, err := judgeELF(b.edged)
	if err != nil {
		return nil, err
	}
	how := fmt.Sprintf("%s bytes, stripped", figure(float64(info.Size()), ""))
	if !f.stripped {
		how = fmt.Sprintf("%s bytes, NOT stripped: build it with make build", figure(float64(info.Size()), ""))
	}
	rows := []row{measured("edged binary, stripped", atMost(20, "MiB"), float64(info.Size())/(1<<20), how)}
	static := 0
	var parts []string
	for _, arch := range arches {
		path := filepath.Join(filepath.Dir(b.edged), "linux-"+arch, "edged")
		f, err := judgeELF(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			parts = append(parts, arch+" not built")
		case err != nil:
			return rows, err
		case f.static && f.arch == arch:
			static++
			parts = append(parts, fmt.Sprintf("%s static, %.1f MiB", arch, f.mib))
		default:
			parts = append(parts, fmt.Sprintf("%s NOT static (or for %s)", arch, f.arch))
		}
	}
	r := row{"static (CGO_ENABLED=0)", strings.Join(arches, ", "), fmt.Sprintf("%d of %d", static, len(arches)), "met",
		strings.Join(parts, "; ") + "; `make cross` builds and checks them"}
	switch {
	case static < len(arches) && strings.Contains(r.how, "NOT static"):
		r.verdict = "missed"
	case static < len(arches):
		r.verdict = "skipped"
		r.seen = "this one is static"
		if !f.static {
			r.seen, r.verdict = "this one is NOT static", "missed"
		}
	}
	return append(rows, r), nil
}

// elfFacts are the facts in a binary's headers.
type elfFacts struct {
	arch             string
	static, stripped bool
	mib              float64
}

// judgeELF reads a binary's facts. It is static if it needs no interpreter and no library.
func judgeELF(path string) (elfFacts, error) {
	info, err := os.Stat(path)
	if err != nil {
		return elfFacts{}, err
	}
	f, err := elf.Open(path)
	if err != nil {
		return elfFacts{}, fmt.Errorf("%s: %w", path, err)
	}
	defer f.Close() //nolint:errcheck // only read
	facts := elfFacts{static: true, stripped: f.Section(".symtab") == nil && f.Section(".debug_info") == nil && f.Section(".zdebug_info") == nil,
		mib: float64(info.Size()) / (1 << 20)}
	switch f.Machine {
	case elf.EM_X86_64:
		facts.arch = "amd64"
	case elf.EM_AARCH64:
		facts.arch = "arm64"
	case elf.EM_RISCV:
		facts.arch = "riscv64"
	default:
		facts.arch = f.Machine.String()
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			facts.static = false
		}
	}
	return facts, nil
}
