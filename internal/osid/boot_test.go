package osid

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestBootID(t *testing.T) {
	id, err := BootID()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := BootID(); err != nil || again != id || !isUUID(id) {
		t.Errorf("got %q and %q, %v", id, again, err)
	}
}

func TestBootIDFrom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boot_id")
	if _, err := bootID(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	for _, tt := range []struct{ in, want string }{
		{"0123ABCD-89ab-4cde-8f01-23456789abcd\n", "0123abcd-89ab-4cde-8f01-23456789abcd"},
		{"", ""},
		{"0123abcd-89ab-4cde-8f01-23456789abc", ""},
		{"0123abcd089ab-4cde-8f01-23456789abcd", ""},
		{"0123abcx-89ab-4cde-8f01-23456789abcd", ""},
	} {
		if err := os.WriteFile(path, []byte(tt.in), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := bootID(path)
		if got != tt.want || (tt.want == "") != errors.Is(err, ErrBootID) {
			t.Errorf("%q: got %q, %v", tt.in, got, err)
		}
	}
}

func TestUptime(t *testing.T) {
	first, err := Uptime()
	if err != nil {
		t.Fatal(err)
	}
	second, err := Uptime()
	if err != nil || first <= 0 || second < first {
		t.Errorf("got %d, then %d, %v", first, second, err)
	}
}
