package vm

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// distributions are texts of os-release.
var distributions = [2]struct{ id, text string }{
	{"debian", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID=debian\nBUILD_ID=edge-7\n"},
	{"ubuntu", "PRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\nIMAGE_VERSION=3\n"},
}

// An opsys is an operating system as an update installs it: a kernel and a root filesystem that is
// made anew at each boot.
type opsys struct {
	name      string
	release   string // the kernel's
	osRelease string // the text of os-release
	kernel    string // files for QEMU
	initramfs string
	line      string // more words of the kernel's command line
}

// opsystems builds each distribution with each kernel; the first index is the kernel's. config is
// the node's config, which is a part of the image.
func opsystems(t *testing.T, dir string, ks [2]kernel, gate, guest string, config []byte) (all [2][2]opsys) {
	t.Helper()
	for i, k := range ks {
		for j, d := range distributions {
			o := opsys{
				name: d.id + " with " + k.release, release: k.release, osRelease: d.text, kernel: k.image,
				initramfs: filepath.Join(dir, fmt.Sprintf("initramfs-%d-%d", i, j)),
			}
			var a archive
			for _, folder := range []string{"dev", "proc", "sys", "run", "persist", "root", "etc", "etc/edged", "modules", "usr", "usr/bin", "usr/lib"} {
				a.add(folder, 0o040755, nil)
			}
			a.add("init", 0o100755, content(t, guest))
			a.add("usr/bin/edged", 0o100755, content(t, gate))
			a.add("usr/lib/os-release", 0o100644, []byte(d.text))
			a.add("etc/os-release", 0o120777, []byte("../usr/lib/os-release"))
			a.add("etc/edged/config.yaml", 0o100640, config)
			a.modules(t, k)
			if err := os.WriteFile(o.initramfs, a.end(), 0o600); err != nil {
				t.Fatal(err)
			}
			all[i][j] = o
		}
	}
	return all
}

// modules adds each filesystem's modules, and their list in the order of loading.
func (a *archive) modules(t *testing.T, k kernel) {
	t.Helper()
	added := map[string]bool{}
	for _, fs := range filesystems {
		var list strings.Builder
		for _, file := range k.modules[fs] {
			name := "modules/" + module(file) + ".ko"
			if !added[name] {
				a.add(name, 0o100644, content(t, file))
				added[name] = true
			}
			list.WriteString("/" + name + "\n")
		}
		a.add("modules/"+fs, 0o100644, []byte(list.String()))
	}
}

// content returns what a file holds, without its compression by xz.
func content(t *testing.T, path string) []byte {
	t.Helper()
	if strings.HasSuffix(path, ".xz") {
		return []byte(run(t, "", "xz", "-dc", path))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// An archive is a cpio archive in the format "newc", which the kernel unpacks.
type archive struct {
	bytes.Buffer
	inode int
}

// add appends a file: its type and mode, and its content, which for a link is the target.
func (a *archive) add(name string, mode uint32, data []byte) {
	a.inode++
	fmt.Fprintf(a, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
	a.WriteString(name + "\x00")
	a.pad()
	a.Write(data)
	a.pad()
}

// pad fills up to a multiple of four bytes.
func (a *archive) pad() {
	a.Write(make([]byte, -a.Len()&3))
}

// end closes the archive and returns it.
func (a *archive) end() []byte {
	a.add("TRAILER!!!", 0, nil)
	return a.Bytes()
}
