package hub_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/hub"
)

// A node cannot make another one look rewritten: a witness may have shown it the other
// node's newest checkpoint, and a proof that is wrong proves nothing.
func TestNodeCannotAccuseAnother(t *testing.T) {
	nodes, operators := newAuthority(t), newAuthority(t)
	r, d := secure(t, nodes, operators), newDevice(t)
	soon := time.Now().Add(time.Hour)
	own := nodes.issue(soon, x509.ExtKeyUsageClientAuth, hub.Scheme+historytest.Node)
	other := nodes.issue(soon, x509.ExtKeyUsageClientAuth, hub.Scheme+"other")
	kind, body := encode(t, form(t, d.boots(4), 0))
	if status, text := post(t, r.client(own), r.server.URL, kind, bytes.NewReader(body)); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	parts := form(t, d.boots(2), 5)
	proof, signed, _ := strings.Cut(parts["checkpoint"], "\n\n")
	rows := strings.Split(proof, "\n")
	rows[1] = strings.Repeat("A", 43) + "="
	parts["checkpoint"] = strings.Join(rows, "\n") + "\n\n" + signed
	parts["records"] = ""
	kind, body = encode(t, parts)
	if status, text := post(t, r.client(other), r.server.URL, kind, bytes.NewReader(body)); status != http.StatusForbidden {
		t.Errorf("%d %s", status, text)
	}
	if n := r.is(historytest.Node, hub.Alive); len(n.Conflicts) > 0 {
		t.Errorf("%+v", n.Conflicts)
	}
	kind, body = encode(t, form(t, d, 5))
	if status, text := post(t, r.client(own), r.server.URL, kind, bytes.NewReader(body)); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
}

// A stranger who announces a body and does not send it is disconnected: otherwise a few of
// them would take all connections.
func TestBodyThatNeverArrives(t *testing.T) {
	nodes, operators := newAuthority(t), newAuthority(t)
	r := newRig(t)
	r.limits.Upload = 200 * time.Millisecond
	r.secure(nodes, operators)
	for _, request := range []string{"POST /add-records", "POST /x", "GET /key", "GET /fleet.json", "OPTIONS *", "TRACE /", "POST //add-records"} {
		c, err := tls.Dial("tcp", strings.TrimPrefix(r.server.URL, "https://"), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // its own hub
		historytest.Check(t, err)
		defer c.Close() //nolint:errcheck // a test
		_, err = io.WriteString(c, request+" HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
		historytest.Check(t, err)
		historytest.Check(t, c.SetReadDeadline(time.Now().Add(5*time.Second)))
		if answer, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection stays open after %q", request, answer)
		}
	}
}
