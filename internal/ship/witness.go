package ship

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/autonomyops/edged/internal/transparency"
)

const (
	// requestTimeout bounds one request to a witness, its answer included. A hub gets records,
	// and has more: uploadTimeout.
	requestTimeout = 30 * time.Second
	// maxAnswer is the largest answer that is read, in bytes.
	maxAnswer = 64 << 10
)

var (
	// ErrAway: the witness did not answer, or its answer makes no sense. Nothing is
	// known about what it remembers.
	ErrAway = errors.New("no usable answer")
	// ErrStranger: the witness does not know this journal or its key.
	ErrStranger = errors.New("it does not know this journal or its key: give its operator the origin and the public key")
	// ErrRefused: the hub does not accept the node's certificate, name or key; it says which.
	ErrRefused = errors.New("it refuses this node")
	// ErrContradicts: the witness remembers another history.
	ErrContradicts = errors.New("it remembers another history of this journal")
)

// conflictError is the answer of a witness that knows another size.
type conflictError struct{ size uint64 }

func (e conflictError) Error() string { return fmt.Sprintf("it knows %d records", e.size) }

// ask asks a witness to cosign a checkpoint, by add-checkpoint of C2SP tlog-witness
// (https://c2sp.org/tlog-witness). proof leads from the first old records to the
// checkpoint. Errors are those of post.
func (w *Witness) ask(ctx context.Context, client *http.Client, old uint64, proof []transparency.HashText, checkpoint []byte) (transparency.Cosignature, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return w.post(ctx, client, "/add-checkpoint", "text/plain; charset=utf-8", bytes.NewReader(addCheckpoint(old, proof, checkpoint)), checkpoint, ErrStranger)
}

// addCheckpoint returns the body of a request of add-checkpoint.
func addCheckpoint(old uint64, proof []transparency.HashText, checkpoint []byte) []byte {
	var body bytes.Buffer
	fmt.Fprintf(&body, "old %d\n", old)
	for _, h := range proof {
		fmt.Fprintf(&body, "%s\n", h)
	}
	fmt.Fprintf(&body, "\n%s", checkpoint)
	return body.Bytes()
}

// post sends a request, which the deadline of ctx bounds, and returns the witness's signature over the checkpoint. The
// error is [ErrAway], stranger, [ErrContradicts] or a conflictError.
func (w *Witness) post(ctx context.Context, client *http.Client, path, kind string, body *bytes.Reader, checkpoint []byte, stranger error) (transparency.Cosignature, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL+path, body)
	if err != nil {
		return transparency.Cosignature{}, fmt.Errorf("%w: %w", ErrAway, err)
	}
	req.Header.Set("User-Agent", "edgectl")
	req.Header.Set("Content-Type", kind)
	resp, err := client.Do(req)
	if err != nil {
		return transparency.Cosignature{}, fmt.Errorf("%w: %w", ErrAway, err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return transparency.Cosignature{}, fmt.Errorf("%w: %w", ErrAway, err)
	case len(answer) > maxAnswer:
		return transparency.Cosignature{}, fmt.Errorf("%w: more than %d bytes", ErrAway, maxAnswer)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return w.cosigned(checkpoint, answer)
	case http.StatusConflict:
		kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		size, err := strconv.ParseUint(strings.TrimSuffix(string(answer), "\n"), 10, 63)
		if kind != "text/x.tlog.size" || err != nil {
			return transparency.Cosignature{}, fmt.Errorf("%w: status 409 without a size", ErrAway)
		}
		return transparency.Cosignature{}, conflictError{size}
	case http.StatusForbidden, http.StatusNotFound:
		return transparency.Cosignature{}, fmt.Errorf("%w (status %d)%s", stranger, resp.StatusCode, said(answer))
	case http.StatusUnprocessableEntity:
		return transparency.Cosignature{}, fmt.Errorf("%w%s", ErrContradicts, said(answer))
	}
	return transparency.Cosignature{}, fmt.Errorf("%w: status %d%s", ErrAway, resp.StatusCode, said(answer))
}

// maxSaid is how much of a refusal is shown, in bytes.
const maxSaid = 500

// said returns the first line of a refusal. It is not to be trusted: the caller makes it
// printable.
func said(answer []byte) string {
	line, _, _ := strings.Cut(string(answer), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return ""
	}
	return ": " + line[:min(len(line), maxSaid)]
}

// cosigned returns the witness's own signature from an answer. Other lines are
// ignored.
func (w *Witness) cosigned(checkpoint, answer []byte) (transparency.Cosignature, error) {
	c, ok := transparency.Cosigned(append(bytes.Clone(checkpoint), answer...), w.verifier)
	if !ok {
		return c, fmt.Errorf("%w: it holds no valid signature of %s", ErrAway, w.Name())
	}
	return c, nil
}
