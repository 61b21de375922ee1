package hub

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// requestCounts counts shipments by the status of their answer.
type requestCounts struct {
	mu sync.Mutex
	by map[int]uint64
}

func (c *requestCounts) add(err error) {
	status := http.StatusOK
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		status = refusal.Status
	case err != nil:
		status = http.StatusServiceUnavailable
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[int]uint64{}
	}
	c.by[status]++
}

// maxNamed is the number of nodes that the metrics name.
const maxNamed = 1000

// metrics writes the text exposition format, version 0.0.4:
// https://prometheus.io/docs/instrumenting/exposition_formats/
func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) error {
	f := s.Hub.Fleet(s.Policy)
	var b strings.Builder
	about := func(name, kind, help string) { fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind) }
	gauge := func(name, help string, value any) {
		about(name, "gauge", help)
		fmt.Fprintf(&b, "%s %v\n", name, value)
	}
	about("edgehub_nodes", "gauge", "Nodes by their worst state.")
	for _, state := range States() {
		fmt.Fprintf(&b, "edgehub_nodes{state=%q} %d\n", state, f.Counts[state])
	}
	about("edgehub_node_state", "gauge", "1 for each alerting state of a node; the worst 1,000 nodes.")
	named := 0
	for _, n := range f.Worst() {
		alerting := false
		for _, state := range n.States {
			if state.Alert() && named < maxNamed {
				fmt.Fprintf(&b, "edgehub_node_state{node=%q,state=%q} 1\n", label(n.Name), state)
				alerting = true
			}
		}
		if alerting {
			named++
		}
	}
	gauge("edgehub_records", "Records that the hub holds.", f.Records)
	gauge("edgehub_complete", "1 once the whole store was read after a start.", bit(f.Complete))
	gauge("edgehub_stopped", "1 if the hub signs nothing, because its store was put back.", bit(f.Stopped != ""))
	gauge("edgehub_views_waiting", "Journals whose newest records are not folded yet.", s.Hub.views.waiting())
	about("edgehub_shipments_total", "counter", "Requests of add-records by the status of the answer.")
	s.counts.mu.Lock()
	for _, status := range []int{200, 400, 403, 409, 410, 411, 413, 422, 429, 503} {
		fmt.Fprintf(&b, "edgehub_shipments_total{status=\"%d\"} %d\n", status, s.counts.by[status])
	}
	s.counts.mu.Unlock()
	newest := 0.0
	for _, n := range f.Nodes {
		if n.Seen != nil {
			newest = max(newest, float64(n.Seen.Unix()))
		}
	}
	gauge("edgehub_newest_shipment_timestamp_seconds", "When a node was last seen.", newest)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = io.WriteString(w, b.String())
	return nil
}

// label returns a text as the value of a label: the format has three escapes only, and
// names are printable (display.Clean).
func label(text string) string { return strings.ToValidUTF8(text, "?") }

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
