package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/tlsfiles"
	"github.com/autonomyops/edged/internal/transparency"
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

// ErrRefused: the hub does not let this reader read.
var ErrRefused = errors.New("the hub refuses")

// Fetch writes the records of the journal to w, one a line, and returns the checkpoint
// that the hub has signed over them. Errors are [ErrUnknown], [ErrForgotten],
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
	out := &lineCounter{w: w}
	if err := r.get(ctx, client, as.Token, "/records.jsonl", out, 0); err != nil {
		return nil, err
	}
	if out.lines < c.Size {
		return nil, fmt.Errorf("%s/records.jsonl holds %d records, but the hub has signed %d", r.location, out.lines, c.Size)
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
	if _, err := io.Copy(w, body); err != nil {
		return fmt.Errorf("%s%s: cut short: %w", r.location, name, err)
	}
	return nil
}

// client returns a client for the hub.
func (as Reader) client() (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = 30 * time.Second
	var err error
	transport.TLSClientConfig, err = tlsfiles.Client(as.CA, as.Certificate, as.CertificateKey)
	return &http.Client{Transport: transport}, err
}

type lineCounter struct {
	w     io.Writer
	lines uint64
}

func (c *lineCounter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.lines += uint64(bytes.Count(p[:n], []byte("\n"))) //nolint:gosec // not negative
	return n, err
}
