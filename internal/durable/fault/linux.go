package fault

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/mountinfo"
)

// linux is the running system. It returns nothing if it cannot find a fact: a missing
// cause must not hide the original error.
type linux struct{}

func (linux) statfs(path string) (st unix.Statfs_t, ok bool) {
	at, fd := nearest(path)
	if at == "" {
		return st, false
	}
	defer func() { _ = unix.Close(fd) }()
	return st, unix.Fstatfs(fd, &st) == nil
}

func (linux) attributes(path string) uint64 {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, 0, &st); err != nil {
		return 0
	}
	return st.Attributes
}

func (linux) mount(path string) (mount, bool) {
	at, fd := nearest(path)
	if at == "" {
		return mount{}, false
	}
	defer func() { _ = unix.Close(fd) }()
	id, _, err := mountinfo.Locate(fd)
	if err != nil {
		return mount{}, false
	}
	all, err := mountinfo.Read()
	if err != nil {
		return mount{}, false
	}
	for _, m := range all {
		if m.ID == id {
			return mount{m.Point, m.ReadOnly, m.FilesystemReadOnly}, true
		}
	}
	return mount{}, false
}

// nearest opens a path, or the nearest directory above it that exists, without
// following its last component and without any effect on it. at is "" if not even /
// can be opened.
func nearest(path string) (at string, fd int) {
	for {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == nil {
			return path, fd
		}
		if path == "/" || !filepath.IsAbs(path) {
			return "", -1
		}
		path = filepath.Dir(path)
	}
}

func (linux) process() process {
	p := process{root: os.Geteuid() == 0}
	status, err := durable.ReadHostFile("/proc/self/status", 64<<10)
	if err != nil {
		return p
	}
	const dacOverride = 1 // CAP_DAC_OVERRIDE
	for line := range bytes.Lines(status) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
		value = bytes.TrimSpace(value)
		switch string(name) {
		case "CapEff":
			capabilities, err := strconv.ParseUint(string(value), 16, 64)
			p.override = err == nil && capabilities&(1<<dacOverride) != 0
		case "Seccomp":
			p.filtered = string(value) != "0"
		}
	}
	return p
}
