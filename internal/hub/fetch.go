package hub

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/tlsfiles"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal/record"
)

// Remote is a journal at a hub: https://HUB/edged/ID, or in its store: STORE/heads/ID,
// STORE being a folder or s3://BUCKET/PREFIX.
type Remote struct {
	location, id string
	url          bool
}

// ParseRemote returns the journal at a hub that a path names; ok is false if it names
// something else.
func ParseRemote(location string) (r Remote, ok bool) {
	location = strings.TrimSuffix(location, "/")
	rest, id := path.Split(location)
	if !isJournalID(id) {
		return r, false
	}
	switch {
	case strings.HasPrefix(location, "https://"), strings.HasPrefix(location, "http://"):
		return Remote{location, id, true}, strings.HasSuffix(rest, "/edged/")
	case strings.HasSuffix(rest, "/"+headsDir), rest == headsDir:
		rest = strings.TrimSuffix(strings.TrimSuffix(rest, headsDir), "/")
		if rest == "" {
			rest = "."
		}
		return Remote{rest, id, false}, true
	}
	return r, false
}

// Reader is how a reader proves to a hub who it is. Empty members are not used.
type Reader struct {
	Token                       string // an operator's bearer token
	CA                          string // PEM file with the authorities of the hub's certificate
	Certificate, CertificateKey string // PEM files of a client certificate
}

// maxFetched is the largest journal that is copied from a hub, in bytes: about ten million
// records.
const maxFetched = 8 << 30

// ErrRefused: the hub does not let this reader read.
var ErrRefused = errors.New("the hub refuses")

// Fetch writes the records of the journal to w, one a line, and returns the checkpoint
// that the hub has signed over them. From a hub it accepts only records that make the
// checkpoint's root; it verifies no signature. Errors are [ErrUnknown], [ErrForgotten],
// [ErrRefused], and those of the network or the store.
func (r Remote) Fetch(ctx context.Context, w io.Writer, as Reader) (cosigned []byte, err error) {
	if r.url {
		return r.download(ctx, w, as)
	}
	s, err := bucket.OpenReader(ctx, r.location)
	if err != nil {
		return nil, err
	}
	j, err := OpenJournal(ctx, s, r.id)
	if err != nil {
		return nil, err
	}
	_, err = j.WriteTo(w)
	return []byte(j.head.Checkpoint), err
}

func (r Remote) download(ctx context.Context, w io.Writer, as Reader) ([]byte, error) {
	client, err := as.client()
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	var cosigned bytes.Buffer
	if err := r.get(ctx, client, as.Token, "/checkpoint", &cosigned, transparency.MaxCheckpoint); err != nil {
		return nil, err
	}
	c, err := transparency.Read(cosigned.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%s/checkpoint: %w", r.location, err)
	}
	if c.Journal != r.id {
		return nil, fmt.Errorf("%s/checkpoint is of journal %.80q", r.location, c.Journal)
	}
	out := &signedRecords{w: bufio.NewWriter(w), of: c}
	if err := r.get(ctx, client, as.Token, "/records.jsonl", out, 0); err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	if err := out.end(); err != nil {
		return nil, fmt.Errorf("%s/records.jsonl: %w", r.location, err)
	}
	return cosigned.Bytes(), nil
}

// get copies the answer to a request, at most limit bytes if that is not 0.
func (r Remote) get(ctx context.Context, client *http.Client, token, name string, w io.Writer, limit int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.location+name, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "edgectl")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		line, _, _ := strings.Cut(string(text), "\n")
		kind := ErrRefused
		switch resp.StatusCode {
		case http.StatusNotFound:
			kind = ErrUnknown
		case http.StatusGone:
			kind = ErrForgotten
		}
		return fmt.Errorf("%s%s: %w: status %d: %s", r.location, name, kind, resp.StatusCode, strings.TrimSpace(line))
	}
	body := io.Reader(resp.Body)
	if limit > 0 {
		body = io.LimitReader(body, limit)
	}
	_, err = io.Copy(w, body)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("cut short: %w", err)
	}
	if err != nil {
		return fmt.Errorf("%s%s: %w", r.location, name, err)
	}
	return nil
}

// client returns a client for the hub.
func (as Reader) client() (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = 30 * time.Second
	transport.DisableCompression = true // a few bytes could become many
	var err error
	transport.TLSClientConfig, err = tlsfiles.Client(as.CA, as.Certificate, as.CertificateKey)
	// A hub has one address. Another one must not get the reader's certificate.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, CheckRedirect: stay}, err
}

// signedRecords passes on the records that a checkpoint is over, one a line, and no more. A
// hub that lies can otherwise fill the disk of the reader, or show it another journal.
type signedRecords struct {
	w       *bufio.Writer
	of      transparency.Checkpoint
	edge    transparency.Edge
	partial []byte // a line that has only begun
	bytes   int64
}

// errEnough ends a download: all records of the checkpoint are there.
var errEnough = errors.New("all records are there")

func (s *signedRecords) Write(p []byte) (n int, err error) {
	for n < len(p) {
		part, _, ended := bytes.Cut(p[n:], []byte("\n"))
		if len(s.partial)+len(part) > record.MaxLen {
			return n, fmt.Errorf("record %d is too long", s.edge.Count+1)
		}
		s.partial = append(s.partial, part...)
		n += len(part)
		if !ended {
			return n, nil
		}
		n++
		if err := s.add(s.partial); err != nil {
			return n, err
		}
		s.partial = s.partial[:0]
	}
	return n, nil
}

func (s *signedRecords) add(line []byte) error {
	if s.edge.Count == 0 {
		// The chain binds the others to it.
		rec, err := record.Decode(line)
		if err == nil && rec.Journal != s.of.Journal {
			err = fmt.Errorf("it is of journal %.80q", rec.Journal)
		}
		if err != nil {
			return fmt.Errorf("record 1: %w", err)
		}
	}
	if s.bytes += int64(len(line)) + 1; s.bytes > maxFetched {
		return fmt.Errorf("it has more than %d bytes: read the hub's store itself, STORE/heads/%s", int64(maxFetched), s.of.Journal)
	}
	s.edge.Push(tlog.RecordHash(line))
	if _, err := s.w.Write(append(line, '\n')); err != nil {
		return err
	}
	if s.edge.Count == s.of.Size {
		return errEnough
	}
	return nil
}

// end returns nil if these were the records of the checkpoint.
func (s *signedRecords) end() error {
	switch {
	case s.edge.Count < s.of.Size:
		return fmt.Errorf("it holds %d records, but the hub has signed %d", s.edge.Count, s.of.Size)
	case s.edge.Root() != s.of.Root:
		return fmt.Errorf("its first %d records are not those that the hub has signed", s.of.Size)
	}
	return s.w.Flush()
}
