package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestNotADocument(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		kind     error
		msg      string
	}{
		{"empty", "", ErrEmpty, "blanks and comments"},
		{"blank", " \n\t\n# comment\n", ErrEmpty, "blanks and comments"},
		{"bom only", "\ufeff", ErrEmpty, "blanks and comments"},
		{"zeros of a torn write", "schema: v1\n\x00\x00\x00", ErrEncoding, "0x00 at line 2, column 1"},
		{"escape", "schema: \x1b[0m\n", ErrEncoding, "0x1b at line 1, column 9"},
		{"latin-1", "schema: v1\n# kn\xf6ten\n", ErrEncoding, "0xf6 at line 2, column 5"},
		{"utf-16", "\xff\xfes\x00", ErrEncoding, "save the file as UTF-8"},
		{"too many bytes", strings.Repeat("# comment\n", 200_000), ErrTooLarge, "1048576 bytes"},
		{"too many lines", strings.Repeat("#\n", 20_001) + "a: b", ErrTooLarge, "20002 lines"},
		{"too much content", "a: " + strings.Repeat("x", 128<<10), ErrTooLarge, "outside comments"},
		{"toml", "# edge\nschema = \"v1\"\n[identity]\nedge_domain_id = \"x\"\n", ErrTOML, "`key: value`"},
		{"toml table first", "[identity]  # who\nedge_domain_id = \"x\"\n", ErrTOML, "[section]"},
		{"toml array of tables", "[[identity]]\nedge_domain_id = \"x\"\n", ErrTOML, "[section]"},
		{"marker only", "---\n", ErrInvalid, "the document is empty"},
		{"text", "hello\n", ErrInvalid, "must be a mapping of sections, and is text"},
		{"list", "- a\n- b\n", ErrInvalid, "and is a list"},
		{"number", "42\n", ErrInvalid, "and is a number"},
		{"boolean", "true\n", ErrInvalid, "and is true or false"},
		{"null", "~\n", ErrInvalid, "and is empty"},
		{"block of text", "|\n  hello\n", ErrInvalid, "and is a block of text"},
		{"not toml: array", "[a, b]\n", ErrInvalid, "and is a list"},
		{"two documents", "a: b\n---\nc: d\n", ErrInvalid, "line 2, column 1: a second YAML document"},
		{"two markers", "---\n---\nc: d\n", ErrInvalid, "a second YAML document"},
		{"syntax", "a: b: c\n", ErrInvalid, "line 1, column 4: is not YAML: "},
		{"open quote", "a: \"b\n", ErrInvalid, "is not YAML: "},
		{"open bracket", "a: [b\n", ErrInvalid, "is not YAML: "},
		{"anchor", "a: &x 1\n", ErrInvalid, "line 1, column 4: anchors"},
		{"alias", "a: *x\n", ErrInvalid, "aliases"},
		{"merge", "<<: {a: 1}\n", ErrInvalid, "merge keys"},
		{"tag", "a: !!str 1\n", ErrInvalid, "tags"},
		{"directive", "%YAML 1.2\n---\na: 1\n", ErrInvalid, "directives"},
		{"complex key", "? a\n: b\n", ErrInvalid, "complex keys"},
		{"list within list", "a:\n- - b\n", ErrInvalid, "a list within a list"},
		{"deep flow", strings.Repeat("[", 20_000), ErrInvalid, "words and marks"},
		{"deeper than allowed", strings.Repeat("[", 17), ErrInvalid, "nested deeper than 16 levels"},
		{"deep braces", strings.Repeat("{a: ", 20), ErrInvalid, "nested deeper"},
		{"many keys", strings.Repeat("a: b\n", 4000), ErrInvalid, "this is not a config"},
		{"block scalar value", "schema: |\n  v1\n", ErrInvalid, "schema: must be text on one line, and is a block of text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Parse("/etc/edged/c", []byte(tt.in))
			if tt.name == "deep flow" {
				if err == nil || !strings.Contains(err.Error(), "nested deeper") {
					t.Fatalf("got %v", err)
				}
				return
			}
			if cfg != nil || !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.msg) {
				t.Fatalf("got %v", err)
			}
			if !strings.HasPrefix(err.Error(), "read config /etc/edged/c: ") {
				t.Errorf("the file is not named: %v", err)
			}
		})
	}
}

// TestSyntaxErrorKeepsTheSecret: the parser's own error text quotes the source.
func TestSyntaxErrorKeepsTheSecret(t *testing.T) {
	for _, in := range []string{
		"identity:\n  fleet_salt: " + testSalt + ": x\n",
		"identity:\n  fleet_salt: \"" + testSalt + "\n",
		"fleet_salt:" + testSalt + "\n",
		testSalt + "\n",
		testSalt + ": 1\n",
		"identity: {fleet_salt: " + testSalt + "\n",
		"schema: " + testSalt + "\n",
		"storage: {disk_ceiling_bytes: " + testSalt + "}\n",
		"assurance: {mode: " + testSalt + "}\n",
		"identity = \"" + testSalt + "\"\n",
	} {
		_, err := Parse("c", []byte(in))
		if err == nil || strings.Contains(err.Error(), "abab") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, size int64) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	secret := file("unreadable", 10)
	if err := os.Chmod(secret, 0); err != nil {
		t.Fatal(err)
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path string
		kind       error
		msg        string
	}{
		{"no path", "", ErrNoPath, "--config PATH or set EDGE_CONFIG"},
		{"absent", filepath.Join(dir, "absent"), ErrNotFound, "filesystem is mounted"},
		{"directory", dir, ErrNotAFile, "it is a directory"},
		{"fifo", fifo, ErrNotAFile, "FIFO"},
		{"device", "/dev/zero", ErrNotAFile, "device"},
		{"100 MB", file("large", 100<<20), ErrTooLarge, "more than 1048576 bytes"},
		{"empty", file("empty", 0), ErrEmpty, "deploy"},
		{"loop", loop, syscall.ELOOP, "check the disk"},
		{"unreadable", secret, os.ErrPermission, "readable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "unreadable" && os.Geteuid() == 0 {
				t.Skip("root may read everything")
			}
			_, err := Load(tt.path)
			var e *Error
			if !errors.As(err, &e) || e.Path != tt.path || !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.msg) {
				t.Errorf("got %v", err)
			}
		})
	}
	if !strings.Contains(unreadable(os.ErrPermission).Error(), "make it readable") {
		t.Error("no permission has no message of its own")
	}
	link := filepath.Join(dir, "edge.toml")
	target, err := filepath.Abs("testdata/valid.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if cfg, err := Load(link); err != nil || cfg.Identity.EdgeDomainID != "tutorial-node-01" {
		t.Errorf("got %+v, %v", cfg, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample(f)))
	for _, s := range []string{"", "a: b", "{\"schema\": \"v1\"}", "- - -", "? a", "a: &x [*x]", "\ufeff---\n...\n",
		"schema = 1", "a: |\n  x\n", "a: >-\n x", "'", "\"\\u0000\"", "a:\n\t- b", "%TAG ! x", "<<: *a", "{a: {b: [c, {d: e}]}}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := Parse("/fuzz", data)
		var e *Error
		switch {
		case err == nil && cfg == nil, err != nil && cfg != nil:
			t.Fatal("neither or both of config and error")
		case err != nil && (!errors.As(err, &e) || !strings.Contains(err.Error(), "/fuzz")):
			t.Fatalf("error does not name the input: %v", err)
		case err == nil && cfg.Identity.EdgeDomainID == "":
			t.Fatal("a valid config without its required keys")
		}
	})
}
