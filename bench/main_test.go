package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		args string
		only []string
		err  string
	}{
		{"", nil, ""},
		{"-only clean,history", []string{"clean", "history"}, ""},
		{"-only clean,hstory", nil, `no section "hstory"`},
		{"-runs 0", nil, "at least 1 run"},
		{"-boots 10", nil, "100 boots"},
		{"-frobnicate", nil, "not defined"},
	} {
		b := &bench{}
		only, err := b.flags(strings.Fields(tt.args), io.Discard)
		if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%q: %v", tt.args, err)
		}
		if !slices.Equal(only, tt.only) {
			t.Errorf("%q: sections %v", tt.args, only)
		}
	}
	b := &bench{}
	if _, err := b.flags(nil, io.Discard); err != nil || b.runs < 30 || b.boots != 100_000 || b.records != 1_000_000 || b.copyMiB != 1024 {
		t.Errorf("the defaults are not the required ones: %+v, %v", b, err)
	}
}

func TestPlace(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "binary")
	if err := os.WriteFile(file, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := (&bench{edged: file, edgectl: filepath.Join(dir, "gone"), dir: dir}).place(); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Error(err)
	}
	var st unix.Statfs_t
	if unix.Statfs("/dev/shm", &st) != nil || st.Type != unix.TMPFS_MAGIC {
		t.Skip("no tmpfs at /dev/shm")
	}
	if err := (&bench{edged: file, edgectl: file, dir: "/dev/shm"}).place(); err == nil || !strings.Contains(err.Error(), "-dir") {
		t.Errorf("a directory in memory is accepted: %v", err)
	}
}
