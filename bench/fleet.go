package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal/record"
)

const (
	// perNode is the number of records of a node that ships for the first time.
	perNode = 449
	// perBoot is the number of records that a node ships after a boot.
	perBoot = 4
	// verifiedNodes is the number of nodes whose records are verified.
	verifiedNodes = 2000
	shippers      = 16
)

// fleet measures a hub over a folder.
func (b *bench) fleet() ([]row, error) {
	n, err := b.bootedNode("fleet-node", 3)
	if err != nil {
		return nil, err
	}
	entry, err := newestEntry(n.dir)
	if err != nil {
		return nil, err
	}
	if err := extend(n.dir, perNode+perBoot, pace{fold: true}, entry); err != nil {
		return nil, err
	}
	template, err := entries(n.dir)
	if err != nil {
		return nil, err
	}
	rows, err := b.verified(template)
	if err != nil {
		return rows, err
	}
	more, err := b.shipped(template)
	return append(rows, more...), err
}

// entries returns the records of a state root as entries.
func entries(dir string) (all []record.Entry, err error) {
	src, err := history.Open(dir)
	if err != nil {
		return nil, err
	}
	defer src.Close() //nolint:errcheck // read-only
	for rec, err := range src.Records(1, src.Tip().Seq) {
		if err != nil {
			return nil, err
		}
		all = append(all, record.Entry{ID: uuid.MustParse(rec.ID), Type: rec.Type, Crit: rec.Crit, Time: rec.Time, BootID: rec.BootID,
			UptimeMS: rec.UptimeMS, Run: rec.Run, Epoch: rec.Epoch, Data: bytes.Clone(rec.Data)})
	}
	return all, nil
}

// simulated is a node of a fleet that exists only in memory.
type simulated struct {
	id, name string
	key      transparency.Signer
	lines    [][]byte
}

// simulate returns a node with the template's records.
func simulate(key transparency.Signer, template []record.Entry, number int) (*simulated, error) {
	s := &simulated{id: uuid.NewString(), name: fmt.Sprintf("node-%05d", number), key: key}
	var prev record.Hash
	for i, e := range template {
		e.Node = s.name
		raw, err := record.Encode(s.id, uint64(i+1), prev, e)
		if err != nil {
			return nil, err
		}
		prev = record.HashOf(raw)
		s.lines = append(s.lines, raw)
	}
	return s, nil
}

// shipment returns the records from old to size, as the node ships them.
func (s *simulated) shipment(old, size int) (*hub.Shipment, error) {
	var edge transparency.Edge
	for _, line := range s.lines[:size] {
		edge.Push(tlog.RecordHash(line))
	}
	out := &hub.Shipment{Old: uint64(old), Checkpoint: transparency.Checkpoint{Journal: s.id, Size: uint64(size), Root: edge.Root()}, Key: s.key.Verifier().String(), Records: append(bytes.Join(s.lines[old:size], []byte("\n")), '\n')}
	var err error
	if out.Signed, err = out.Checkpoint.Sign(s.key); err != nil || old == 0 {
		return out, err
	}
	out.Proof, err = tlog.ProveTree(int64(size), int64(old), hashes(s.lines[:size]))
	return out, err
}

// hashes is a tlog.HashReader over few records.
type hashes [][]byte

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		var edge transparency.Edge
		for _, line := range h[n<<level : (n+1)<<level] {
			edge.Push(tlog.RecordHash(line))
		}
		out[i] = edge.Root()
	}
	return out, nil
}

// form returns a shipment as a request.
func form(s *hub.Shipment) (kind string, body []byte, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part := func(name string, data []byte) {
		p, partErr := w.CreateFormField(name)
		if partErr == nil {
			_, partErr = p.Write(data)
		}
		err = errors.Join(err, partErr)
	}
	head := fmt.Sprintf("old %d\n", s.Old)
	for _, h := range s.Proof {
		head += h.String() + "\n"
	}
	part("checkpoint", append([]byte(head+"\n"), s.Signed...))
	part("key", []byte(s.Key))
	part("records", s.Records)
	err = errors.Join(err, w.Close())
	return w.FormDataContentType(), b.Bytes(), err
}

// inParallel calls do for each number below n, by several goroutines.
func inParallel(n int, do func(i int) error) (time.Duration, error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	began := time.Now()
	for range shippers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began), failed
}

// verified measures how many records a hub verifies and makes durable, in this process: no
// client takes time from it.
func (b *bench) verified(template []record.Entry) ([]row, error) {
	store, err := bucket.OpenFolder(filepath.Join(b.dir, "verified"))
	if err != nil {
		return nil, err
	}
	key, _, err := hub.GenerateKey("bench.test")
	if err != nil {
		return nil, err
	}
	h, err := hub.New(context.Background(), store, key, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	node, err := transparency.GenerateSigner("node")
	if err != nil {
		return nil, err
	}
	nodes := max(verifiedNodes*b.records/1_000_000, 100)
	shipments := make([]*hub.Shipment, nodes)
	if _, err := inParallel(nodes, func(i int) error {
		s, err := simulate(node, template[:perNode], i)
		if err == nil {
			shipments[i], err = s.shipment(0, perNode)
		}
		return err
	}); err != nil {
		return nil, err
	}
	took, err := inParallel(nodes, func(i int) error {
		_, err := h.Accept(context.Background(), "", shipments[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	rate := float64(nodes*perNode) / took.Seconds()
	rows := []row{measured("hub: records verified and durable in a folder", atLeast(200_000, "records/s"), rate,
		fmt.Sprintf("%d journals × %d records, %d at a time, in %.1f s", nodes, perNode, shippers, took.Seconds()))}
	began := time.Now()
	if _, err := hub.ReadFleet(context.Background(), store, hub.DefaultPolicy()); err != nil {
		return rows, err
	}
	rate = float64(nodes*perNode) / time.Since(began).Seconds()
	return append(rows, measured("hub: records folded by edgehub status", limit{}, rate, "no view was there yet")), nil
}

// shipped measures the hub as a process, to which nodes ship.
func (b *bench) shipped(template []record.Entry) (rows []row, err error) {
	p, err := b.startHub()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	key, err := transparency.GenerateSigner("node")
	if err != nil {
		return nil, err
	}
	nodes := max(10_000*b.records/1_000_000, 200)
	const before = 45 // records of a node that has shipped before
	fleet := make([]*simulated, nodes)
	send := func(i, old, size int) error {
		s, err := fleet[i].shipment(old, size)
		if err != nil {
			return err
		}
		return p.ship(s)
	}
	if _, err := inParallel(nodes, func(i int) (err error) {
		if fleet[i], err = simulate(key, template[:before+perBoot], i); err != nil {
			return err
		}
		return send(i, 0, before)
	}); err != nil {
		return nil, err
	}
	took, err := inParallel(nodes, func(i int) error { return send(i, before, before+perBoot) })
	if err != nil {
		return nil, err
	}
	rows = append(rows, measured(fmt.Sprintf("hub: %d nodes ship one boot each", nodes), atMost(60, "s"), took.Seconds(),
		fmt.Sprintf("over HTTP, %d at a time, clients on the same cores; %.0f shipments/s", shippers, float64(nodes)/took.Seconds())))
	var most time.Duration
	for i := 0; i < nodes; i += nodes / 100 {
		began := time.Now()
		if err := p.get("/edged/" + fleet[i].id + "/records.jsonl"); err != nil {
			return rows, err
		}
		most = max(most, time.Since(began))
	}
	rows = append(rows, measured("hub: a node's history is read", atMost(50, "ms"), float64(most.Microseconds())/1000, "the slowest of 100"))
	began := time.Now()
	if err := p.get("/fleet.json"); err != nil {
		return rows, err
	}
	rows = append(rows, measured(fmt.Sprintf("hub: the states of %d nodes", nodes), limit{}, time.Since(began).Seconds()*1000, "ms; fleet.json"))
	peak, err := p.peak()
	if err != nil {
		return rows, err
	}
	rows = append(rows, measured("hub: resident memory at most", atMost(256, "MiB"), peak, "VmHWM"))
	if err := p.stop(); err != nil {
		return rows, err
	}
	began = time.Now()
	if p, err = b.startHub(); err != nil {
		return rows, err
	}
	return append(rows, measured("hub: it starts", atMost(1, "s"), time.Since(began).Seconds(), fmt.Sprintf("with %d journals in the store, up to its first answer", nodes))), nil
}

// hubProcess is a hub that runs.
type hubProcess struct {
	cmd     *exec.Cmd
	address string
	client  *http.Client
}

// startHub starts a hub over a folder and waits for its first answer.
func (b *bench) startHub() (*hubProcess, error) {
	edgehub := filepath.Join(filepath.Dir(b.edgectl), "edgehub")
	keyFile := filepath.Join(b.dir, "hub.key")
	if _, err := os.Stat(keyFile); err != nil {
		if out, err := exec.Command(edgehub, "key", "bench.test", "--out", keyFile).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("edgehub key: %w: %s", err, out)
		}
	}
	p := &hubProcess{cmd: exec.Command(edgehub, "serve", "--store", filepath.Join(b.dir, "served"), "--key", keyFile, "--open-enrolment", "--listen", "127.0.0.1:0",
		"--limit-bytes", strconv.Itoa(1<<50), "--limit-journals", strconv.Itoa(1<<30)),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: shippers}}}
	log, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	served := regexp.MustCompile(`address=(\S+)/ `)
	text := make([]byte, 4096)
	for n := 0; n < len(text); {
		more, err := log.Read(text[n:])
		if n += more; err != nil {
			return nil, errors.Join(fmt.Errorf("edgehub serve: %s", text[:n]), p.stop())
		}
		if m := served.FindSubmatch(text[:n]); m != nil {
			p.address = string(m[1])
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, log) }()
	return p, p.get("/key")
}

func (p *hubProcess) stop() error {
	if p.cmd.ProcessState != nil {
		return nil
	}
	err := p.cmd.Process.Signal(os.Interrupt)
	_ = p.cmd.Wait()
	return err
}

func (p *hubProcess) ship(s *hub.Shipment) error {
	kind, body, err := form(s)
	if err != nil {
		return err
	}
	resp, err := p.client.Post(p.address+"/add-records", kind, bytes.NewReader(body))
	return answered(resp, err)
}

func (p *hubProcess) get(path string) error {
	resp, err := p.client.Get(p.address + path)
	return answered(resp, err)
}

func answered(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		return fmt.Errorf("%s: %s", resp.Status, text)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// peak returns the largest resident memory so far, in MiB.
func (p *hubProcess) peak() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	kib, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	return kib / 1024, err
}
