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

// metacharacters mean something to a shell. None is interpreted here; they are
// refused so that no path of a manifest can hurt a script that handles it.
const metacharacters = ";|$&><(){}[]*?!~#\\\"'`"

// Limits of Linux, in bytes.
const (
	maxPath = 4096
	maxName = 255
)

// wellFormed refuses what no path of an operation may hold.
func wellFormed(p string) error {
	switch {
	case p == "":
		return fmt.Errorf("%w: it is empty", ErrPath)
	case len(p) > maxPath:
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrPath, len(p), maxPath)
	case !utf8.ValidString(p):
		return fmt.Errorf("%w: it is not UTF-8", ErrPath)
	case strings.HasSuffix(p, "/"):
		return fmt.Errorf("%w: it ends in a slash, which names a directory", ErrPath)
	}
	for _, r := range p {
		if unicode.IsControl(r) || strings.ContainsRune(metacharacters, r) {
			return fmt.Errorf("%w: it holds %q", ErrPath, r)
		}
	}
	for name := range strings.SplitSeq(p, "/") {
		if len(name) > maxName {
			return fmt.Errorf("%w: a component of %d bytes, the limit is %d", ErrPath, len(name), maxName)
		}
	}
	return nil
}

// beneath resolves p, relative to folder or absolute inside root/folder, to a
// clean path relative to root. folder is "." for the root itself.
func beneath(root, folder, p string) (string, error) {
	if err := wellFormed(p); err != nil {
		return "", err
	}
	full := path.Join("/", folder, p)
	if path.IsAbs(p) {
		inside, ok := strings.CutPrefix(path.Clean(p), strings.TrimSuffix(path.Clean(root), "/")+"/")
		if !ok {
			return "", fmt.Errorf("%w: it lies outside the state root %s", ErrPath, root)
		}
		full = "/" + inside
	} else if climbs(folder, p) {
		return "", fmt.Errorf("%w: its .. leaves %s", ErrPath, place(folder))
	}
	rel := strings.TrimPrefix(full, "/")
	if rel == "" || (folder != "." && !strings.HasPrefix(rel, folder+"/")) {
		return "", fmt.Errorf("%w: it is not under %s", ErrPath, place(folder))
	}
	return rel, nil
}

// climbs reports whether p, cleaned without a root to stop it, leaves folder.
func climbs(folder, p string) bool {
	clean := path.Clean(p)
	return clean == ".." || strings.HasPrefix(clean, "../")
}

func place(folder string) string {
	if folder == "." {
		return "the state root"
	}
	return folder + "/"
}

// sources are the only folders that operations take files from.
var sources = map[string]string{
	manifest.CopyBinary:    stateroot.Binaries,
	manifest.InstallConfig: stateroot.Bootstrap,
}

// kept are the places that no operation may write to or beneath.
var kept = []string{
	stateroot.Bootstrap, stateroot.Identity, stateroot.Epoch, stateroot.Edge, stateroot.Binaries,
	stateroot.Manifest, stateroot.ManifestSignature,
}

func source(root string, op manifest.Operation) (string, error) {
	folder, ok := sources[op.Op]
	if !ok {
		return "", fmt.Errorf("%w: there is no operation %q", ErrPath, op.Op)
	}
	return beneath(root, folder, op.Src)
}

func destination(root string, op manifest.Operation) (string, error) {
	rel, err := beneath(root, ".", op.Dst)
	if err != nil {
		return "", err
	}
	for _, k := range kept {
		if within(rel, k) || within(k, rel) {
			return "", fmt.Errorf("%w: %s is kept from operations", ErrPath, k)
		}
	}
	if top, _, _ := strings.Cut(rel, "/"); strings.HasPrefix(top, stateroot.JournalPrefix) {
		return "", fmt.Errorf("%w: top-level names that begin with %q are the journal's", ErrPath, stateroot.JournalPrefix)
	}
	if IsTemp(path.Base(rel)) {
		return "", fmt.Errorf("%w: names like this are temporary files of operations", ErrPath)
	}
	return rel, nil
}

// within reports whether p is dir or lies beneath it.
func within(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, dir+"/")
}
