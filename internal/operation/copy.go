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
	// behindEvery is how many bytes the disk is given at once while the copy
	// goes on, instead of all of them when it ends. What is asked for is the
	// writing, and not that it be waited for: a flush in between would also
	// commit metadata, and cost more than it saves.
	behindEvery = 8 << 20
)

// copyHashed copies exactly size bytes and returns their BLAKE3: of the very
// buffers that were written, whatever the source became meanwhile. One
// goroutine hashes and another starts the disk while this one reads and
// writes: none waits for the other. Nothing is durable yet.
func copyHashed(dst, src durable.File, size int64) (string, error) {
	if size > 0 {
		// A full disk is told before the first byte, and the file lies in one
		// piece.
		if err := dst.Preallocate(0, size); err != nil {
			return "", err
		}
	}
	hasher := startHasher(size)
	behind := startBehind(dst)
	err := func() error {
		for done := int64(0); done < size; {
			b := <-hasher.free
			b = b[:min(int64(len(b)), size-done)]
			if err := readSource(src, b); err != nil {
				return err
			}
			if _, err := dst.Write(b); err != nil {
				return err
			}
			done += int64(len(b))
			hasher.full <- b
			behind.written(done)
		}
		var more [1]byte
		if n, _ := src.Read(more[:]); n > 0 {
			return fmt.Errorf("%w: it became longer", ErrChanged)
		}
		return nil
	}()
	sum := hasher.end()
	return sum, errors.Join(err, behind.end())
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

// behind has what was written of a file brought to the disk in the background.
// A write that fails there has lost bytes for good, whatever a later flush
// says, so its error must fail the copy.
type behind struct {
	upTo  chan int64
	asked int64
	done  chan error
}

func startBehind(f durable.File) *behind {
	w := &behind{upTo: make(chan int64, 1), done: make(chan error, 1)}
	go func() {
		var first error
		from := int64(0)
		for to := range w.upTo {
			if first == nil {
				first = durable.WriteBehind(f, from, to-from)
			}
			from = to
		}
		w.done <- first
	}()
	return w
}

// written says that the file is written up to an offset. Where the disk is
// still busy with what it was given before, it is given more the next time.
func (w *behind) written(to int64) {
	if to-w.asked < behindEvery {
		return
	}
	select {
	case w.upTo <- to:
		w.asked = to
	default:
	}
}

// end waits until the disk was given what it was to be given, and gives the
// first error.
func (w *behind) end() error {
	close(w.upTo)
	return <-w.done
}

// HashFile is the lower-case hex BLAKE3 and the size in bytes of a regular
// file beneath the root. The error is the disk's, or ErrSource for a file that
// is longer than its filesystem.
func HashFile(fsys durable.FS, name string) (string, int64, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.Stat()
	if err == nil {
		err = fitsDisk(fsys, info.Size)
	}
	if err != nil {
		return "", 0, err
	}
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
