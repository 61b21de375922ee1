// Command static checks built binaries: each argument is ARCH:FILE or
// ARCH:FILE:MIB, an ELF file for that architecture which needs no dynamic
// linker, no shared library, and at most MIB mebibytes.
package main

import (
	"debug/elf"
	"fmt"
	"os"
	"strconv"
	"strings"
)

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "riscv64": elf.EM_RISCV}

func main() {
	failed := false
	for _, arg := range os.Args[1:] {
		size, err := check(arg)
		if err != nil {
			fmt.Fprintf(os.Stderr, "static: %s: %v\n", arg, err)
			failed = true
			continue
		}
		fmt.Printf("static  %-40s %5.1f MiB\n", arg, float64(size)/(1<<20))
	}
	if failed || len(os.Args) < 2 {
		os.Exit(1)
	}
}

func check(arg string) (size int64, err error) {
	parts := strings.Split(arg, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, fmt.Errorf("want ARCH:FILE or ARCH:FILE:MIB")
	}
	info, err := os.Stat(parts[1])
	if err != nil {
		return 0, err
	}
	if len(parts) == 3 {
		limit, err := strconv.ParseInt(parts[2], 10, 64)
		if err != nil {
			return 0, err
		}
		if info.Size() > limit<<20 {
			return 0, fmt.Errorf("%d bytes, the limit is %d MiB", info.Size(), limit)
		}
	}
	f, err := elf.Open(parts[1])
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if want, ok := machines[parts[0]]; !ok || f.Machine != want {
		return 0, fmt.Errorf("built for %v", f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return 0, fmt.Errorf("needs a dynamic linker")
		}
	}
	libs, err := f.ImportedLibraries()
	if err != nil {
		return 0, err
	}
	if len(libs) > 0 {
		return 0, fmt.Errorf("needs shared libraries %v", libs)
	}
	return info.Size(), nil
}
