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
	// behindEvery is the number of bytes that the disk is asked to write at once
	// while the copy continues, so that not all of them are left for the end. The
	// copy does not wait for them: a flush in between would also commit metadata,
	// and cost more than it saves.
	behindEvery = 8 << 20
)

// copyHashed copies exactly size bytes and returns their BLAKE3. It hashes the buffers
// that it writes, whatever the source becomes meanwhile. One goroutine hashes and another
// starts the disk while this one reads and writes; none waits for another. Nothing is
// durable yet.
func copyHashed(dst, src durable.File, size int64) (string, error) {
	if size > 0 {
		// A full disk is reported before the first byte, and the file is
		// contiguous.
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

// readSource fills b from the source, which had at least that many bytes left when it was
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

// hasher hashes the buffers in full and returns them to free.
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

// end waits for the hash of all buffers.
func (h hasher) end() string {
	close(h.full)
	return <-h.sum
}

// behind starts the disk on the written bytes of a file, in the background. A write that
// fails there has lost bytes, whatever a later flush returns, so its error must fail the
// copy.
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

// written reports that the file is written up to an offset. While the disk is busy with an
// earlier request, the bytes are added to the next one.
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

// end waits until the disk has accepted every request, and returns the first error.
func (w *behind) end() error {
	close(w.upTo)
	return <-w.done
}

// HashFile returns the lower-case hex BLAKE3 and the size in bytes of a regular file below
// the root. The error is the disk's, or ErrSource for a file that is longer than its
// filesystem.
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

// hash reads a file up to the size that it had when it was opened, because a file that
// grows as fast as it is read has no end. The error is ErrChanged if the size changed.
func hash(f durable.File) (string, int64, error) {
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	h := blake3.New()
	r := io.LimitReader(f, info.Size+1) // one more byte shows that it grew
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
