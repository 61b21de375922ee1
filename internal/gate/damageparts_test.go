package gate

import (
	"fmt"
	"iter"
	"strings"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

// part is one of the things that vouch for one another.
type part struct {
	name string
	at   []string // files and folders
}

var parts = []part{
	{"journal", []string{"journal"}},
	{"head", []string{"bootstrap/journal_head"}},
	{"projections", []string{"bootstrap/os_fingerprint.json", "epoch"}},
}

func (p part) holds(name string) bool {
	for _, at := range p.at {
		if name == at || strings.HasPrefix(name, at+"/") {
			return true
		}
	}
	return false
}

// exchanges put parts in place as another disk has them: each alone, each pair,
// and all together.
func (p *patient) exchanges(from []older) iter.Seq[harm] {
	return func(yield func(harm) bool) {
		for _, o := range from {
			for set := 1; set < 1<<len(parts); set++ {
				var names []string
				var chosen []part
				for i, pt := range parts {
					if set&(1<<i) != 0 {
						names, chosen = append(names, pt.name), append(chosen, pt)
					}
				}
				if !yield(harm{fmt.Sprintf("%s %s", strings.Join(names, " and "), o.name), func(d *damagedDisk) {
					for _, pt := range chosen {
						for _, at := range pt.at {
							d.keep(durable.RemoveAll(d.FS, at))
							d.keep(copyTree(d.FS, o.disk, at))
						}
					}
				}, ""}) {
					return
				}
			}
		}
	}
}

// copyTree copies a file or folder to the same name on another disk; what is
// not there is not copied.
func copyTree(to, from *memfs.FS, name string) error {
	info, err := from.Lstat(name)
	if isNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		data, _, err := durable.ReadFile(from, name, 64<<20)
		if err != nil {
			return err
		}
		f, err := to.Create(name, info.Mode.Perm())
		if err != nil {
			return err
		}
		if _, err := f.WriteAt(data, 0); err != nil {
			return err
		}
		return f.Close()
	}
	if err := to.Mkdir(name, info.Mode.Perm()); err != nil {
		return err
	}
	entries, err := from.ReadDir(name)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := copyTree(to, from, name+"/"+e.Name); err != nil {
			return err
		}
	}
	return nil
}
