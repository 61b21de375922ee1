package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/hub/bucket/buckettest"
)

const location = "s3://bucket/some/prefix"

func TestS3Conforms(t *testing.T) {
	f := startFake(t)
	buckettest.Conformance(t, func(t *testing.T) bucket.Store {
		s, err := bucket.Open(t.Context(), location)
		if err != nil {
			t.Fatal(err)
		}
		if s.String() != location {
			t.Errorf("it is called %s", s)
		}
		return s
	})
	for key := range f.objects {
		if !strings.HasPrefix(key, "some/prefix/") || strings.Contains(key, "probe") {
			t.Errorf("%s is left", key)
		}
	}
}

// TestProbe: a store that does not compare is refused, and the error says what failed.
func TestProbe(t *testing.T) {
	when := func(header string) func(r *http.Request, found bool, etag string) bool {
		return func(r *http.Request, found bool, etag string) bool {
			return r.Header.Get(header) != "" || compare(r, found, etag)
		}
	}
	for says, evaluate := range map[string]func(r *http.Request, found bool, etag string) bool{
		"it creates an object that exists":        when("If-None-Match"),
		"it replaces an object in an old version": when("If-Match"),
		"it replaces an object that is absent":    func(r *http.Request, found bool, etag string) bool { return !found || compare(r, found, etag) },
		"writers that create one object at once, 8 s": func(r *http.Request, found bool, etag string) bool {
			return strings.Contains(r.URL.Path, "/race-") || compare(r, found, etag)
		},
		"writers that replace one object at once, 8 ": func(r *http.Request, found bool, etag string) bool {
			return strings.Contains(r.URL.Path, "/race-") && r.Header.Get("If-Match") != "" || compare(r, found, etag)
		},
	} {
		f := startFake(t)
		f.evaluate = evaluate
		_, err := bucket.Open(t.Context(), location)
		if !errors.Is(err, bucket.ErrUnsuitable) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
		if len(f.objects) > 0 {
			t.Errorf("%d objects are left", len(f.objects))
		}
	}
	// A store that cannot be asked is not unsuitable.
	f := startFake(t)
	f.fail(func(w http.ResponseWriter, _ *http.Request) bool {
		refuse(w, http.StatusForbidden, "AccessDenied")
		return true
	})
	if _, err := bucket.Open(t.Context(), location); err == nil || errors.Is(err, bucket.ErrUnsuitable) || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("without access: %v", err)
	}
}

// TestS3Faults: whatever the store answers, a call returns the right data, ErrChanged or an
// error, and no Swap is done twice.
func TestS3Faults(t *testing.T) {
	f := startFake(t)
	s, err := bucket.DialS3(t.Context(), location, 400*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	buckettest.Race(t, 4, 2, s)
	before := object{data: []byte("of before"), hash: "00"}
	faults := map[string]fault{
		"500": func(w http.ResponseWriter, _ *http.Request) bool { refuse(w, 500, "InternalError"); return true },
		"503": func(w http.ResponseWriter, _ *http.Request) bool { refuse(w, 503, "SlowDown"); return true },
		"slow": func(_ http.ResponseWriter, r *http.Request) bool {
			_, _ = io.Copy(io.Discard, r.Body) // otherwise the end of the connection is not noticed
			<-r.Context().Done()
			return true
		},
		"done, then 500": func(w http.ResponseWriter, r *http.Request) bool {
			f.put(discard{}, r, strings.TrimPrefix(r.URL.Path, "/bucket/"))
			refuse(w, 500, "InternalError")
			return true
		},
		"done, then gone": func(_ http.ResponseWriter, r *http.Request) bool {
			f.put(discard{}, r, strings.TrimPrefix(r.URL.Path, "/bucket/"))
			panic(http.ErrAbortHandler)
		},
		"truncated": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "100")
			w.Header().Set("ETag", before.etag())
			_, _ = w.Write([]byte("x"))
			panic(http.ErrAbortHandler)
		},
		"other data": func(w http.ResponseWriter, _ *http.Request) bool { serve(w, before); return true },
		"no bucket":  func(w http.ResponseWriter, _ *http.Request) bool { refuse(w, 404, "NoSuchBucket"); return true },
		"a page": func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte("<html>sign in</html>"))
			return true
		},
	}
	for name, with := range faults {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			f.fail(nil)
			object := "heads/" + fmt.Sprintf("%x", name)
			if err := s.Swap(ctx, object, []byte("one"), ""); err != nil {
				t.Fatal(err)
			}
			_, v, err := s.Get(ctx, object)
			if err != nil {
				t.Fatal(err)
			}
			var requests atomic.Int32
			f.fail(func(w http.ResponseWriter, r *http.Request) bool { requests.Add(1); return with(w, r) })
			err = s.Swap(ctx, object, []byte("two"), v)
			swapped := err == nil
			if swapped && name != "other data" || errors.Is(err, bucket.ErrChanged) || requests.Load() != 1 {
				t.Errorf("swap: %v after %d requests", err, requests.Load())
			}
			if data, _, err := s.Get(ctx, object); err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("get: %q, %v", data, err)
			}
			if name != "other data" {
				for item, err := range s.List(ctx, "heads/") {
					if err == nil {
						t.Errorf("list: %v", item)
					}
				}
			}
			f.fail(nil)
			data, _, err := s.Get(ctx, object)
			done := strings.HasPrefix(name, "done")
			if err != nil || done && string(data) != "two" || !done && string(data) != "one" {
				t.Errorf("afterwards %q, %v", data, err)
			}
			if done { // the caller reads again, or learns that somebody has replaced it
				if err := s.Swap(ctx, object, []byte("two"), v); !errors.Is(err, bucket.ErrChanged) {
					t.Errorf("again: %v", err)
				}
			}
		})
	}
}

// discard is an answer that gets lost.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// TestS3Stale: an old version that a cache returns is good for nothing.
func TestS3Stale(t *testing.T) {
	f := startFake(t)
	s, err := bucket.DialS3(t.Context(), location, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	const head = "heads/cached"
	if err := s.Swap(ctx, head, []byte("one"), ""); err != nil {
		t.Fatal(err)
	}
	old := f.objects["some/prefix/"+head]
	_, v, err := s.Get(ctx, head)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Swap(ctx, head, []byte("two"), v); err != nil {
		t.Fatal(err)
	}
	f.fail(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			serve(w, old)
		}
		return r.Method == http.MethodGet
	})
	_, v, err = s.Get(ctx, head)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Swap(ctx, head, []byte("three"), v); !errors.Is(err, bucket.ErrChanged) {
		t.Error(err)
	}
}

// TestS3Unreliable: a store whose answers are often lost, before or after the work is done,
// keeps a history without a gap.
func TestS3Unreliable(t *testing.T) {
	f := startFake(t)
	s, err := bucket.DialS3(t.Context(), location, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	f.fail(func(w http.ResponseWriter, r *http.Request) bool {
		switch rand.IntN(8) {
		case 0:
			refuse(w, http.StatusServiceUnavailable, "SlowDown")
			return true
		case 1:
			if r.Method == http.MethodPut {
				f.put(discard{}, r, strings.TrimPrefix(r.URL.Path, "/bucket/"))
			}
			panic(http.ErrAbortHandler)
		}
		return false
	})
	var acked bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	for ctx.Err() == nil {
		if err := buckettest.Write(ctx, s, "heads/written", &acked); errors.Is(err, bucket.ErrChanged) {
			t.Error(err) // nobody else writes
		}
	}
	if acked.Len() == 0 {
		t.Error("nothing was acknowledged")
	}
	f.fail(nil)
	buckettest.Check(t, s, &acked)
}

// TestS3Settings: what cannot work is refused with an instruction.
func TestS3Settings(t *testing.T) {
	startFake(t)
	for _, bad := range []string{"s3://", "s3://b", "s3://bucket/../x", "s3://bucket//x", "s3://bucket/a b", "s3://Bucket/x", "s3://bucket/x?y"} {
		advised(t, bad, bad)
	}
	for _, good := range []string{"s3://bucket", "s3://bucket/", "s3://bucket/A_b/c.d-e/"} {
		if s, err := bucket.Open(t.Context(), good); err != nil || s.String() != strings.TrimSuffix(good, "/") && s.String() != good+"/" && s.String() != good {
			t.Errorf("%s: %v, %v", good, s, err)
		}
	}
	advised(t, "s3://another/x", "NoSuchBucket")
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": "ftp://x", "AWS_CA_BUNDLE": filepath.Join(t.TempDir(), "absent")} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			advised(t, location, name)
		})
	}
	t.Run("credentials", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "")
		t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
		t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/") // no metadata service
		advised(t, location, "credentials")
	})
}

func advised(t *testing.T, location, says string) {
	t.Helper()
	_, err := bucket.Open(t.Context(), location)
	var advised *errs.Advised
	if !errors.As(err, &advised) || advised.Next == "" || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: %v", location, err)
	}
}

// TestOpenReader: a reader reads what is there and makes nothing.
func TestOpenReader(t *testing.T) {
	startFake(t)
	dir := t.TempDir()
	if _, err := bucket.OpenReader(t.Context(), dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder without a store: %v", err)
	}
	for _, location := range []string{filepath.Join(dir, "store"), location} {
		ctx := t.Context()
		s, err := bucket.Open(ctx, location)
		if err == nil {
			err = s.Put(ctx, "records/one", []byte("one"))
		}
		if err != nil {
			t.Fatal(err)
		}
		r, err := bucket.OpenReader(ctx, location)
		if err != nil {
			t.Fatal(err)
		}
		data, _, err := r.Get(ctx, "records/one")
		if err != nil || string(data) != "one" {
			t.Errorf("%s: %q, %v", location, data, err)
		}
		for item, err := range r.List(ctx, "records/") {
			if err != nil || item.Name != "records/one" {
				t.Errorf("%s: %v, %v", location, item, err)
			}
		}
		for _, err := range []error{r.Put(ctx, "records/one", nil), r.Swap(ctx, "heads/one", nil, ""), r.Delete(ctx, "records/one")} {
			if !errors.Is(err, errs.ErrInvalid) {
				t.Errorf("%s was written: %v", location, err)
			}
		}
	}
}

// A store that reads an object and compares with none is healed by the next Swap, and one of
// two succeeds.
func TestS3Split(t *testing.T) {
	f := startFake(t)
	s, err := bucket.OpenS3(t.Context(), "s3://bucket/store")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Swap(t.Context(), "heads/x", []byte("one"), ""); err != nil {
		t.Fatal(err)
	}
	_, v, err := s.Get(t.Context(), "heads/x")
	if err != nil {
		t.Fatal(err)
	}
	split := true
	f.evaluate = func(r *http.Request, found bool, etag string) bool {
		if split && r.Header.Get("If-None-Match") == "*" {
			split = false
			return true
		}
		return compare(r, found, etag)
	}
	f.fail(func(w http.ResponseWriter, r *http.Request) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		none := split && r.Method == http.MethodPut && r.Header.Get("If-Match") != ""
		if none {
			refuse(w, http.StatusNotFound, "NoSuchKey")
		}
		return none
	})
	if err := s.Swap(t.Context(), "heads/x", []byte("two"), "other"); !errors.Is(err, bucket.ErrChanged) {
		t.Errorf("a stale version: %v", err)
	}
	if err := s.Swap(t.Context(), "heads/x", []byte("two"), v); err != nil {
		t.Error(err)
	}
	if err := s.Swap(t.Context(), "heads/x", []byte("three"), v); !errors.Is(err, bucket.ErrChanged) {
		t.Errorf("the second one: %v", err)
	}
	if got, _, err := s.Get(t.Context(), "heads/x"); err != nil || string(got) != "two" {
		t.Errorf("%q, %v", got, err)
	}
}
