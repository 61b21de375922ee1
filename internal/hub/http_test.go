package hub_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/ship"
	"github.com/autonomyops/edged/internal/transparency"
)

// An authority issues client certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  ed25519.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	historytest.Check(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nodes"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, pub, key)
	historytest.Check(t, err)
	cert, err := x509.ParseCertificate(der)
	historytest.Check(t, err)
	return &authority{t, cert, key}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// issue returns a certificate with these URIs that ends at a time.
func (a *authority) issue(until time.Time, usage x509.ExtKeyUsage, uris ...string) tls.Certificate {
	a.t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	historytest.Check(a.t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{usage}}
	for _, text := range uris {
		u, err := url.Parse(text)
		historytest.Check(a.t, err)
		tmpl.URIs = append(tmpl.URIs, u)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, pub, a.key)
	historytest.Check(a.t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// secure starts a hub with TLS, as edgehub serve does. The test server in r.server only has
// the certificate.
func secure(t *testing.T, nodes, operators *authority) *rig {
	r := newRig(t)
	r.secure(nodes, operators)
	return r
}

func (r *rig) secure(nodes, operators *authority) {
	t := r.T
	r.stop()
	store, err := bucket.OpenFolder(r.dir)
	historytest.Check(t, err)
	r.serve(store, &hub.Access{})
	r.server.Close()
	r.server = httptest.NewTLSServer(nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	historytest.Check(t, err)
	s := &hub.Server{Hub: r.hub, Access: &hub.Access{Nodes: nodes.pool(), Operators: operators.pool(), Tokens: []string{"a token of an operator"}}, Policy: r.policy, Limits: r.limits}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.Serve(ctx, l, &tls.Config{Certificates: r.server.TLS.Certificates, ClientAuth: tls.RequestClientCert})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	r.server.URL = "https://" + l.Addr().String()
}

// client returns a client with a certificate, or none.
func (r *rig) client(certs ...tls.Certificate) *http.Client {
	c := r.server.Client()
	t := c.Transport.(*http.Transport).Clone()
	t.TLSClientConfig.Certificates = certs
	return &http.Client{Transport: t}
}

// form returns a shipment of the device's records after old, as ship sends it.
func form(t *testing.T, d *device, old uint64) map[string]string {
	t.Helper()
	d.Stop()
	src, err := history.Open(d.Dir)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	tree, err := transparency.Build(t.Context(), src, src.Tip().Seq, nil)
	historytest.Check(t, err)
	signed, err := tree.Checkpoint().Sign(d.key)
	historytest.Check(t, err)
	body := fmt.Sprintf("old %d\n", old)
	if old > 0 {
		proof, err := tree.Proof(old, src.Tip().Seq)
		historytest.Check(t, err)
		for _, h := range proof {
			body += h.String() + "\n"
		}
	}
	records := ""
	for raw, err := range src.RawRecords(old+1, src.Tip().Seq) {
		historytest.Check(t, err)
		records += string(raw.Raw) + "\n"
	}
	return map[string]string{"checkpoint": body + "\n" + string(signed), "key": d.key.Verifier().String(), "records": records}
}

func encode(t *testing.T, parts map[string]string) (kind string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, text := range parts {
		part, err := w.CreateFormField(name)
		historytest.Check(t, err)
		_, err = io.WriteString(part, text)
		historytest.Check(t, err)
	}
	historytest.Check(t, w.Close())
	return w.FormDataContentType(), b.Bytes()
}

func post(t *testing.T, c *http.Client, at, kind string, body io.Reader) (status int, text string) {
	t.Helper()
	resp, err := c.Post(at+"/add-records", kind, body)
	historytest.Check(t, err)
	defer resp.Body.Close() //nolint:errcheck // it was only read
	answer, err := io.ReadAll(resp.Body)
	historytest.Check(t, err)
	return resp.StatusCode, string(answer)
}

// Only a node with a valid certificate of its own name writes, and only operators, or the
// node itself, read. Each refusal says why, and leaves nothing in the store.
func TestAccess(t *testing.T) {
	nodes, operators, strangers := newAuthority(t), newAuthority(t), newAuthority(t)
	r, d := secure(t, nodes, operators), newDevice(t)
	soon := time.Now().Add(time.Hour)
	const client = x509.ExtKeyUsageClientAuth
	own := nodes.issue(soon, client, hub.Scheme+historytest.Node)
	kind, body := encode(t, form(t, d, 0))
	for name, tt := range map[string]struct {
		certs []tls.Certificate
		want  string
	}{
		"nobody":                  {nil, "a node's client certificate is needed"},
		"a stranger":              {[]tls.Certificate{strangers.issue(soon, client, hub.Scheme+historytest.Node)}, "unknown authority"},
		"another node":            {[]tls.Certificate{nodes.issue(soon, client, hub.Scheme+"other")}, `is of node "test-node", but the certificate is of node "other"`},
		"an expired certificate":  {[]tls.Certificate{nodes.issue(time.Now().Add(-time.Minute), client, hub.Scheme+historytest.Node)}, "expired"},
		"a server's certificate":  {[]tls.Certificate{nodes.issue(soon, x509.ExtKeyUsageServerAuth, hub.Scheme+historytest.Node)}, "incompatible key usage"},
		"a certificate of none":   {[]tls.Certificate{nodes.issue(soon, client)}, "has 0 URIs"},
		"a certificate of two":    {[]tls.Certificate{nodes.issue(soon, client, hub.Scheme+"a", hub.Scheme+"b")}, "has 2 URIs"},
		"a certificate of a user": {[]tls.Certificate{nodes.issue(soon, client, "urn:edged:user:a")}, "is not urn:edged:node:NAME"},
		"an operator":             {[]tls.Certificate{operators.issue(soon, client)}, "a node's client certificate is needed"},
	} {
		status, text := post(t, r.client(tt.certs...), r.server.URL, kind, bytes.NewReader(body))
		if status != http.StatusForbidden || !strings.Contains(text, tt.want) || strings.Count(text, "\n") != 1 {
			t.Errorf("%s: %d %s, want %q", name, status, text, tt.want)
		}
	}
	if ids, err := hub.Journals(t.Context(), r.store); err != nil || len(ids) != 0 {
		t.Fatalf("refused shipments left %q, %v", ids, err)
	}
	if status, text := post(t, r.client(own), r.server.URL, kind, bytes.NewReader(body)); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	id := d.id()
	for name, tt := range map[string]struct {
		certs       []tls.Certificate
		token       string
		all, itself int
	}{
		"nobody":              {nil, "", 401, 401},
		"a stranger":          {[]tls.Certificate{strangers.issue(soon, client, hub.Scheme+historytest.Node)}, "", 403, 403},
		"the node":            {[]tls.Certificate{own}, "", 403, 200},
		"another node":        {[]tls.Certificate{nodes.issue(soon, client, hub.Scheme+"other")}, "", 403, 403},
		"an operator":         {[]tls.Certificate{operators.issue(soon, client)}, "", 200, 200},
		"a token":             {nil, "a token of an operator", 200, 200},
		"a token that is not": {nil, "a token", 401, 401},
	} {
		for path, want := range map[string]int{
			"/": tt.all, "/fleet.json": tt.all, "/metrics": tt.all, "/key": 200,
			"/edged/" + id + "/checkpoint": tt.itself, "/edged/" + id + "/records.jsonl": tt.itself, "/edged/" + id + "/head.json": tt.itself,
			"/edged/" + id + "/report": tt.itself, "/edged/" + id + "/tile/entries/000.p/1": tt.itself, "/edged/" + id + "/tile/0/000.p/1": tt.itself,
		} {
			req, err := http.NewRequest(http.MethodGet, r.server.URL+path, nil)
			historytest.Check(t, err)
			if tt.token != "" {
				req.Header.Set("Authorization", "Bearer "+tt.token)
			}
			resp, err := r.client(tt.certs...).Do(req)
			historytest.Check(t, err)
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != want || want == 401 && resp.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: %s: %d %.200s, want %d", name, path, resp.StatusCode, text, want)
			}
		}
	}
}

// ship's own client uses its certificate, from the files that ship.yaml names.
func TestShipWithCertificate(t *testing.T) {
	nodes, operators := newAuthority(t), newAuthority(t)
	r, d := secure(t, nodes, operators), newDevice(t)
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		historytest.Check(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	pair := nodes.issue(time.Now().Add(time.Hour), x509.ExtKeyUsageClientAuth, hub.Scheme+historytest.Node)
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	historytest.Check(t, err)
	config := filepath.Join(dir, "ship.yaml")
	historytest.Check(t, os.WriteFile(config, fmt.Appendf(nil, "checkpoints: %s\nhub:\n  url: %s/\n  key: %s\n  ca: %s\n  certificate: %s\n  private_key: %s\n", d.kept, r.server.URL, r.key.Public(),
		write("ca", "CERTIFICATE", r.server.Certificate().Raw), write("cert", "CERTIFICATE", pair.Certificate[0]), write("key", "PRIVATE KEY", key)), 0o600))
	c, err := ship.Load(config)
	historytest.Check(t, err)
	d.Stop()
	src, err := history.Open(d.Dir)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	tree, err := transparency.Build(t.Context(), src, src.Tip().Seq, nil)
	historytest.Check(t, err)
	_, res, err := ship.Ship(t.Context(), c, tree, ship.Node{Key: d.key})
	if err != nil || res.Outcome != ship.Cosigned {
		t.Fatalf("%+v, %v", res, err)
	}
}

// Requests that are malformed are refused with a line that says why, and leave nothing.
func TestMalformed(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	d.boots(3)
	good := form(t, d, 0)
	records := strings.SplitAfter(good["records"], "\n")
	checkpoint := good["checkpoint"]
	with := func(name, text string) map[string]string {
		parts := map[string]string{}
		for k, v := range good {
			parts[k] = v
		}
		if parts[name] = text; text == "" {
			delete(parts, name)
		}
		return parts
	}
	for name, tt := range map[string]struct {
		parts  map[string]string
		status int
		want   string
	}{
		"no checkpoint":            {with("checkpoint", ""), 400, "are needed"},
		"no key":                   {with("key", ""), 400, "are needed"},
		"another key":              {with("key", newDevice(t).key.Verifier().String()), 403, "is not signed by the key"},
		"a malformed key":          {with("key", "x"), 400, "not an Ed25519 key"},
		"an unknown part":          {with("more", "x"), 400, `there is no part "more"`},
		"no old size":              {with("checkpoint", strings.Replace(checkpoint, "old 0", "new 0", 1)), 400, "no request of add-checkpoint"},
		"an old size with a zero":  {with("checkpoint", strings.Replace(checkpoint, "old 0", "old 00", 1)), 400, "no request of add-checkpoint"},
		"a malformed proof":        {with("checkpoint", strings.Replace(checkpoint, "old 0\n", "old 0\nx\n", 1)), 400, "a line of the proof"},
		"another old size":         {with("checkpoint", strings.Replace(checkpoint, "old 0", "old 3", 1)), 409, "0\n"},
		"a changed checkpoint":     {with("checkpoint", strings.Replace(checkpoint, "\n4\n", "\n5\n", 1)), 403, "is not signed"},
		"no such journal":          {with("checkpoint", strings.ReplaceAll(checkpoint, d.id(), "x")), 400, "is no id of a journal"},
		"a path as a journal":      {with("checkpoint", strings.ReplaceAll(checkpoint, d.id(), "../../etc")), 400, "is no id of a journal"},
		"a torn record":            {with("records", strings.TrimSuffix(good["records"], "\n")), 400, "does not end in a line feed"},
		"a record less":            {with("records", strings.Join(records[:3], "")), 400, "there are 3 records"},
		"a record more":            {with("records", good["records"]+records[3]), 400, "there are 5 records"},
		"exchanged records":        {with("records", records[0]+records[2]+records[1]+records[3]), 400, "record 3 is in the place of record 2"},
		"a record twice":           {with("records", records[0]+records[1]+records[1]+records[3]), 400, "record 2 is in the place of record 3"},
		"no JSON":                  {with("records", records[0]+records[1]+"x\n"+records[3]), 400, "record 3: "},
		"a space in a record":      {with("records", records[0]+strings.Replace(records[1], `{"`, `{ "`, 1)+records[2]+records[3]), 400, "record 2: "},
		"a changed record":         {with("records", strings.Replace(good["records"], `"uptime_ms":1000`, `"uptime_ms":1001`, 1)), 400, "record 2 does not link"},
		"a changed newest record":  {with("records", records[0]+records[1]+records[2]+strings.Replace(records[3], `"uptime_ms":1000`, `"uptime_ms":1001`, 1)), 400, "the root of these records"},
		"a record of another name": {with("records", strings.Replace(good["records"], `"node":"test-node"`, `"node":"other"`, 1)), 400, "record 2 does not link"},
		"no cosignature of it":     {with("cosigned", "x"), 200, ""}, // signed by no key of the hub: it says nothing
		"a malformed rotation":     {with("rotation", "x"), 200, ""}, // the first key signed
		"all":                      {good, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			kind, body := encode(t, tt.parts)
			status, text := post(t, http.DefaultClient, r.server.URL, kind, bytes.NewReader(body))
			if status != tt.status || !strings.Contains(text, tt.want) {
				t.Errorf("%d %s, want %d %q", status, text, tt.status, tt.want)
			}
			if ids, err := hub.Journals(t.Context(), r.store); err != nil || len(ids) != map[bool]int{true: 1}[tt.status == 200] {
				t.Errorf("the store holds %q, %v", ids, err)
			}
		})
	}
	for name, tt := range map[string]struct {
		kind string
		body io.Reader
		want int
	}{
		"no form":        {"text/plain", strings.NewReader("x"), 400},
		"no boundary":    {"multipart/form-data", strings.NewReader("x"), 400},
		"cut short":      {"multipart/form-data; boundary=x", strings.NewReader("--x\r\nContent-Disposition: form-data; name=key\r\n\r\nk"), 400},
		"many parts":     {"multipart/form-data; boundary=x", strings.NewReader(strings.Repeat("--x\r\nContent-Disposition: form-data; name=rotation\r\n\r\nk\r\n", 1000) + "--x--\r\n"), 400},
		"large headers":  {"multipart/form-data; boundary=x", strings.NewReader("--x\r\nContent-Disposition: form-data; name=key\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\nk\r\n--x--\r\n"), 400},
		"no length":      {"multipart/form-data; boundary=x", io.MultiReader(strings.NewReader("--x--\r\n")), 411},
		"too large":      {"multipart/form-data; boundary=x", bytes.NewReader(make([]byte, 10<<20)), 413},
		"a large part":   {"multipart/form-data; boundary=x", strings.NewReader("--x\r\nContent-Disposition: form-data; name=key\r\n\r\n" + strings.Repeat("k", 100<<10) + "\r\n--x--\r\n"), 413},
		"too many lines": {"multipart/form-data; boundary=x", strings.NewReader("--x\r\nContent-Disposition: form-data; name=records\r\n\r\n" + strings.Repeat("\n", 8193) + "\r\n--x--\r\n"), 413},
		"nothing at all": {"multipart/form-data; boundary=x", strings.NewReader(""), 400},
	} {
		if status, text := post(t, http.DefaultClient, r.server.URL, tt.kind, tt.body); status != tt.want {
			t.Errorf("%s: %d %s, want %d", name, status, text, tt.want)
		}
	}
	for path, want := range map[string]int{
		"/edged/" + d.id() + "/checkpoint": 404, "/edged/x/checkpoint": 404, "/edged/..%2f..%2fetc/checkpoint": 404, "/x": 404,
		"/edged/" + d.id() + "/tile/0/000": 404, "/records/": 404, "/heads/" + d.id(): 404,
	} {
		resp, err := http.Get(r.server.URL + path)
		historytest.Check(t, err)
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
}

// A node that sends slowly, too much, or too many journals is refused, and others are not.
func TestLimits(t *testing.T) {
	r := newRig(t)
	r.limits = hub.Limits{Bytes: 8 * 64 << 10, Journals: 2, Upload: 200 * time.Millisecond}
	r.again()
	slow, w := io.Pipe()
	req, err := http.NewRequest(http.MethodPost, r.server.URL+"/add-records", slow)
	historytest.Check(t, err)
	req.ContentLength = 1000
	req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	go func() { _, _ = io.WriteString(w, "--x\r\n") }() // and then nothing
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("slow: %s", resp.Status)
		}
	}
	_ = w.Close()
	for i := range 3 {
		res := newDevice(t).ship(r)
		if i < 2 && res.Outcome != ship.Cosigned || i == 2 && !strings.Contains(res.Detail, "has begun 2 journals today") {
			t.Errorf("journal %d: %+v", i+1, res)
		}
	}
	kind, body := encode(t, map[string]string{"records": strings.Repeat("x", 600<<10)})
	if status, text := post(t, http.DefaultClient, r.server.URL, kind, bytes.NewReader(body)); status != http.StatusTooManyRequests || !strings.Contains(text, "bytes today") {
		t.Errorf("%d %s", status, text)
	}
}

// Many large requests at the same time do not need more memory than the bound says.
func TestMemoryIsBounded(t *testing.T) {
	r := newRig(t)
	large := strings.Repeat(strings.Repeat("x", 1023)+"\n", 8000)
	kind, body := encode(t, map[string]string{"records": large, "key": "k", "checkpoint": "c"})
	done := make(chan int, 64)
	for range cap(done) {
		go func() {
			resp, err := http.Post(r.server.URL+"/add-records", kind, bytes.NewReader(body))
			if err != nil {
				done <- 0
				return
			}
			_ = resp.Body.Close()
			done <- resp.StatusCode
		}()
	}
	var most uint64
	for range cap(done) {
		status := <-done
		if status != 400 && status != 429 && status != 503 {
			t.Errorf("status %d", status)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse)
	}
	t.Logf("%d MiB in use at most", most>>20)
	if most > 400<<20 { // the test holds bodies too
		t.Errorf("%d MiB", most>>20)
	}
}

// Tiles, checkpoint and records are those of edgectl, byte for byte.
func TestTiles(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	d.boots(700)
	d.must(r, ship.Cosigned)
	dir := t.TempDir()
	src, err := history.Open(d.Dir)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	signed := get(t, r, "/edged/"+d.id()+"/checkpoint")
	_, err = transparency.Tiles(t.Context(), src, dir, []byte(signed), nil)
	historytest.Check(t, err)
	files := 0
	historytest.Check(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		want, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		if got := get(t, r, "/edged/"+d.id()+"/"+filepath.ToSlash(name)); got != string(want) {
			t.Errorf("%s has %d bytes, want %d", name, len(got), len(want))
		}
		return err
	}))
	if files < 7 {
		t.Errorf("%d files", files)
	}
	var want strings.Builder
	for raw, err := range src.RawRecords(1, src.Tip().Seq) {
		historytest.Check(t, err)
		want.Write(raw.Raw)
		want.WriteByte('\n')
	}
	if get(t, r, "/edged/"+d.id()+"/records.jsonl") != want.String() {
		t.Error("records.jsonl holds other records")
	}
	if page := get(t, r, "/edged/"+d.id()+"/report"); !strings.Contains(page, "history of a node") || !strings.Contains(page, historytest.Node) {
		t.Errorf("the report: %.200s", page)
	}
}
