package history

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/autonomyops/edged/internal/errs"
)

// The form of an audit bundle: a tar archive in Zstandard frames, or without
// them if an auditor has already decompressed it. Every member is a regular
// file under BundleDir. BundleAbout is first and BundleSums second. The others
// follow, sorted by the bytes of their names: a reader needs no list of the
// names it has seen to find one that occurs twice.
const (
	BundleDir     = "audit/"
	BundleAbout   = "bundle.json"   // names the format and the history
	BundleSums    = "B3SUMS"        // BLAKE3 of every other file, for b3sum --check
	BundleRecords = "records.jsonl" // the records, one a line
)

// BundleFormat and BundleVersion are the format and version in BundleAbout.
const (
	BundleFormat  = "edged-audit-bundle"
	BundleVersion = 1
)

// Bounds on what an archive can make its reader do.
const (
	maxBundleWindow = 16 << 20 // of Zstandard, held in memory
	maxBundleFiles  = 1 << 18
	maxBundleFile   = 1 << 20 // bytes, of a file that is neither records nor BundleSums
	maxBundleName   = 200
	// A record has at most 64 KiB, of which the 32 bytes of the previous hash
	// do not compress. No honest archive of records is compressed to less than
	// a 2,048th; an archive that is was made to fill the disk.
	maxBundleRatio = 4096
)

// About is the content of BundleAbout. Events is the number of records, and
// Head the hash of the newest.
type About struct {
	Format   string `json:"format"`
	V        int    `json:"v"`
	Journal  string `json:"journal"`
	Node     string `json:"node"`
	Events   uint64 `json:"events"`
	Head     string `json:"head"`
	Signed   bool   `json:"signed"` // there is a checkpoint
	Software string `json:"software"`
}

// ParseAbout reads BundleAbout. It ignores members that this version does not
// know.
func ParseAbout(data []byte) (About, error) {
	var a About
	var members map[string]jsontext.Value
	if err := json.Unmarshal(data, &a); err != nil {
		return About{}, err
	}
	if err := json.Unmarshal(data, &members); err != nil {
		return About{}, err
	}
	for name := range members {
		// Some programs read "NODE" as "node", and would report another node.
		if strings.ContainsFunc(name, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
			return About{}, fmt.Errorf("member %q is not named in lower-case letters", name)
		}
	}
	return a, nil
}

// checkFormat checks that BundleAbout is strict JSON of a format that this
// version reads. The error is errNoBundle, or errs.ErrNewer for a newer format.
func checkFormat(data []byte) error {
	var a struct {
		Format string `json:"format"`
		V      int    `json:"v"`
	}
	err := json.Unmarshal(data, &a)
	switch {
	case err != nil || a.Format != BundleFormat || a.V < 1:
		return errNoBundle
	case a.V > BundleVersion:
		return &errs.Error{Kind: errs.ErrNewer, Detail: fmt.Sprintf("read an audit bundle of format %d", a.V), Next: "use a newer edgectl"}
	}
	return nil
}

var errNoBundle = errors.New("it is an archive, but not an audit bundle")

// checkName returns a member's name without BundleDir. It refuses names that
// would leave BundleDir or are not plain ASCII, so that tar unpacks a checked
// archive safely too.
func checkName(name string) (string, error) {
	if len(name) > maxBundleName {
		return "", fmt.Errorf("a name has %d bytes, the limit is %d", len(name), maxBundleName)
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || c == '\\' {
			return "", fmt.Errorf("the name %q has a character that is not allowed", name)
		}
	}
	inside, ok := strings.CutPrefix(name, BundleDir)
	if !ok || inside == "" || path.IsAbs(name) || path.Clean(name) != name || strings.HasPrefix(inside, "../") {
		return "", fmt.Errorf("the name %q is not a file under %s", name, BundleDir)
	}
	return inside, nil
}

// checkOrder compares member number n, from 0, with the one before.
func checkOrder(n int, name, before string) error {
	switch {
	case n > maxBundleFiles:
		return fmt.Errorf("it has more than %d files", maxBundleFiles)
	case n == 1 && name != BundleSums:
		return fmt.Errorf("the second file is %s, want %s", name, BundleSums)
	case n > 1 && (name == BundleAbout || name == BundleSums):
		return fmt.Errorf("%s occurs twice", name)
	case n > 2 && name == before:
		return fmt.Errorf("%s occurs twice", name)
	case n > 2 && name < before:
		return fmt.Errorf("%s follows %s: the files are not sorted by name", name, before)
	}
	return nil
}

// checkSize checks a member's declared size, before any of it is read.
func checkSize(name string, size int64) error {
	if size < 0 || size > maxBundleFile && !IsLines(name) && name != BundleSums {
		return fmt.Errorf("%s has %d bytes, the limit is %d", name, size, maxBundleFile)
	}
	return nil
}

// IsLines reports whether a member holds records, one a line.
func IsLines(name string) bool { return strings.HasSuffix(name, ".jsonl") }
