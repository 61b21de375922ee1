package pagetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/autonomyops/edged/internal/report/page"
)

// object is a JSON object: hub.Fleet, or a part of it. The test of package page
// compares the page's types with the hub's.
type object = map[string]any

// asked is the time of the hub's answers.
var asked = time.Date(2026, 11, 30, 9, 30, 0, 0, time.UTC)

// states of a node, the worst first.
var states = strings.Fields("rewritten cloned rolled_back wiped unsound continued salvaged failing stuck never_seen silent flagged behind alive")

var (
	places  = strings.Fields("depot harbour ward kiosk tram pump mast silo")
	systems = []string{"Debian GNU/Linux 12 (bookworm)", "Debian GNU/Linux 13 (trixie)", "Fedora Linux 43 (IoT Edition)", "Ubuntu 24.04.3 LTS", "openSUSE MicroOS"}
	kernels = []string{"6.1.0-41-amd64", "6.12.57+deb13-amd64", "6.17.8-300.fc43.x86_64", "6.8.0-88-generic", "6.17.9-1-default"}
)

func journalID(i int) string { return fmt.Sprintf("0196%04x-7a31-7c40-9e02-%012x", i%0xffff, i) }

func before(d time.Duration) string { return asked.Add(-d).Format(time.RFC3339) }

// note is a checkpoint as a node signs it.
func note(id string, size int, root string) string {
	return fmt.Sprintf("edged/%s\n%d\n%s\n\n\u2014 edged/%s Wm9kaWFj%sAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n", id, size, root, id, root[:20])
}

func conflict(kind, id string, size, shown int) object {
	held := "3q2+7wMSWkkNDtHvBKzpkPVTnJbS9JpCvpxXTzYIFOs="
	other := "tYx0Pj5K9Lr1z3dZl2wEwRkZb2l7rV0xkQm4v7b8Tn0="
	c := object{
		"kind": kind, "journal": id, "time": before(5 * time.Hour),
		"held":  object{"size": size, "root": held, "checkpoint": note(id, size, held)},
		"shown": object{"size": shown, "root": other, "checkpoint": note(id, shown, other)},
		"first": nil,
	}
	if kind == "rewritten" {
		c["first"] = object{"seq": 412, "held": strings.Repeat("a1b2c3d4", 8), "shown": strings.Repeat("9f8e7d6c", 8)}
	}
	return c
}

// node returns the i-th node, in a state.
func node(i int, state string) object {
	id := journalID(i)
	seen := time.Duration(i%50+3) * time.Minute
	boot := object{"time": before(seen + 2*time.Minute), "outcome": "passed", "exit": 0, "stage": "", "reason": "", "attempt": 0}
	n := object{
		"name": fmt.Sprintf("%s-%02d", places[i%len(places)], i), "state": state, "states": []string{state}, "reasons": []string{""},
		"journal": id, "records": 300 + i*7, "first": before(400 * 24 * time.Hour), "seen": before(seen), "epoch": i % 9,
		"system": systems[i%len(systems)], "kernel": kernels[i%len(kernels)], "boot": boot, "flags": []object{}, "others": []string{}, "conflicts": []object{},
	}
	reason := func(text string) { n["reasons"] = []string{text} }
	warn := []object{{"code": "runtime-drift", "severity": "warning", "meaning": "the running system differed from the installed one", "count": 2}}
	switch state {
	case "rewritten":
		reason("at 449 records its root differs from the hub's; record 412 is the first that differs")
		n["conflicts"] = []object{conflict("rewritten", id, 449, 449), conflict("rewritten", id, 440, 445)}
	case "cloned":
		reason("journals " + id + " and " + journalID(i+5000) + " both go on")
		n["others"] = []string{journalID(i + 5000)}
	case "rolled_back":
		reason("it showed 300 records; the hub holds 449")
		n["conflicts"] = []object{conflict("rolled_back", id, 449, 300)}
	case "wiped", "continued", "salvaged":
		reason("its journal began at " + before(30*time.Hour) + " after " + journalID(i+6000))
		n["others"] = []string{journalID(i + 6000), journalID(i + 7000)}
	case "unsound":
		reason("record 17 ends a run that no record began")
	case "failing":
		reason("its newest boot ended with exit 5")
		n["boot"] = object{"time": before(seen), "outcome": "failed", "exit": 5, "stage": "manifest", "reason": "no valid signature", "attempt": 3}
		n["states"], n["reasons"] = []string{"failing", "stuck"}, []string{"its newest boot ended with exit 5", "a reconstruction is open since attempt 1"}
	case "stuck":
		reason("a reconstruction is open")
		n["boot"] = object{"time": before(seen), "outcome": "unfinished", "exit": 0, "stage": "", "reason": "", "attempt": 2}
	case "never_seen":
		reason("the inventory names it")
		maps.Copy(n, object{"journal": "", "records": 0, "first": nil, "seen": nil, "epoch": 0, "system": "", "kernel": "", "boot": nil})
	case "silent":
		reason("it has not shipped for 9 days")
		n["seen"] = before(9 * 24 * time.Hour)
	case "flagged":
		reason("runtime-drift, twice")
		n["flags"] = append(warn, object{"code": "drill", "severity": "notice", "meaning": "an operator requested a reconstruction", "count": 1})
	case "behind":
		reason("it has not shipped since yesterday")
		n["seen"] = before(31 * time.Hour)
	}
	return n
}

// fleet returns an answer about nodes.
func fleet(nodes ...object) object {
	counts := object{}
	for _, s := range states {
		counts[s] = 0
	}
	records := 0
	for _, n := range nodes {
		s := n["state"].(string)
		count, _ := counts[s].(int)
		counts[s] = count + 1
		records += n["records"].(int)
	}
	return object{"hub": "hub-north", "time": asked.Format(time.RFC3339), "complete": true, "stopped": "", "counts": counts, "records": records, "nodes": nodes}
}

// five returns five nodes of every state.
func five() []object {
	var nodes []object
	for i := range 5 * len(states) {
		nodes = append(nodes, node(i, states[i%len(states)]))
	}
	return nodes
}

// many returns n nodes, most of them alive.
func many(n int) []object {
	var nodes []object
	for i := range n {
		state := "alive"
		if i%9 == 0 {
			state = states[i/9%len(states)]
		}
		nodes = append(nodes, node(i, state))
	}
	return nodes
}

// hub serves the page, and answers with a fleet.
type hub struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	asked  int
}

func newHub(t *testing.T, f object) *hub {
	t.Helper()
	html, policy, err := page.Fleet("hub-north")
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{}
	h.set(f)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /fleet/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		_, _ = w.Write(html) // the browser says what is missing
	})
	mux.HandleFunc("GET /fleet/fleet.json", func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.asked++
		answer := h.answer
		h.mu.Unlock()
		answer(w, r)
	})
	mux.HandleFunc("GET /fleet/edged/{id}/{file}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s of %s", r.PathValue("file"), r.PathValue("id"))
	})
	h.Server = httptest.NewServer(mux)
	t.Cleanup(h.CloseClientConnections)
	t.Cleanup(h.Close)
	return h
}

// set makes the hub answer with a fleet.
func (h *hub) set(f object) {
	body, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	h.with(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
}

func (h *hub) with(answer http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = answer
}

// count returns how often the hub was asked.
func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

// visit opens the hub's page, and waits until it shows nodes.
func (h *hub) visit(t *testing.T, hash string, v view) *tab {
	t.Helper()
	tb := blank(t, h.URL+"/fleet/", v)
	tb.run(chromedp.Navigate(h.URL + "/fleet/" + hash))
	tb.until(`document.querySelector(".vt-row[data-i], .empty:not([hidden])") !== null`)
	return tb
}
