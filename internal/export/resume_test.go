package export_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/autonomyops/edged/internal/evidence/evidencetest"
	"github.com/autonomyops/edged/internal/export"
)

// cut lets some bytes through and then fails, as a full disk does.
type cut struct {
	w    io.Writer
	left int
}

func (c *cut) Write(p []byte) (int, error) {
	if len(p) <= c.left {
		c.left -= len(p)
		return c.w.Write(p)
	}
	n, _ := c.w.Write(p[:c.left])
	c.left = 0
	return n, errFull
}

func into(src export.Source, format string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := export.Write(w, src, format, export.Options{})
		return err
	}
}

// Wherever an export was interrupted, and whatever became of its end, going on
// gives the file that an export in one go gives.
func TestResume(t *testing.T) {
	src := many(t, 500)
	for _, format := range export.Formats() {
		whole := exported(t, src, format)
		for _, at := range []int{0, 1, 100, len(whole) / 2, len(whole) - 1, len(whole)} {
			for name, spoil := range map[string]func([]byte) []byte{
				"as it was left": func(b []byte) []byte { return b },
				"a hole at its end": func(b []byte) []byte {
					clear(b[len(b)-len(b)/3:])
					return b
				},
				"longer": func(b []byte) []byte { return append(b, make([]byte, 3*len(whole))...) },
				"of another history": func(b []byte) []byte {
					for i := range b {
						b[i] ^= 1
					}
					return b
				},
			} {
				if name != "as it was left" && at != len(whole)/2 {
					continue
				}
				path := filepath.Join(t.TempDir(), "x")
				reused, err := export.Resume(path, "", func(w io.Writer) error { return into(src, format)(&cut{w, at}) })
				if reused != 0 || at < len(whole) && !errors.Is(err, errFull) {
					t.Fatalf("%s at %d: %d, %v", format, at, reused, err)
				}
				if at == len(whole) {
					evidencetest.Check(t, os.Rename(path, path+export.PartialSuffix)) // the end came before the name
				}
				part, err := os.ReadFile(path + export.PartialSuffix)
				evidencetest.Check(t, err)
				if _, err := os.Lstat(path); err == nil || len(part) != at {
					t.Errorf("%s at %d: %d bytes kept, %v", format, at, len(part), err)
				}
				spoiled := spoil(bytes.Clone(part))
				evidencetest.Check(t, os.WriteFile(path+export.PartialSuffix, spoiled, 0o600))
				same := 0
				for same < min(len(spoiled), len(whole)) && spoiled[same] == whole[same] {
					same++
				}
				reused, err = export.Resume(path, "", into(src, format))
				if err != nil || reused != int64(same) {
					t.Errorf("%s at %d, %s: reused %d of %d, %v", format, at, name, reused, same, err)
				}
				got, err := os.ReadFile(path)
				evidencetest.Check(t, err)
				if !bytes.Equal(got, whole) {
					t.Errorf("%s at %d, %s: not the same file", format, at, name)
				}
				if names, _ := os.ReadDir(filepath.Dir(path)); len(names) != 1 {
					t.Errorf("%s at %d, %s: left behind: %v", format, at, name, names)
				}
			}
		}
	}
}

// The name of the part can be foreseen: what somebody put there is not
// written to, and what an older export left under the final name stays.
func TestResumeRefuses(t *testing.T) {
	src := many(t, 10)
	for _, tt := range []struct {
		name string
		prep func(dir, path string) (keepOut string)
		want error
	}{
		{"a link", func(dir, path string) string {
			evidencetest.Check(t, os.WriteFile(filepath.Join(dir, "victim"), []byte("v"), 0o600))
			evidencetest.Check(t, os.Symlink("victim", path+export.PartialSuffix))
			return ""
		}, export.ErrNotOurs},
		{"a second name", func(dir, path string) string {
			evidencetest.Check(t, os.WriteFile(filepath.Join(dir, "victim"), []byte("v"), 0o600))
			evidencetest.Check(t, os.Link(filepath.Join(dir, "victim"), path+export.PartialSuffix))
			return ""
		}, export.ErrNotOurs},
		{"a directory", func(_, path string) string {
			evidencetest.Check(t, os.Mkdir(path+export.PartialSuffix, 0o700))
			return ""
		}, nil},
		{"a final name that is no file", func(_, path string) string {
			evidencetest.Check(t, os.Mkdir(path, 0o700))
			return ""
		}, nil},
		{"inside the evidence", func(dir, _ string) string { return dir }, export.ErrInside},
		{"the evidence itself", func(_, path string) string {
			evidencetest.Check(t, os.WriteFile(path+export.PartialSuffix, []byte("v"), 0o600))
			return path + export.PartialSuffix
		}, export.ErrInside},
		{"no directory", func(dir, _ string) string {
			evidencetest.Check(t, os.Remove(dir))
			return ""
		}, os.ErrNotExist},
	} {
		dir := filepath.Join(t.TempDir(), "d")
		evidencetest.Check(t, os.Mkdir(dir, 0o700))
		path := filepath.Join(dir, "x")
		keepOut := tt.prep(dir, path)
		if _, err := export.Resume(path, keepOut, into(src, "jsonl")); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if data, err := os.ReadFile(filepath.Join(dir, "victim")); err == nil && string(data) != "v" {
			t.Errorf("%s: %q", tt.name, data)
		}
	}
}

func TestResumeIsAlone(t *testing.T) {
	src := many(t, 10)
	path := filepath.Join(t.TempDir(), "x")
	evidencetest.Check(t, os.WriteFile(path, []byte("older"), 0o600))
	_, err := export.Resume(path, "", func(w io.Writer) error {
		if _, err := export.Resume(path, "", into(src, "jsonl")); !errors.Is(err, export.ErrBusy) {
			t.Errorf("the second: %v", err)
		}
		if old, err := os.ReadFile(path); err != nil || string(old) != "older" {
			t.Errorf("meanwhile: %q, %v", old, err)
		}
		return into(src, "jsonl")(w)
	})
	evidencetest.Check(t, err)
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, exported(t, src, "jsonl")) {
		t.Errorf("%v", err)
	}
}
