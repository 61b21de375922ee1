package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/hub/bucket/buckettest"
)

// TestMain is also the main function of the processes that the tests start.
func TestMain(m *testing.M) {
	role, location, _ := strings.Cut(os.Getenv("EDGED_BUCKET_TEST"), " ")
	if role == "" {
		os.Exit(m.Run())
	}
	s, err := bucket.OpenFolder(location)
	if err == nil {
		switch role {
		case "write":
			err = buckettest.Write(context.Background(), s, "heads/written", os.Stdout)
		case "count":
			err = count(s)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// process starts a process with a role. It ends with the test.
func process(t *testing.T, role, location string) (cmd *exec.Cmd, out *bytes.Buffer) {
	t.Helper()
	out = &bytes.Buffer{}
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "EDGED_BUCKET_TEST="+role+" "+location)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, out
}

func openFolder(t *testing.T, location string) *bucket.Folder {
	t.Helper()
	f, err := bucket.OpenFolder(location)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestFolderConforms(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	buckettest.Conformance(t, func(t *testing.T) bucket.Store { return openFolder(t, dir) })
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

const (
	counters   = 4
	increments = 100
)

// count increments one counter.
func count(s bucket.Store) error {
	ctx := context.Background()
	failures := make([]error, counters)
	var group sync.WaitGroup
	for i := range failures {
		group.Go(func() {
			for done := 0; done < increments && failures[i] == nil; {
				data, old, err := s.Get(ctx, "heads/counter")
				if err == nil {
					n, _ := strconv.Atoi(string(data))
					err = s.Swap(ctx, "heads/counter", []byte(strconv.Itoa(n+1)), old)
				}
				switch {
				case err == nil:
					done++
				case !errors.Is(err, bucket.ErrChanged):
					failures[i] = err
				}
			}
		})
	}
	group.Wait()
	return errors.Join(failures...)
}

// TestFolderProcesses: no increment of two processes is lost.
func TestFolderProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openFolder(t, dir)
	if err := s.Swap(t.Context(), "heads/counter", []byte("0"), ""); err != nil {
		t.Fatal(err)
	}
	one, _ := process(t, "count", dir)
	two, _ := process(t, "count", dir)
	if err := errors.Join(one.Wait(), two.Wait()); err != nil {
		t.Fatal(err)
	}
	if data, _, err := s.Get(t.Context(), "heads/counter"); err != nil || string(data) != strconv.Itoa(2*counters*increments) {
		t.Errorf("counted %q, %v", data, err)
	}
}

// TestFolderKilled kills a writer at many moments.
func TestFolderKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var acked bytes.Buffer
	for i := range 25 {
		cmd, out := process(t, "write", dir)
		time.Sleep(time.Duration(5+i*4) * time.Millisecond)
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
		acked.Write(out.Bytes())
		buckettest.Check(t, openFolder(t, dir), bytes.NewReader(acked.Bytes()))
	}
	if acked.Len() == 0 {
		t.Error("no process has acknowledged anything")
	}
}

func TestFolderRefuses(t *testing.T) {
	base := t.TempDir()
	at := func(name string) string { return filepath.Join(base, name) }
	for _, err := range []error{
		os.WriteFile(at("file"), nil, 0o600), os.MkdirAll(at("home/photos"), 0o700), os.Mkdir(at("disk"), 0o700), os.Mkdir(at("disk/lost+found"), 0o700),
		os.Mkdir(at("linked"), 0o700), os.Symlink(base, at("linked/heads")), os.Symlink(at("disk"), at("link")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]error{
		"file": syscall.ENOTDIR, "home": bucket.ErrUnsuitable, "absent/below": os.ErrNotExist, "linked": durable.ErrSymlink, "link": durable.ErrSymlink, "disk": nil, "new": nil,
	} {
		f, err := bucket.OpenFolder(at(name))
		var advised *errs.Advised
		if !errors.Is(err, want) || want != nil && (!errors.As(err, &advised) || !strings.Contains(err.Error(), at(name))) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if err == nil {
			_ = f.Close()
		}
	}
	if info, err := os.Stat(at("new")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("a new store: %v, %v", info, err)
	}
}

// TestFolderTemporaries: what a crash left is not served, and removed when it is old.
func TestFolderTemporaries(t *testing.T) {
	dir := t.TempDir()
	_ = openFolder(t, dir)
	old, young := filepath.Join(dir, "tmp/old"), filepath.Join(dir, "tmp/young")
	for _, name := range []string{old, young} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hours := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(old, hours, hours); err != nil {
		t.Fatal(err)
	}
	s := openFolder(t, dir)
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old one: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("the young one: %v", err)
	}
	if _, _, err := s.Get(t.Context(), "tmp/young"); !errors.Is(err, errs.ErrInvalid) {
		t.Errorf("get of a temporary file: %v", err)
	}
}

// TestFolderLinks: no symbolic link below the store is followed.
func TestFolderLinks(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	s := openFolder(t, dir)
	for link, target := range map[string]string{"heads/file": "secret", "keys/folder": "."} {
		if err := errors.Join(os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600), os.Symlink(filepath.Join(outside, target), filepath.Join(dir, link))); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	_, _, get := s.Get(ctx, "heads/file")
	_, _, below := s.Get(ctx, "keys/folder/secret")
	for what, err := range map[string]error{"get": get, "get below": below, "put": s.Put(ctx, "keys/folder/new", nil), "swap": s.Swap(ctx, "heads/file", nil, ""),
		"delete": s.Delete(ctx, "keys/folder/secret")} {
		if !errors.Is(err, durable.ErrSymlink) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, prefix := range []string{"heads/", "keys/", "keys/folder/"} {
		err := error(nil)
		for _, err = range s.List(ctx, prefix) {
			if err != nil {
				break
			}
		}
		if err == nil {
			t.Errorf("list of %s follows a link", prefix)
		}
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
		t.Errorf("outside: %v, %v", entries, err)
	}
}

// TestFolderWaits: a wait for a lock of another process ends with its context.
func TestFolderWaits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openFolder(t, dir)
	for i := range 64 {
		file, err := os.Open(filepath.Join(dir, fmt.Sprintf("locks/%02x", i)))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = file.Close() }()
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var group sync.WaitGroup
	for range 4 { // one waits for the other process, the others for it
		group.Go(func() {
			if err := s.Swap(ctx, "heads/x", nil, ""); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// BenchmarkFolder is what a ship costs: two objects and a head.
func BenchmarkFolder(b *testing.B) {
	s, err := bucket.OpenFolder(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	records := bytes.Repeat([]byte("x"), 4096)
	var group sync.WaitGroup
	for writer := range 16 {
		group.Go(func() {
			head := fmt.Sprintf("heads/%d", writer)
			version := bucket.Version("")
			for i := writer; i < b.N; i += 16 {
				data := fmt.Appendf(nil, "%d %d", writer, i)
				err := errors.Join(s.Put(b.Context(), fmt.Sprintf("records/%d", i), records), s.Put(b.Context(), fmt.Sprintf("checkpoints/%d/%d", writer, i), data),
					s.Swap(b.Context(), head, data, version))
				if err == nil {
					_, version, err = s.Get(b.Context(), head)
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ships/s")
}
