package bucket_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// fake is an object store that does what a test asks for.
type fake struct {
	mu      sync.Mutex
	objects map[string]object
	fault   atomic.Pointer[fault]
	// evaluate decides whether the condition of a PUT is met.
	evaluate func(r *http.Request, found bool, etag string) bool
}

// A fault is called with each request and returns true if it has answered.
type fault func(w http.ResponseWriter, r *http.Request) bool

// fail makes the store fail; nil ends it.
func (f *fake) fail(with fault) { f.fault.Store(&with) }

type object struct {
	data []byte
	hash string // the metadata
}

func (o object) etag() string { return fmt.Sprintf(`"%x"`, md5.Sum(o.data)) }

// startFake starts a fake with TLS and points the environment to it.
func startFake(t *testing.T) *fake {
	f := &fake{objects: map[string]object{}, evaluate: compare}
	server := httptest.NewTLSServer(f)
	t.Cleanup(server.Close)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ENDPOINT_URL_S3": "", "AWS_CA_BUNDLE": bundle, "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "",
	} {
		t.Setenv(name, value)
	}
	return f
}

// compare does what S3 does.
func compare(r *http.Request, found bool, etag string) bool {
	if r.Header.Get("If-None-Match") == "*" {
		return !found
	}
	want := r.Header.Get("If-Match")
	return want == "" || found && want == etag
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, code)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if with := f.fault.Load(); with != nil && *with != nil && (*with)(w, r) {
		return
	}
	key, ok := strings.CutPrefix(r.URL.Path, "/bucket/")
	switch {
	case !ok:
		refuse(w, http.StatusNotFound, "NoSuchBucket")
	case key == "":
		f.list(w, r)
	case r.Method == http.MethodPut:
		f.put(w, r, key)
	case r.Method == http.MethodGet:
		f.mu.Lock()
		o, found := f.objects[key]
		f.mu.Unlock()
		if !found {
			refuse(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		serve(w, o)
	case r.Method == http.MethodDelete:
		f.mu.Lock()
		delete(f.objects, key)
		f.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}
}

func serve(w http.ResponseWriter, o object) {
	w.Header().Set("ETag", o.etag())
	w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
	w.Header().Set("X-Amz-Meta-Edged-Sha256", o.hash)
	w.Header().Set("Content-Length", strconv.Itoa(len(o.data)))
	_, _ = w.Write(o.data)
}

func (f *fake) put(w http.ResponseWriter, r *http.Request, key string) {
	data, err := io.ReadAll(r.Body)
	sum := md5.Sum(data)
	if err != nil || r.URL.RawQuery != "" || r.Header.Get("Content-Md5") != base64.StdEncoding.EncodeToString(sum[:]) {
		refuse(w, http.StatusBadRequest, "BadDigest")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	old, found := f.objects[key]
	if !f.evaluate(r, found, old.etag()) {
		if !found {
			refuse(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	}
	f.objects[key] = object{data, r.Header.Get("X-Amz-Meta-Edged-Sha256")}
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	type contents struct{ Key, ETag, LastModified string }
	var result struct {
		XMLName     xml.Name `xml:"ListBucketResult"`
		IsTruncated bool
		Contents    []contents
		NextToken   string `xml:"NextContinuationToken"`
	}
	q := r.URL.Query()
	limit, _ := strconv.Atoi(q.Get("max-keys"))
	f.mu.Lock()
	for _, key := range slices.Sorted(maps.Keys(f.objects)) {
		if strings.HasPrefix(key, q.Get("prefix")) && key > q.Get("start-after") {
			if len(result.Contents) == limit {
				result.IsTruncated, result.NextToken = true, "more"
				break
			}
			result.Contents = append(result.Contents, contents{key, f.objects[key].etag(), "2006-01-02T15:04:05.000Z"})
		}
	}
	f.mu.Unlock()
	_ = xml.NewEncoder(w).Encode(result)
}
