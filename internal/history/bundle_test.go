package history_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal"
)

const about = `{"format":"edged-audit-bundle","v":1}`

// entry is a file of an archive. Fields that are not set are as in a bundle.
type entry struct {
	name, text string
	header     tar.Header
}

// archive packs entries unchecked.
func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, e := range entries {
		h := e.header
		if h.Name == "" {
			h.Name = "audit/" + e.name
		}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Size == 0 {
			h.Size = int64(len(e.text))
		}
		historytest.Check(t, w.WriteHeader(&h))
		if h.Typeflag == tar.TypeReg {
			_, err := io.WriteString(w, e.text)
			historytest.Check(t, err)
		}
	}
	historytest.Check(t, w.Flush())
	plain.Write(make([]byte, 1024))
	return compressed(t, plain.Bytes())
}

func compressed(t testing.TB, plain []byte, opts ...zstd.EOption) []byte {
	t.Helper()
	var out bytes.Buffer
	enc, err := zstd.NewWriter(&out, opts...)
	historytest.Check(t, err)
	_, err = enc.Write(plain)
	historytest.Check(t, err)
	historytest.Check(t, enc.Close())
	return out.Bytes()
}

func bundleFile(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.tar.zst")
	historytest.Check(t, os.WriteFile(path, data, 0o600))
	return path
}

// records returns the lines of a small history.
func records(t testing.TB) string {
	t.Helper()
	h := newHistory(t.(*testing.T))
	h.Close()
	src, err := history.Open(h.Dir)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	var text strings.Builder
	for raw, err := range src.RawRecords(1, src.Tip().Seq) {
		historytest.Check(t, err)
		fmt.Fprintf(&text, "%s\n", raw.Raw)
	}
	return text.String()
}

func TestOpenBundle(t *testing.T) {
	lines := records(t)
	t.Setenv("TMPDIR", t.TempDir())
	path := bundleFile(t, archive(t, entry{name: "bundle.json", text: about}, entry{name: "B3SUMS"}, entry{name: "a", text: "x"}, entry{name: "records.jsonl", text: lines}, entry{name: "z"}))
	src, err := history.Open(path)
	historytest.Check(t, err)
	n, err := walk(src)
	historytest.Check(t, err)
	if src.Kind() != history.Bundle || n != uint64(strings.Count(lines, "\n")) || src.Path() != path || src.FS() != nil || src.View() != nil || src.Torn() {
		t.Errorf("%v of kind %s", n, src.Kind())
	}
	got, err := io.ReadAll(src.Lines())
	historytest.Check(t, err)
	if string(got) != lines {
		t.Error("the lines are not those of the archive")
	}
	historytest.Check(t, src.Close())
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "edgectl-bundle-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Other programs convert bundles and exports. A history that kept its bytes is
// read; otherwise the error names the conversion.
func TestChanged(t *testing.T) {
	lines := records(t)
	plain := func(packed []byte) []byte {
		dec, err := zstd.NewReader(bytes.NewReader(packed))
		historytest.Check(t, err)
		defer dec.Close()
		data, err := io.ReadAll(dec)
		historytest.Check(t, err)
		return data
	}
	packed := archive(t, entry{name: "bundle.json", text: about}, entry{name: "B3SUMS"}, entry{name: "records.jsonl", text: lines})
	half := len(plain(packed)) / 2
	for name, data := range map[string][]byte{
		"a skippable frame in front": append([]byte("\x5d\x2a\x4d\x18\x04\x00\x00\x00size"), packed...),
		"in two frames":              append(compressed(t, plain(packed)[:half]), compressed(t, plain(packed)[half:])...),
		"unpacked by zstd":           plain(packed),
	} {
		src, err := history.Open(bundleFile(t, data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n, err := walk(src); err != nil || src.Kind() != history.Bundle || n != uint64(strings.Count(lines, "\n")) {
			t.Errorf("%s: %d records, %v", name, n, err)
		}
		historytest.Check(t, src.Close())
	}
	for says, data := range map[string]string{
		"compressed by gzip; unpack it with gunzip": "\x1f\x8b\x08",
		"byte-order mark":            "\xef\xbb\xbf" + lines,
		"a program saved it as text": "\xff\xfe{\x00",
		"its lines end in CR LF":     strings.ReplaceAll(lines, "\n", "\r\n"),
	} {
		if _, err := history.Open(bundleFile(t, []byte(data))); !errors.Is(err, history.ErrChanged) || !strings.Contains(err.Error(), says) {
			t.Errorf("want %s: %v", says, err)
		}
	}
	dir := t.TempDir()
	historytest.Check(t, os.WriteFile(filepath.Join(dir, "bundle.json"), []byte(about), 0o600))
	if _, err := history.Open(dir); !errors.Is(err, history.ErrNotEvidence) || !strings.Contains(err.Error(), "run check.sh in it") {
		t.Errorf("an unpacked bundle: %v", err)
	}
}

// A hostile archive is refused, with a reason.
func TestHostileBundles(t *testing.T) {
	lines := records(t)
	head := []entry{{name: "bundle.json", text: about}, {name: "B3SUMS"}}
	with := func(more ...entry) []byte { return archive(t, append(head[:2:2], more...)...) }
	good := with(entry{name: "records.jsonl", text: lines})
	for _, tt := range []struct {
		name string
		data []byte
		want error
		says string
	}{
		{"no tar", compressed(t, []byte(strings.Repeat("hello", 500))), history.ErrNotEvidence, "not an audit bundle"},
		{"nothing", compressed(t, nil), history.ErrNotEvidence, "not an audit bundle"},
		{"another archive", archive(t, entry{name: "x"}), history.ErrNotEvidence, "not an audit bundle"},
		{"another bundle.json", archive(t, entry{name: "bundle.json", text: `{"format":"x","v":1}`}), history.ErrNotEvidence, "not an audit bundle"},
		{"a huge bundle.json", archive(t, entry{name: "bundle.json", text: strings.Repeat(" ", 65<<10)}), history.ErrNotEvidence, "not an audit bundle"},
		{"version 0", archive(t, entry{name: "bundle.json", text: `{"format":"edged-audit-bundle"}`}), history.ErrNotEvidence, "not an audit bundle"},
		{"a newer one", archive(t, entry{name: "bundle.json", text: `{"format":"edged-audit-bundle","v":2}`}), errs.ErrNewer, "use a newer edgectl"},
		{"no list of hashes", archive(t, head[0], entry{name: "records.jsonl", text: lines}), history.ErrBundle, "want B3SUMS"},
		{"no records", with(), history.ErrBundle, "no records.jsonl"},
		{"empty records", with(entry{name: "records.jsonl"}), journal.ErrTorn, "no whole record"},
		{"other records", with(entry{name: "records.jsonl", text: "{}\n"}), errs.ErrCorrupt, ""},
		{"a name twice", with(entry{name: "records.jsonl", text: lines}, entry{name: "records.jsonl", text: lines}), history.ErrBundle, "occurs twice"},
		{"the list twice", with(entry{name: "B3SUMS"}), history.ErrBundle, "occurs twice"},
		{"out of order", with(entry{name: "b"}, entry{name: "a"}), history.ErrBundle, "not sorted by name"},
		{"absolute", with(entry{header: tar.Header{Name: "/etc/passwd"}}), history.ErrBundle, "not a file under audit/"},
		{"escaping", with(entry{header: tar.Header{Name: "audit/../../x"}}), history.ErrBundle, "not a file under audit/"},
		{"elsewhere", with(entry{header: tar.Header{Name: "other/x"}}), history.ErrBundle, "not a file under audit/"},
		{"unclean", with(entry{name: "a//b"}), history.ErrBundle, "not a file under audit/"},
		{"control characters", with(entry{name: "a\x1b[2J"}), history.ErrBundle, "a character that is not allowed"},
		{"a long name", with(entry{name: strings.Repeat("a", 300)}), history.ErrBundle, "the limit is 200"},
		{"a symbolic link", with(entry{name: "l", header: tar.Header{Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}), history.ErrBundle, "not a regular file"},
		{"a hard link", with(entry{name: "l", header: tar.Header{Typeflag: tar.TypeLink, Linkname: "audit/B3SUMS"}}), history.ErrBundle, "not a regular file"},
		{"a device", with(entry{name: "l", header: tar.Header{Typeflag: tar.TypeChar}}), history.ErrBundle, "not a regular file"},
		{"a directory", with(entry{name: "d", header: tar.Header{Typeflag: tar.TypeDir}}), history.ErrBundle, "not a regular file"},
		{"a large small file", with(entry{name: "a", text: strings.Repeat("x", 1<<20+1)}), history.ErrBundle, "the limit is 1048576"},
		{"zeros for records", with(entry{name: "records.jsonl", text: strings.Repeat("\x00", 1<<20)}), journal.ErrTorn, "no whole record"},
		{"a line longer than any record", with(entry{name: "records.jsonl", text: strings.Repeat("x", 1<<20) + "\n"}), errs.ErrTooLarge, "at most 65535"},
		{"lines that fill the disk", with(entry{name: "records.jsonl", text: strings.Repeat("{}\n", 24<<20/3)}), history.ErrBundle, "more data than a history"},
		{"cut short", good[:len(good)-20], history.ErrBundle, "cut short"},
		{"cut in the middle", good[:len(good)/2], history.ErrBundle, "cut short"},
		{"data after the end", append(bytes.Clone(good), compressed(t, []byte("more"))...), history.ErrBundle, "follows the archive's end"},
		{"a window too large", compressed(t, bytes.Repeat([]byte("x"), 40<<20), zstd.WithWindowSize(32<<20)), history.ErrBundle, "window"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src, err := history.Open(bundleFile(t, tt.data))
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, %v; want %v: %s", src, err, tt.want, tt.says)
			}
		})
	}
	flips, tried := 0, 0
	for i := 0; i < len(good); i += 7 {
		tried++
		data := bytes.Clone(good)
		data[i] ^= 4
		src, err := history.Open(bundleFile(t, data))
		if err != nil {
			flips++
			continue
		}
		if n, err := walk(src); err != nil || n == 0 {
			flips++
		}
		_ = src.Close()
	}
	if flips < tried*9/10 {
		t.Errorf("of %d flipped bytes only %d were noticed", tried, flips)
	}
}

// An error of visit is returned unchanged.
func TestWalkBundle(t *testing.T) {
	path := bundleFile(t, archive(t, entry{name: "bundle.json", text: about}, entry{name: "B3SUMS"}, entry{name: "a", text: "x"}))
	stop := errors.New("stop")
	var seen []string
	err := history.WalkBundle(path, func(m history.Member, r io.Reader) error {
		text, err := io.ReadAll(r)
		historytest.Check(t, err)
		seen = append(seen, fmt.Sprintf("%s %d %s", m.Name, m.Size, text))
		if m.Name == "a" {
			return stop
		}
		return nil
	})
	want := []string{fmt.Sprintf("bundle.json %d %s", len(about), about), "B3SUMS 0 ", "a 1 x"}
	if !errors.Is(err, stop) || strings.Join(seen, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q, %v", seen, err)
	}
	if err := history.WalkBundle(path+"x", nil); !errors.Is(err, history.ErrAbsent) {
		t.Error(err)
	}
}

// Unpack opens the records of any member.
func TestUnpack(t *testing.T) {
	lines := records(t)
	path := bundleFile(t, archive(t, entry{name: "bundle.json", text: about}, entry{name: "B3SUMS"}, entry{name: "predecessor.jsonl", text: lines}, entry{name: "records.jsonl", text: "{}"}))
	var src *history.Source
	historytest.Check(t, history.WalkBundle(path, func(m history.Member, r io.Reader) (err error) {
		if m.Name == "predecessor.jsonl" {
			src, err = history.Unpack(path, m, r)
		}
		return err
	}))
	defer src.Close() //nolint:errcheck // read-only
	if n, err := walk(src); err != nil || n != uint64(strings.Count(lines, "\n")) || src.Kind() != history.Bundle {
		t.Errorf("%d records, %v", n, err)
	}
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "absent"))
	if _, err := history.Unpack(path, history.Member{}, strings.NewReader(lines)); err == nil || !strings.Contains(err.Error(), "set TMPDIR") {
		t.Errorf("nowhere to unpack: %v", err)
	}
}
