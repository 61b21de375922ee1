package ship

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/transparency"
)

// A hub that takes a part of a long backlog and then claims to have forgotten it, again and
// again, is given up.
func TestShipForgetfulHub(t *testing.T) {
	n, w := newNode(t), newWitness(t, "hub.test")
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if requests++; requests > 100 {
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		head, signed, _ := strings.Cut(req.FormValue("checkpoint"), "\n\n")
		text, _, _ := strings.Cut(signed, "\n\n")
		if head != "old 0" && !strings.HasPrefix(head, "old 0\n") {
			rw.Header().Set("Content-Type", "text/x.tlog.size")
			rw.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(rw, "0\n")
			return
		}
		_, _ = rw.Write(w.sign(text + "\n"))
	}))
	defer server.Close()
	c := &Config{Checkpoints: n.kept, Hub: &Hub{Witness: Witness{URL: server.URL, Key: w.key.Verifier().String()}}}
	if err := c.Hub.check(); err != nil {
		t.Fatal(err)
	}
	tree, err := transparency.Build(t.Context(), historyOf(maxRecords+10, ""), maxRecords+10, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, r, err := Ship(t.Context(), c, tree, Node{Key: n.key}); err != nil || r.Outcome != Away || requests > 10 {
		t.Errorf("%d requests: %+v, %v", requests, r, err)
	}
}
