package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// filesystems are those of the persistent partition.
var filesystems = []string{"ext4", "xfs", "btrfs"}

// A kernel is one that Debian built, unpacked and not installed.
type kernel struct {
	release string              // as uname reports it
	image   string              // the file that QEMU loads
	modules map[string][]string // by filesystem, the files to load, each after those that it needs
}

// kernels returns two kernels of different versions. They are fetched once and kept in the user's
// cache; later runs boot the same two.
func kernels(t *testing.T) [2]kernel {
	t.Helper()
	dir := cache(t)
	found := unpacked(t, dir)
	if len(found) < 2 {
		for _, name := range twoPackages(t) {
			fetch(t, dir, name)
		}
		found = unpacked(t, dir)
	}
	if len(found) < 2 {
		t.Fatalf("%s holds fewer than two kernels: remove the folder and try again", dir)
	}
	return [2]kernel{read(t, found[0]), read(t, found[1])}
}

// cache returns the folder of what is fetched once.
func cache(t *testing.T) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "edged-vm")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// unpacked returns the folders of the kernels in the cache.
func unpacked(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "linux-image-*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// twoPackages returns the names of the newest kernel for clouds, and of the newest one of another
// series. With one series it returns the two newest.
func twoPackages(t *testing.T) [2]string {
	t.Helper()
	out := run(t, "", "bash", "-eu", "-o", "pipefail", "-c",
		`apt-cache search --names-only '^linux-image-[0-9].*-cloud-amd64$' | cut -d' ' -f1 | grep -E '^linux-image-[0-9]+\.[0-9]+\.' | sort -V`)
	names := strings.Fields(out)
	if len(names) < 2 {
		t.Fatalf("apt-cache lists %q, but two kernels are needed: run apt-get update", names)
	}
	slices.Reverse(names)
	for _, name := range names[1:] {
		if series(name) != series(names[0]) {
			return [2]string{name, names[0]}
		}
	}
	return [2]string{names[1], names[0]}
}

// series returns the first two numbers of a kernel's version.
func series(name string) string {
	parts := strings.SplitN(name, ".", 3)
	return strings.Join(parts[:2], ".")
}

// fetch downloads a package and unpacks it in the cache. A folder with the package's name appears
// only when it is complete.
func fetch(t *testing.T, dir, name string) {
	t.Helper()
	temporary, err := os.MkdirTemp(dir, ".fetch-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temporary) //nolint:errcheck // a left-over is ignored by later runs
	run(t, temporary, "apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", name)
	debs, err := filepath.Glob(filepath.Join(temporary, "*.deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("apt-get download %s left %q, %v", name, debs, err)
	}
	root := filepath.Join(temporary, "root")
	run(t, temporary, "dpkg", "-x", debs[0], root)
	releases, err := filepath.Glob(filepath.Join(root, "lib/modules/*"))
	if err != nil || len(releases) != 1 {
		t.Fatalf("%s has modules for %q, %v", name, releases, err)
	}
	run(t, temporary, "depmod", "-b", root, filepath.Base(releases[0]))
	if err := os.Rename(root, filepath.Join(dir, name)); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
}

// read finds the kernel's file and modules in its folder.
func read(t *testing.T, root string) kernel {
	t.Helper()
	images, err := filepath.Glob(filepath.Join(root, "boot/vmlinuz-*"))
	if err != nil || len(images) != 1 {
		t.Fatalf("%s holds the kernels %q, %v", root, images, err)
	}
	k := kernel{image: images[0], release: strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-"), modules: map[string][]string{}}
	dir := filepath.Join(root, "lib/modules", k.release)
	needs := dependencies(t, dir)
	for _, fs := range filesystems {
		for _, name := range []string{"virtio_pci", "virtio_blk", fs} {
			path := file(needs, name)
			switch {
			case path != "":
				k.modules[fs] = append(k.modules[fs], chain(dir, path, needs)...)
			case !builtIn(t, dir, name):
				t.Fatalf("%s has no module %s", k.release, name)
			}
		}
		k.modules[fs] = unique(k.modules[fs])
	}
	return k
}

// file returns the file of a module, "" if there is none.
func file(needs map[string][]string, name string) string {
	for path := range needs {
		if module(path) == name {
			return path
		}
	}
	return ""
}

// chain returns a module's file after those that it needs.
func chain(dir, path string, needs map[string][]string) (files []string) {
	for _, need := range slices.Backward(needs[path]) { // depmod lists the deepest last
		files = append(files, filepath.Join(dir, need))
	}
	return append(files, filepath.Join(dir, path))
}

// unique keeps the first of equal names.
func unique(names []string) (kept []string) {
	for _, name := range names {
		if !slices.Contains(kept, name) {
			kept = append(kept, name)
		}
	}
	return kept
}

// dependencies reads modules.dep: for each module the modules that it needs.
func dependencies(t *testing.T, dir string) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		t.Fatal(err)
	}
	needs := map[string][]string{}
	for line := range strings.Lines(string(data)) {
		path, rest, ok := strings.Cut(line, ":")
		if !ok {
			t.Fatalf("%s/modules.dep: %q", dir, line)
		}
		needs[path] = strings.Fields(rest)
	}
	return needs
}

// builtIn reports whether the kernel itself contains the module.
func builtIn(t *testing.T, dir, name string) bool {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.FieldsSeq(string(data)) {
		if module(path) == name {
			return true
		}
	}
	return false
}

// module returns the name of the module in a file.
func module(path string) string {
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	return strings.ReplaceAll(name, "-", "_")
}

// run runs a command in a folder and returns its standard output. A command that fails ends the
// test.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out, errs.String()))
	}
	return string(out)
}
