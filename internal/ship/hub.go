package ship

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/autonomyops/edged/internal/tlsfiles"
	"github.com/autonomyops/edged/internal/transparency"
)

const (
	// uploadTimeout bounds one request to a hub: 8 MiB over a slow line.
	uploadTimeout = 5 * time.Minute
	// maxBytes and maxRecords bound the records of one request. A longer backlog goes by
	// intermediate checkpoints.
	maxBytes   = 8 << 20
	maxRecords = 8192
	// maxRotations is the number of rotations that a hub reads in one request.
	maxRotations = 64
)

// Hub is a hub of a fleet (edgehub serve). It gets the records, and cosigns as a witness
// does.
type Hub struct {
	Witness `yaml:",inline"`
	// Certificate and PrivateKey are PEM files: the node's client certificate.
	Certificate string `yaml:"certificate"`
	PrivateKey  string `yaml:"private_key"`
	// CA is a PEM file with the authorities of the hub's certificate; "" means those of the
	// system.
	CA string `yaml:"ca"`
}

// check checks what can be checked without reading the files.
func (h *Hub) check() error {
	if err := h.Witness.check(); err != nil {
		return err
	}
	if (h.Certificate == "") != (h.PrivateKey == "") {
		return errors.New("certificate and private_key belong together")
	}
	return nil
}

// Node is what a node signs and ships with.
type Node struct {
	Key transparency.Signer
	// Rotations returns the signed notes of all rotations of the key, oldest first. It is
	// only called if the hub does not know the key.
	Rotations func() ([][]byte, error)
}

// client returns a client with the node's certificate.
func (h *Hub) client(transport *http.Transport) (*http.Client, error) {
	transport = transport.Clone()
	var err error
	transport.TLSClientConfig, err = tlsfiles.Client(h.CA, h.Certificate, h.PrivateKey)
	return &http.Client{Transport: transport, CheckRedirect: noRedirect}, err
}

// shipment is one run for a hub.
type shipment struct {
	*Hub
	client    *http.Client
	node      Node
	kept      *Kept
	tree      *transparency.Tree
	src       transparency.Source
	cosigned  []byte   // the newest checkpoint that the hub signed and that is kept
	rotations [][]byte // once the hub did not know the key
}

// shipToHub sends the records that the hub lacks. The error is that of kept, of the
// history, or of ctx.
func shipToHub(ctx context.Context, transport *http.Transport, h *Hub, kept *Kept, tree *transparency.Tree, node Node) (Result, error) {
	seen, err := kept.Seen(h.Witness)
	if err != nil {
		return Result{}, err
	}
	r := Result{URL: h.URL, Seen: seen}
	s := &shipment{Hub: h, node: node, kept: kept, tree: tree, src: tree.Source()}
	if s.client, err = h.client(transport); err != nil {
		return r, r.end(fmt.Errorf("%w: %w", ErrAway, err))
	}
	defer s.client.CloseIdleConnections()
	if s.cosigned, err = kept.read(seen.Size); err != nil {
		return r, err
	}
	// A node that contradicts itself is shown to the hub as well: its operator looks there.
	contradiction := agrees(kept, seen, tree)
	err = s.run(ctx, seen.Size, &r)
	switch {
	case ctx.Err() != nil:
		return r, ctx.Err()
	case contradiction != nil:
		err = contradiction
	}
	return r, r.end(err)
}

// run sends until the hub holds all records. old is the number that it is believed to
// hold.
func (s *shipment) run(ctx context.Context, old uint64, r *Result) error {
	tip, most := s.tree.Checkpoint().Size, uint64(0)
	for asked := 0; asked < maxAsked; asked++ {
		to, records, err := s.batch(old, tip)
		if err != nil {
			return err
		}
		c, signed, cosigned, err := s.send(ctx, old, to, old, records)
		var conflict conflictError
		switch {
		case err == nil:
			if r.Seen.Size < c.Size {
				if err := s.kept.add(c, signed, cosigned.Line); err != nil {
					return fmt.Errorf("%w: %w", errKeep, err)
				}
				r.Seen = Seen{s.Name(), c.Size, &cosigned.Time, c}
				if s.cosigned, err = s.kept.read(c.Size); err != nil {
					return fmt.Errorf("%w: %w", errKeep, err)
				}
			}
			if old = c.Size; old == tip {
				return nil
			}
			if c.Size > most { // it took a part, and not the same one again
				asked, most = -1, c.Size
			}
		case errors.As(err, &conflict) && conflict.size == old && old > tip:
			return fmt.Errorf("it holds %d records, %w", old, errMore)
		case errors.As(err, &conflict) && conflict.size == old:
			return fmt.Errorf("%w: it asks for the records after %d, and refuses them", ErrAway, old)
		case errors.As(err, &conflict):
			old = conflict.size
		case errors.Is(err, ErrRefused) && s.rotations == nil && s.node.Rotations != nil:
			var broken error
			if s.rotations, broken = s.node.Rotations(); broken != nil {
				return broken
			}
			if len(s.rotations) == 0 {
				return err
			}
			s.rotations = s.rotations[max(0, len(s.rotations)-maxRotations):]
		case errors.Is(err, ErrContradicts):
			s.sendAgain(ctx, min(old, tip))
			return err
		default:
			return err
		}
	}
	return fmt.Errorf("%w: it answered with %d different sizes", ErrAway, maxAsked)
}

// sendAgain sends the records that the node has, from the first on, under a checkpoint of the
// hub's size, so that the hub can name the first one that differs. The answer is the same
// refusal again.
func (s *shipment) sendAgain(ctx context.Context, size uint64) {
	if _, records, err := s.batch(0, size); err == nil && size > 0 {
		_, _, _, _ = s.send(ctx, 0, size, 0, records)
	}
}

// batch returns the records after old that go into one request, up to size, and the
// number of the last one: size if there are none.
func (s *shipment) batch(old, size uint64) (to uint64, records []byte, err error) {
	if to = old; to >= size {
		return size, nil, nil
	}
	for raw, err := range s.src.RawRecords(old+1, min(size, old+maxRecords)) {
		switch {
		case err != nil:
			return 0, nil, err
		case len(records)+len(raw.Raw)+1 > maxBytes:
			return to, records, nil
		}
		records = append(append(records, raw.Raw...), '\n')
		to = raw.Seq
	}
	return to, records, nil
}

// send sends one request: a checkpoint over size records, a proof from the first ones, and
// records after old.
func (s *shipment) send(ctx context.Context, old, size, from uint64, records []byte) (c transparency.Checkpoint, signed []byte, cosigned transparency.Cosignature, err error) {
	if c, err = s.tree.At(size); err != nil {
		return c, nil, cosigned, err
	}
	if signed, err = c.Sign(s.node.Key); err != nil {
		return c, nil, cosigned, err
	}
	var proof []transparency.HashText
	if from > 0 && from < size {
		if proof, err = s.tree.Proof(from, size); err != nil {
			return c, nil, cosigned, err
		}
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part := func(name string, data []byte) {
		if w, partErr := form.CreateFormField(name); partErr != nil {
			err = errors.Join(err, partErr)
		} else if _, partErr := w.Write(data); partErr != nil {
			err = errors.Join(err, partErr)
		}
	}
	part("checkpoint", addCheckpoint(old, proof, signed))
	part("key", []byte(s.node.Key.Verifier().String()))
	if len(s.cosigned) > 0 {
		part("cosigned", s.cosigned)
	}
	for _, note := range s.rotations {
		part("rotation", note)
	}
	part("records", records)
	if err = errors.Join(err, form.Close()); err != nil {
		return c, nil, cosigned, err
	}
	ctx, cancel := context.WithTimeout(ctx, uploadTimeout)
	defer cancel()
	cosigned, err = s.post(ctx, s.client, "/add-records", form.FormDataContentType(), bytes.NewReader(body.Bytes()), signed, ErrRefused)
	return c, signed, cosigned, err
}
