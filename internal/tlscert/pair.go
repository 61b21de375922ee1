package tlscert

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// Names in and beside the directory that a replacement works in.
const (
	workSuffix = ".edged-rotation"
	tmpSuffix  = ".edged-tmp"
	linkPair   = "pair" // -> old before the commit point, -> new after it
	dirOld     = "old"
	dirNew     = "new"
	nameCert   = "cert"
	nameKey    = "key"
	maxLinks   = 40 // as the kernel's own limit
)

// member is one of the two files of a pair, at the end of whatever links lead
// to it from the configured path.
type member struct {
	path   string // in a directory without symbolic links
	name   string // nameCert or nameKey
	linked bool   // a link of ours stands at path: a replacement is under way
}

func (m member) dir() string { return filepath.Dir(m.path) }

// tmp is the file that is renamed over path.
func (m member) tmp() string { return filepath.Join(m.dir(), "."+filepath.Base(m.path)+tmpSuffix) }

// pair is where a replacement happens.
type pair struct {
	cert, key member
	work      string // directory beside the certificate
}

// members in the order in which they are changed.
func (p *pair) members() []member { return []member{p.key, p.cert} }

// target is what the link at m's path holds: relative within one directory, so
// that the directory can be moved or mounted elsewhere.
func (p *pair) target(m member) string {
	path := filepath.Join(p.work, linkPair, m.name)
	if m.dir() == filepath.Dir(p.work) {
		return filepath.Join(filepath.Base(p.work), linkPair, m.name)
	}
	return path
}

// locate follows the links that the operator made, and stops at ours. It asks
// the disk only for links, so that a missing file is fs.ErrNotExist.
func locate(d disk, paths Paths) (*pair, error) {
	p := &pair{}
	var err error
	workBeside := func(path string) string {
		return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+workSuffix)
	}
	p.cert, err = follow(d, paths.Cert, nameCert, workBeside)
	if err != nil {
		return nil, err
	}
	p.work = workBeside(p.cert.path)
	p.key, err = follow(d, paths.Key, nameKey, func(string) string { return p.work })
	if err != nil {
		return nil, err
	}
	return p, nil
}

func follow(d disk, path, name string, work func(path string) string) (member, error) {
	for range maxLinks {
		// Without links in the directory, ".." in a relative link means what
		// it says.
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return member{}, err
		}
		path = filepath.Join(dir, filepath.Base(path))
		info, err := d.Lstat(path)
		if err != nil {
			return member{}, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			return member{path: path, name: name}, nil
		}
		to, err := d.Readlink(path)
		if err != nil {
			return member{}, err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(dir, to)
		}
		if filepath.Clean(to) == filepath.Join(work(path), linkPair, name) {
			return member{path: path, name: name, linked: true}, nil
		}
		path = to
	}
	return member{}, fmt.Errorf("%s: %w", path, syscall.ELOOP)
}
