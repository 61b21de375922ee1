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
// them: an auditor may have unpacked it once already. Every member
// is a regular file under BundleDir. BundleAbout comes first, BundleSums
// second, and what BundleSums lists beyond the first follows in the order of
// its names' bytes, so that no name can come twice and a reader needs no list
// of those it has seen.
const (
	BundleDir     = "audit/"
	BundleAbout   = "bundle.json"   // what it is and of which history
	BundleSums    = "B3SUMS"        // BLAKE3 of every other file, for b3sum --check
	BundleRecords = "records.jsonl" // the records, one a line; always the last member but for later names
)

// BundleFormat and BundleVersion are what BundleAbout says of itself.
const (
	BundleFormat  = "edged-audit-bundle"
	BundleVersion = 1
)

// Bounds on what an archive can make its reader do.
const (
	maxBundleWindow = 16 << 20 // of Zstandard, held in memory
	maxBundleFiles  = 1 << 18
	maxBundleFile   = 1 << 20 // but for lines of records and the list of hashes
	maxBundleName   = 200
	// Each record has 32 bytes that do not compress, the hash of the one
	// before, and at most 64 KiB. So no honest archive of records shrinks to
	// less than a 2,048th; what does is made to fill the disk.
	maxBundleRatio = 4096
)

// About is BundleAbout: it names the format before all else. Events counts the
// records, and Head is the hash of the newest.
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

// ParseAbout reads BundleAbout. Members that this version does not know are
// passed over.
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
		// Some programs take "NODE" for "node", and must not read another name.
		if strings.ContainsFunc(name, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
			return About{}, fmt.Errorf("member %q is not named in lower-case letters", name)
		}
	}
	return a, nil
}

// checkFormat says whether BundleAbout is that of a bundle which this version
// reads: strict JSON, in which no member comes twice. The error is errNoBundle,
// or errs.ErrNewer's for a newer format.
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

var errNoBundle = errors.New("it is an archive, and no audit bundle")

// checkName takes a member's name apart from BundleDir. Names are plain and
// stay inside: whoever unpacks the archive with tar is safe too.
func checkName(name string) (string, error) {
	if len(name) > maxBundleName {
		return "", fmt.Errorf("a name of %d bytes, the limit is %d", len(name), maxBundleName)
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || c == '\\' {
			return "", fmt.Errorf("the name %q has characters that none has", name)
		}
	}
	rest, ok := strings.CutPrefix(name, BundleDir)
	if !ok || rest == "" || path.IsAbs(name) || path.Clean(name) != name || strings.HasPrefix(rest, "../") {
		return "", fmt.Errorf("the name %q is not a file under %s", name, BundleDir)
	}
	return rest, nil
}

// checkOrder holds member number n against the one before.
func checkOrder(n int, name, before string) error {
	switch {
	case n > maxBundleFiles:
		return fmt.Errorf("more than %d files", maxBundleFiles)
	case n == 1 && name != BundleSums:
		return fmt.Errorf("the second file is %s, want %s", name, BundleSums)
	case n > 1 && (name == BundleAbout || name == BundleSums):
		return fmt.Errorf("%s comes twice", name)
	case n > 2 && name == before:
		return fmt.Errorf("%s comes twice", name)
	case n > 2 && name < before:
		return fmt.Errorf("%s comes after %s: the files are not in the order of their names", name, before)
	}
	return nil
}

// checkSize bounds what is declared, before any of it is read.
func checkSize(name string, size int64) error {
	if size < 0 || size > maxBundleFile && !IsLines(name) && name != BundleSums {
		return fmt.Errorf("%s has %d bytes, the limit is %d", name, size, maxBundleFile)
	}
	return nil
}

// IsLines reports whether a member holds records, one a line.
func IsLines(name string) bool { return strings.HasSuffix(name, ".jsonl") }
