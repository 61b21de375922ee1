package hub

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/semaphore"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/report"
	"github.com/autonomyops/edged/internal/report/page"
	"github.com/autonomyops/edged/internal/transparency"
)

const (
	headerTime  = 10 * time.Second // to send the headers of a request
	answerTime  = 5 * time.Minute  // to take the answer
	idleTime    = 30 * time.Second // between two requests
	maxHeaders  = 16 << 10         // bytes
	maxConns    = 1024             // connections
	bodyMemory  = 6 * (MaxShipmentBytes + maxOther)
	reportsOnce = 2 // reports that are made at the same time
)

// Server answers nodes, operators and auditors over HTTP.
//
//	POST /add-records                    a shipment: see ReadShipment and package ship
//	GET  /                               the fleet, as a page
//	GET  /fleet.json                     the same: Fleet
//	GET  /metrics                        for Prometheus
//	GET  /key                            the hub's public key
//	GET  /edged/<journal id>/checkpoint  and tile/...: the journal by c2sp.org/tlog-tiles
//	GET  /edged/<journal id>/records.jsonl   as journal export writes it
//	GET  /edged/<journal id>/head.json   what the hub holds
//	GET  /edged/<journal id>/report      as edgectl report writes it
type Server struct {
	Hub    *Hub
	Access *Access
	Policy Policy
	Limits Limits

	quota   *quota
	memory  *semaphore.Weighted
	reports *semaphore.Weighted
	counts  requestCounts
}

// Serve answers on a listener until ctx is done: over TLS, unless config is nil.
func (s *Server) Serve(ctx context.Context, l net.Listener, config *tls.Config) error {
	server := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeaders,
		ErrorLog: slog.NewLogLogger(s.Hub.log.Handler(), slog.LevelDebug), BaseContext: func(net.Listener) context.Context { return ctx },
		DisableGeneralOptionsHandler: true, // OPTIONS *
	}
	stop := context.AfterFunc(ctx, func() {
		// Requests that have begun are answered.
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(wait)
		_ = server.Close()
	})
	defer stop()
	l = bounded(l)
	if config != nil {
		l = tls.NewListener(l, config)
	}
	err := server.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Handler returns the handler of all requests.
func (s *Server) Handler() http.Handler {
	s.quota, s.memory, s.reports = newQuota(s.Limits), semaphore.NewWeighted(bodyMemory), semaphore.NewWeighted(reportsOnce)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-records", s.addRecords)
	mux.HandleFunc("GET /{$}", s.all(s.page))
	mux.HandleFunc("GET /fleet.json", s.all(s.fleet))
	mux.HandleFunc("GET /metrics", s.all(s.metrics))
	mux.HandleFunc("GET /key", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s.Hub.key.Public()+"\n") })
	mux.HandleFunc("GET /edged/{id}/checkpoint", s.one(s.checkpoint))
	mux.HandleFunc("GET /edged/{id}/tile/{tile...}", s.one(s.tile))
	mux.HandleFunc("GET /edged/{id}/records.jsonl", s.one(s.records))
	mux.HandleFunc("GET /edged/{id}/head.json", s.one(s.head))
	mux.HandleFunc("GET /edged/{id}/report", s.one(s.report))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		rc := http.NewResponseController(w)
		_ = rc.SetWriteDeadline(time.Now().Add(answerTime))
		// The server reads what is left of a body, and without a deadline it waits forever for
		// one that does not come. A request without a body ends when its deadline does.
		read := answerTime
		if r.ContentLength != 0 {
			read = min(headerTime, s.Limits.Upload)
		}
		_ = rc.SetReadDeadline(time.Now().Add(read))
		mux.ServeHTTP(w, r)
	})
}

// answer writes the answer to a request that failed. What only concerns the hub is logged,
// and not shown.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		if refusal.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="edgehub: any name, and an operator's token as the password", charset="UTF-8"`)
		}
		if refusal.Status == http.StatusConflict {
			w.Header().Set("Content-Type", "text/x.tlog.size")
			w.WriteHeader(refusal.Status)
			_, _ = fmt.Fprintf(w, "%d\n", refusal.Size)
			return
		}
		http.Error(w, refusal.Text, refusal.Status)
	case errors.Is(err, ErrUnknown):
		http.Error(w, "the hub holds no such journal", http.StatusNotFound)
	case errors.Is(err, ErrForgotten):
		http.Error(w, err.Error(), http.StatusGone)
	case errors.Is(err, errs.ErrNewer):
		http.Error(w, "a record of this journal names a newer version, which this hub cannot show: update the hub, or look at the node's state on the page", http.StatusNotImplemented)
	case r.Context().Err() != nil:
		http.Error(w, "the request was given up", http.StatusServiceUnavailable)
	default:
		s.Hub.log.Error("a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		http.Error(w, "the hub's store failed, see the hub's log; try again later", http.StatusServiceUnavailable)
	}
}

// all wraps a handler of what is about all nodes.
func (s *Server) all(handle func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := s.Access.mayRead(r, s.Hub.now(), "")
		if err == nil {
			err = handle(w, r)
		}
		if err != nil {
			s.answer(w, r, err)
		}
	}
}

// one wraps a handler of what is about one journal.
func (s *Server) one(handle func(http.ResponseWriter, *http.Request, *Journal) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// A stranger must not learn which journals there are.
		id, err := s.Access.identify(r, s.Hub.now())
		if err == nil && id.node == "" && !id.operator {
			err = s.Access.mayRead(r, s.Hub.now(), "")
		}
		var j *Journal
		if err == nil {
			j, err = OpenJournal(r.Context(), s.Hub.store, r.PathValue("id"))
		}
		if err == nil {
			err = s.Access.mayRead(r, s.Hub.now(), j.head.Node)
		}
		if err == nil {
			err = handle(w, r, j)
		}
		if err != nil {
			s.answer(w, r, err)
		}
	}
}

func (s *Server) addRecords(w http.ResponseWriter, r *http.Request) {
	c, err := s.receive(w, r)
	s.counts.add(err)
	if refusal := (*Refusal)(nil); errors.As(err, &refusal) && refusal.Status != http.StatusConflict {
		s.Hub.log.Info("a shipment was refused", "status", refusal.Status, "reason", refusal.Text, "from", r.RemoteAddr)
	}
	if err != nil {
		s.answer(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, c.Line)
}

// receive reads a shipment and lets the hub accept it.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) (c transparency.Cosignature, err error) {
	node, err := s.Access.mayWrite(r, s.Hub.now())
	if err != nil {
		return c, err
	}
	const limit = MaxShipmentBytes + maxOther
	switch {
	case r.ContentLength < 0:
		return c, refuse(http.StatusLengthRequired, "the request does not say its length")
	case r.ContentLength > limit:
		return c, refuse(http.StatusRequestEntityTooLarge, "the request has %d bytes, and at most %d are possible", r.ContentLength, limit)
	}
	who := node
	if who == "" {
		who, _, _ = net.SplitHostPort(r.RemoteAddr)
	}
	done, err := s.quota.begin(who, node != "", r.ContentLength, s.Hub.now())
	if err != nil {
		return c, err
	}
	defer done()
	// A shipment is held in memory until it is durable.
	wait, cancel := context.WithTimeout(r.Context(), headerTime)
	defer cancel()
	if s.memory.Acquire(wait, r.ContentLength) != nil {
		return c, refuse(http.StatusServiceUnavailable, "too many shipments at the same time: try again later")
	}
	defer s.memory.Release(r.ContentLength)
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.Limits.Upload))
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	parts, err := r.MultipartReader()
	if err != nil {
		return c, malformed("%v", err)
	}
	shipment, err := ReadShipment(parts)
	if err != nil {
		return c, err
	}
	begins := shipment.Old == 0 && s.Hub.index.size(shipment.Checkpoint.Journal) == 0
	if begins {
		if err := s.quota.mayBegin(who); err != nil {
			return c, err
		}
	}
	c, err = s.Hub.Accept(r.Context(), node, shipment)
	if refusal := (*Refusal)(nil); begins && !errors.As(err, &refusal) {
		s.quota.began(who) // after an error of the store it may have been kept
	}
	return c, err
}

func (s *Server) page(w http.ResponseWriter, _ *http.Request) error {
	html, policy, err := page.Fleet(s.Hub.key.Name())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	_, _ = w.Write(html)
	return nil
}

func (s *Server) fleet(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	var out io.Writer = w
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(w)
		defer packed.Close() //nolint:errcheck // who asked is gone
		out = packed
	}
	_ = json.MarshalWrite(out, s.Hub.Fleet(s.Policy), json.Deterministic(true))
	return nil
}

func (s *Server) checkpoint(w http.ResponseWriter, _ *http.Request, j *Journal) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, j.head.Checkpoint)
	return nil
}

func (s *Server) tile(w http.ResponseWriter, r *http.Request, j *Journal) error {
	t, err := parseTile(r.PathValue("tile"))
	if err != nil {
		return refuse(http.StatusNotFound, "no tile has this name")
	}
	data, err := transparency.Tile(j, t)
	switch {
	case errors.Is(err, transparency.ErrSize):
		return refuse(http.StatusNotFound, "%v", err)
	case err != nil:
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(data)
	return nil
}

// parseTile reads the name of a tile of height 8, without "tile/" before it.
func parseTile(name string) (tlog.Tile, error) {
	path := "tile/8/" + name
	if rest, ok := strings.CutPrefix(name, "entries/"); ok {
		path = "tile/8/data/" + rest
	}
	t, err := tlog.ParseTilePath(path)
	if err == nil && transparency.TilePath(t) != "tile/"+name {
		err = errors.New("not in canonical form")
	}
	return t, err
}

func (s *Server) records(w http.ResponseWriter, _ *http.Request, j *Journal) error {
	w.Header().Set("Content-Type", "application/jsonl")
	return s.whole(w, j, func(w io.Writer) error { _, err := j.WriteTo(w); return err })
}

// whole calls write, and ends the connection if that fails after a part was written: the
// reader must see that the answer is cut short.
func (s *Server) whole(w io.Writer, j *Journal, write func(io.Writer) error) error {
	counted := &counter{w: w}
	err := write(counted)
	if err != nil && counted.n > 0 {
		s.Hub.log.Error("an answer was cut short", "journal", j.ID(), "error", err)
		panic(http.ErrAbortHandler)
	}
	return err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (s *Server) head(w http.ResponseWriter, _ *http.Request, j *Journal) error {
	w.Header().Set("Content-Type", "application/json")
	_ = json.MarshalWrite(w, j.head, json.Deterministic(true), jsontext.WithIndent("  "))
	return nil
}

func (s *Server) report(w http.ResponseWriter, r *http.Request, j *Journal) error {
	if err := s.reports.Acquire(r.Context(), 1); err != nil {
		return err
	}
	defer s.reports.Release(1)
	return Opened(j, func(src *history.Source) error {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Del("Content-Security-Policy") // the page has its own
		return s.whole(w, j, func(w io.Writer) error { return report.Write(r.Context(), w, src, audit.VerifyOptions{}) })
	})
}

// Opened writes the records of a journal to a temporary file, and calls use with the
// history in it.
func Opened(j *Journal, use func(*history.Source) error) (err error) {
	f, err := os.CreateTemp("", "edgehub-*.jsonl")
	if err != nil {
		return errs.Of("write the records of a journal", "", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := j.WriteTo(f); err != nil {
		return err
	}
	src, err := history.Open(f.Name())
	if err != nil {
		return err
	}
	defer src.Close() //nolint:errcheck // read-only
	return use(src)
}

// bounded returns a listener with at most maxConns connections at a time.
func bounded(l net.Listener) net.Listener { return &boundedListener{l, make(chan struct{}, maxConns)} }

type boundedListener struct {
	net.Listener
	slots chan struct{}
}

func (b *boundedListener) Accept() (net.Conn, error) {
	b.slots <- struct{}{}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.slots
		return nil, err
	}
	return &boundedConn{Conn: c, free: b.slots}, nil
}

type boundedConn struct {
	net.Conn
	free chan struct{}
	once sync.Once
}

func (c *boundedConn) Close() error {
	c.once.Do(func() { <-c.free })
	return c.Conn.Close()
}
