package operation

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/zeebo/blake3"

	"github.com/autonomyops/edged/internal/durable"
)

const (
	chunk   = 1 << 20 // bytes of one buffer
	buffers = 4
	// flushEvery is how many bytes are written between two flushes of what
	// lies behind: the disk is kept busy while the copy goes on, instead of
	// beginning when it ends. Smaller files are flushed once, at the end.
	flushEvery = 32 << 20
)

// copyHashed copies exactly size bytes and returns their BLAKE3. One goroutine
// hashes and another flushes while this one reads and writes: the disk waits
// for neither.
func copyHashed(dst, src durable.File, size int64) (string, error) {
	if size > 0 {
		if err := dst.Preallocate(0, size); err != nil {
			return "", err
		}
	}
	hasher := startHasher(size)
	flusher := startFlusher(dst)
	err := func() error {
		unflushed := 0
		for left := size; left > 0; {
			b := <-hasher.free
			b = b[:min(int64(len(b)), left)]
			if err := readSource(src, b); err != nil {
				return err
			}
			if _, err := dst.Write(b); err != nil {
				return err
			}
			left -= int64(len(b))
			hasher.full <- b
			if unflushed += len(b); unflushed >= flushEvery && left > 0 {
				flusher.flush()
				unflushed = 0
			}
		}
		var more [1]byte
		if n, _ := src.Read(more[:]); n > 0 {
			return fmt.Errorf("%w: it became longer", ErrChanged)
		}
		return nil
	}()
	sum := hasher.end()
	return sum, errors.Join(err, flusher.end())
}

// readSource fills b from the source, which had that many bytes when it was
// opened.
func readSource(src durable.File, b []byte) error {
	_, err := io.ReadFull(src, b)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it became shorter", ErrChanged)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrSource, err)
	}
	return nil
}

// hasher hashes the buffers it is given and gives them back.
type hasher struct {
	full, free chan []byte
	sum        chan string
}

func startHasher(size int64) hasher {
	h := hasher{full: make(chan []byte, buffers), free: make(chan []byte, buffers), sum: make(chan string, 1)}
	for range min(buffers, 1+size/chunk) {
		h.free <- make([]byte, min(chunk, max(size, 1)))
	}
	go func() {
		b3 := blake3.New()
		for b := range h.full {
			_, _ = b3.Write(b) // a hash does not fail
			h.free <- b[:cap(b)]
		}
		h.sum <- hexSum(b3)
	}()
	return h
}

// end waits for the hash of all that was given.
func (h hasher) end() string {
	close(h.full)
	return <-h.sum
}

// flusher flushes a file in the background. A failed flush may have lost bytes
// for good, whatever a later one says, so its error must fail the copy.
type flusher struct {
	ask  chan struct{}
	done chan error
}

func startFlusher(f durable.File) flusher {
	fl := flusher{ask: make(chan struct{}, 1), done: make(chan error, 1)}
	go func() {
		var first error
		for range fl.ask {
			if first == nil {
				first = f.Datasync()
			}
		}
		fl.done <- first
	}()
	return fl
}

// flush asks for a flush, unless one that will see these bytes is due anyway.
func (f flusher) flush() {
	select {
	case f.ask <- struct{}{}:
	default:
	}
}

// end waits for the flushes that were asked for, and gives the first error.
func (f flusher) end() error {
	close(f.ask)
	return <-f.done
}

// HashFile is the lower-case hex BLAKE3 and the size in bytes of a regular
// file beneath the root. The error is the disk's.
func HashFile(fsys durable.FS, name string) (string, int64, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	return hash(f)
}

// hash reads a file to the end that it had when it was opened: one that grows
// as fast as it is read has none. ErrChanged: it became longer or shorter.
func hash(f durable.File) (string, int64, error) {
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	h := blake3.New()
	r := io.LimitReader(f, info.Size+1) // one more tells that it grew
	n, err := io.CopyBuffer(h, r, make([]byte, min(chunk, info.Size+1)))
	if err != nil {
		return "", 0, err
	}
	if n != info.Size {
		return "", 0, fmt.Errorf("%w: it had %d bytes when it was opened", ErrChanged, info.Size)
	}
	return hexSum(h), n, nil
}

func hexSum(h *blake3.Hasher) string { return hex.EncodeToString(h.Sum(nil)) }
