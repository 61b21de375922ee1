package audit_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/transparency"
)

// signer is a checkpoint key.
type signer struct{ private, public string }

func newSigner(t testing.TB) signer {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, historytest.Node)
	historytest.Check(t, err)
	return signer{private, public}
}

// checkpoint signs the first size records of src. Package tlog computes the root.
func (s signer) checkpoint(t testing.TB, src *history.Source, size uint64) []byte {
	t.Helper()
	var hashes []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range at {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	for raw, err := range src.RawRecords(1, size) {
		historytest.Check(t, err)
		more, err := tlog.StoredHashes(int64(raw.Seq-1), bytes.Clone(raw.Raw), read)
		historytest.Check(t, err)
		hashes = append(hashes, more...)
	}
	root, err := tlog.TreeHash(int64(size), read)
	historytest.Check(t, err)
	return s.sign(t, fmt.Sprintf("edged/%s\n%d\n%s\n", src.ID(), size, root))
}

// sign signs a text as a note. The name of the key is the first line.
func (s signer) sign(t testing.TB, text string) []byte {
	t.Helper()
	parts := strings.SplitN(s.private, "+", 5)
	held, err := transparency.NewVerifier(s.public)
	historytest.Check(t, err)
	origin, _, _ := strings.Cut(text, "\n")
	named, err := note.NewEd25519VerifierKey(origin, held.Key())
	historytest.Check(t, err)
	key, err := note.NewSigner("PRIVATE+KEY+" + origin + "+" + strings.SplitN(named, "+", 3)[1] + "+" + parts[4])
	historytest.Check(t, err)
	signed, err := note.Sign(&note.Note{Text: text}, key)
	historytest.Check(t, err)
	return signed
}

// bundle makes a bundle of the history at path.
func (s signer) bundle(t testing.TB, path string) []byte {
	t.Helper()
	src, err := history.Open(path)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	var out bytes.Buffer
	_, err = audit.Write(context.Background(), &out, src, audit.Options{Checkpoint: s.checkpoint(t, src, src.Tip().Seq), Public: s.public, Software: "edgectl test"})
	historytest.Check(t, err)
	return out.Bytes()
}

func write(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.tar.zst")
	historytest.Check(t, os.WriteFile(path, data, 0o600))
	return path
}

func begin(t testing.TB) *historytest.History {
	t.Helper()
	h := historytest.New(t, t.TempDir())
	h.First()
	h.Match()
	h.Reconstruct(historytest.NewOS, 1)
	h.Match()
	h.Reconstruct(historytest.OldOS, 2)
	h.Publish()
	return h
}

func TestCheckScript(t *testing.T) {
	for _, tool := range []string{"sh", "tar", "zstd", "b3sum", "python3", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	h := begin(t)
	path := write(t, newSigner(t).bundle(t, h.Dir))
	dir := t.TempDir()
	out, err := exec.Command("sh", "-c", `tar --zstd -C "$1" -xf "$0" && sh "$1/audit/check.sh"; find "$1"; cat "$1/audit/README.txt" "$1/audit/bundle.json"`, path, dir).CombinedOutput()
	t.Logf("%s", out)
	historytest.Check(t, err)
}
