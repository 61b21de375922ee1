package operation

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/stateroot"
)

// metacharacters have a meaning in a shell. The gate interprets none of them; it refuses
// them so that no path of a manifest can harm a script that handles it.
const metacharacters = ";|$&><(){}[]*?!~#\\\"'`"

// Limits of Linux, in bytes: PATH_MAX counts the final zero.
const (
	maxPath = 4095
	maxName = 255
)

// wellFormed returns an error for a path that no operation may have.
func wellFormed(p string) error {
	switch {
	case p == "":
		return fmt.Errorf("%w: it is empty", ErrPath)
	case len(p) > maxPath:
		return fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrPath, len(p), maxPath)
	case !utf8.ValidString(p):
		return fmt.Errorf("%w: it is not UTF-8", ErrPath)
	}
	for _, r := range p {
		if unicode.IsControl(r) || strings.ContainsRune(metacharacters, r) {
			return fmt.Errorf("%w: it holds %q", ErrPath, r)
		}
	}
	last := ""
	for last = range strings.SplitSeq(p, "/") {
		if len(last) > maxName {
			return fmt.Errorf("%w: a component has %d bytes, the limit is %d", ErrPath, len(last), maxName)
		}
	}
	if last == "" || last == "." || last == ".." {
		return fmt.Errorf("%w: it ends in %q, which names a directory", ErrPath, "/"+last)
	}
	return nil
}

// beneath resolves p, relative to folder or absolute inside root/folder, to a clean path
// relative to root. folder is "." for the root itself. The part after root/folder must
// never climb above it, not even to come back.
func beneath(root, folder, p string) (string, error) {
	if err := wellFormed(p); err != nil {
		return "", err
	}
	rest := p
	if path.IsAbs(p) {
		var ok bool
		if rest, ok = under(root, p); !ok || !path.IsAbs(root) {
			return "", fmt.Errorf("%w: it lies outside the state root %s", ErrPath, root)
		}
		if folder != "." {
			if rest, ok = under("/"+folder, "/"+rest); !ok {
				return "", fmt.Errorf("%w: it is not under %s", ErrPath, place(folder))
			}
		}
	}
	rest = path.Clean(rest)
	if rest == ".." || strings.HasPrefix(rest, "../") {
		return "", fmt.Errorf("%w: its .. leads outside %s", ErrPath, place(folder))
	}
	if rest == "." {
		return "", fmt.Errorf("%w: it is %s itself", ErrPath, place(folder))
	}
	rel := path.Join(folder, rest)
	if len(rel) > maxPath {
		return "", fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrPath, len(rel), maxPath)
	}
	return rel, nil
}

// under returns the remainder of the absolute path p after dir, component by component and
// as written: the caller judges ".." in it. Empty components and "." are ignored; a ".." of
// p before it has reached dir does not match.
func under(dir, p string) (rest string, ok bool) {
	rest = p
	for want := range strings.SplitSeq(path.Clean(dir), "/") {
		if want == "" {
			continue
		}
		var have string
		have, rest = first(rest)
		if have != want {
			return "", false
		}
	}
	return strings.TrimLeft(rest, "/"), true
}

// first removes the first component that is neither empty nor "." from p.
func first(p string) (name, rest string) {
	for p != "" {
		name, p, _ = strings.Cut(p, "/")
		if name != "" && name != "." {
			return name, p
		}
	}
	return "", ""
}

func place(folder string) string {
	if folder == "." {
		return "the state root"
	}
	return folder + "/"
}

// sources are the only folders from which operations copy.
var sources = map[string]string{
	manifest.CopyBinary:    stateroot.Binaries,
	manifest.InstallConfig: stateroot.Bootstrap,
}

// reserved are the places at and below which no operation may write.
var reserved = []string{
	stateroot.Bootstrap, stateroot.Identity, stateroot.Epoch, stateroot.Edge, stateroot.Binaries,
	stateroot.Manifest, stateroot.ManifestSignature,
}

// source resolves an operation's src.
func source(root string, op manifest.Operation) (string, error) {
	folder, ok := sources[op.Op]
	if !ok {
		return "", fmt.Errorf("%w: there is no operation %q", ErrPath, op.Op)
	}
	return beneath(root, folder, op.Src)
}

// destination resolves and checks an operation's dst. Reserved names are compared without
// regard to case: in a directory that folds it, "Epoch" is "epoch".
func destination(root string, op manifest.Operation) (string, error) {
	rel, err := beneath(root, ".", op.Dst)
	if err != nil {
		return "", err
	}
	for _, k := range reserved {
		if withinFold(rel, k) || withinFold(k, rel) {
			return "", fmt.Errorf("%w: %s is reserved", ErrPath, k)
		}
	}
	if n := len(stateroot.JournalPrefix); len(rel) >= n && strings.EqualFold(rel[:n], stateroot.JournalPrefix) {
		return "", fmt.Errorf("%w: top-level names that begin with %q are the journal's", ErrPath, stateroot.JournalPrefix)
	}
	for name := range strings.SplitSeq(rel, "/") {
		if strings.EqualFold(name, tempName) {
			return "", fmt.Errorf("%w: %s is the temporary file of operations", ErrPath, tempName)
		}
	}
	if n := len(tempOf(rel)); n > maxPath {
		return "", fmt.Errorf("%w: its temporary file would take %d bytes, the limit is %d", ErrPath, n, maxPath)
	}
	return rel, nil
}

// tempOf returns the temporary file beside a destination.
func tempOf(dst string) string { return path.Join(path.Dir(dst), tempName) }

// within reports whether p is dir or below it.
func within(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, dir+"/")
}

// withinFold is within, without regard to case.
func withinFold(p, dir string) bool {
	have := strings.Split(p, "/")
	for i, want := range strings.Split(dir, "/") {
		if i == len(have) || !strings.EqualFold(have[i], want) {
			return false
		}
	}
	return true
}
