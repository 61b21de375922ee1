package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/hub/bucket/buckettest"
)

const (
	minioVersion  = "v0.0.0-20260212201848-7aac2a2c5b7c"
	minioUser     = "hub"
	minioPassword = "not-a-secret"
)

// TestMinIO: a hub's store in MinIO does what the store in a folder does.
func TestMinIO(t *testing.T) {
	newMinIO(t)
	location := "s3://hub/conforms"
	buckettest.Conformance(t, func(t *testing.T) bucket.Store {
		s, err := bucket.Open(t.Context(), location)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// TestMinIOKilled kills the server while four writers replace two heads.
func TestMinIOKilled(t *testing.T) {
	m := newMinIO(t)
	s, err := bucket.Open(t.Context(), "s3://hub/killed")
	if err != nil {
		t.Fatal(err)
	}
	acked, failed := &lines{}, &lines{}
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	defer func() { stop(); writers.Wait() }()
	for i := range 4 {
		// An error is a server that is away, or the other writer of this head.
		writers.Go(func() {
			for ctx.Err() == nil {
				err := buckettest.Write(ctx, s, fmt.Sprintf("heads/%d", i%2), acked)
				if errors.Is(err, bucket.ErrUnsuitable) {
					t.Error(err)
				}
				_, _ = fmt.Fprintln(failed, err)
			}
		})
	}
	for i := range 10 {
		before := len(acked.get())
		for start := time.Now(); len(acked.get()) == before; time.Sleep(time.Millisecond) {
			if time.Since(start) > 20*time.Second {
				said := failed.get()
				t.Fatalf("nothing was written for 20 s:\n%s", said[max(len(said)-2000, 0):])
			}
		}
		time.Sleep(time.Duration(i*23) * time.Millisecond)
		m.kill()
		m.start()
		buckettest.Check(t, s, bytes.NewReader(acked.get()))
	}
	stop()
	writers.Wait()
	buckettest.Check(t, s, bytes.NewReader(acked.get()))
	t.Logf("%d writes were acknowledged", bytes.Count(acked.get(), []byte("\n")))
}

// TestMinIOSplit has a replacement reach some of the drives only, as a killed server leaves it:
// the object is one of the two, it can be replaced, and then it is the new one for everybody.
func TestMinIOSplit(t *testing.T) {
	m := newMinIO(t)
	ctx := t.Context()
	s, err := bucket.Open(ctx, "s3://hub/split")
	check(t, err)
	const drives = 4
	file := func(drive int, name string) string {
		return filepath.Join(m.dir, fmt.Sprintf("drive%d", drive+1), "hub", "split", name, "xl.meta")
	}
	name := func(reached int) string { return fmt.Sprintf("heads/%04b", reached) }
	for reached := range 1 << drives {
		name := name(reached)
		check(t, s.Swap(ctx, name, []byte("before"), ""))
		var before [drives][]byte
		for drive := range drives {
			before[drive], err = os.ReadFile(file(drive, name))
			check(t, err)
		}
		_, v, err := s.Get(ctx, name)
		check(t, err)
		check(t, s.Swap(ctx, name, []byte("after"), v))
		for drive := range drives {
			if reached>>drive&1 == 0 {
				check(t, os.WriteFile(file(drive, name), before[drive], 0o600))
			}
		}
	}
	m.kill()
	m.start()
	for reached := range 1 << drives {
		name := name(reached)
		for tries := 0; ; tries++ {
			data, v, err := s.Get(ctx, name)
			check(t, err)
			if text := string(data); text != "before" && text != "after" {
				t.Errorf("%s is %q", name, text)
			}
			err = s.Swap(ctx, name, []byte("repaired"), v)
			if err == nil {
				break
			}
			// Two old drives and two new ones: it reads one, and compares with the other.
			if !errors.Is(err, bucket.ErrChanged) || tries == 100 {
				t.Fatal(err)
			}
		}
		for range 5 {
			if data, _, err := s.Get(ctx, name); err != nil || string(data) != "repaired" {
				t.Errorf("%s is %q, %v", name, data, err)
			}
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lines collects what several goroutines write.
type lines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *lines) get() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.text)
}

// minIO is a MinIO with four drives in one process.
type minIO struct {
	t            *testing.T
	program, dir string
	address      string
	cmd          *exec.Cmd
}

// newMinIO starts a MinIO with the bucket hub, and points the environment to it.
func newMinIO(t *testing.T) *minIO {
	t.Helper()
	m := &minIO{t: t, program: builtMinIO(t), dir: t.TempDir()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if m.cmd != nil {
			m.kill()
		}
	})
	m.start()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": "http://" + m.address, "AWS_ENDPOINT_URL_S3": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_ACCESS_KEY_ID": minioUser, "AWS_SECRET_ACCESS_KEY": minioPassword, "AWS_SESSION_TOKEN": "",
	} {
		t.Setenv(name, value)
	}
	client, err := minio.New(m.address, &minio.Options{Creds: credentials.NewStaticV4(minioUser, minioPassword, "")})
	if err == nil {
		err = client.MakeBucket(t.Context(), "hub", minio.MakeBucketOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// builtMinIO returns the program, which it builds once: that takes two minutes.
func builtMinIO(t *testing.T) string {
	t.Helper()
	if os.Getenv("EDGED_INTEROP") != "1" {
		t.Skip("builds a tool of another project: runs with EDGED_INTEROP=1")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "edged-interop", "minio-"+minioVersion)
	program := filepath.Join(dir, "minio")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	cmd := exec.Command("go", "-C", "/", "install", "github.com/minio/minio@"+minioVersion)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build MinIO: %v\n%s", err, out)
	}
	return program
}

// start returns when the server has all its drives.
func (m *minIO) start() {
	m.t.Helper()
	var said bytes.Buffer
	m.cmd = exec.Command(m.program, "server", "--quiet", "--address", m.address, filepath.Join(m.dir, "drive{1...4}"))
	// MINIO_CI_CD allows several drives on one disk.
	m.cmd.Env = []string{"HOME=" + m.dir, "MINIO_ROOT_USER=" + minioUser, "MINIO_ROOT_PASSWORD=" + minioPassword, "MINIO_BROWSER=off", "MINIO_CI_CD=1"}
	m.cmd.Stdout, m.cmd.Stderr = &said, &said
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) < 30*time.Second; time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get("http://" + m.address + "/minio/health/cluster")
		if err != nil {
			continue
		}
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return
		}
	}
	m.kill()
	m.t.Fatalf("MinIO does not start:\n%s", strings.TrimSpace(said.String()))
}

// kill ends the server with SIGKILL.
func (m *minIO) kill() {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
	m.cmd = nil
}
