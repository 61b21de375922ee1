package operation

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/zeebo/blake3"

	"github.com/autonomyops/edged/internal/durable"
)

const (
	chunk   = 1 << 20 // bytes of one buffer
	buffers = 4
)

// copyHashed copies exactly size bytes and returns their BLAKE3. One goroutine
// hashes while this one reads and writes: the disk does not wait for the hash.
func copyHashed(dst durable.File, src durable.File, size int64) (string, error) {
	if size > 0 {
		if err := dst.Preallocate(0, size); err != nil {
			return "", err
		}
	}
	full, free := make(chan []byte, buffers), make(chan []byte, buffers)
	for range buffers {
		free <- make([]byte, min(chunk, max(size, 1)))
	}
	sum := make(chan string, 1)
	go func() {
		h := blake3.New()
		for b := range full {
			_, _ = h.Write(b) // a hash does not fail
			free <- b[:cap(b)]
		}
		sum <- hex.EncodeToString(h.Sum(nil))
	}()
	err := func() error {
		defer close(full)
		for left := size; left > 0; {
			b := <-free
			b = b[:min(int64(len(b)), left)]
			if _, err := io.ReadFull(src, b); err != nil {
				if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
					return fmt.Errorf("%w: it became shorter", ErrChanged)
				}
				return fmt.Errorf("%w: %w", ErrSource, err)
			}
			if _, err := dst.Write(b); err != nil {
				return err
			}
			left -= int64(len(b))
			full <- b
		}
		var more [1]byte
		if n, _ := src.Read(more[:]); n > 0 {
			return fmt.Errorf("%w: it became longer", ErrChanged)
		}
		return nil
	}()
	digest := <-sum
	return digest, err
}

// HashFile is the lower-case hex BLAKE3 and the size in bytes of a regular
// file beneath the root.
func HashFile(fsys durable.FS, name string) (string, int64, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", 0, err
	}
	h := blake3.New()
	n, err := io.CopyBuffer(h, struct{ io.Reader }{f}, make([]byte, 256<<10))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}

// InPlace reports whether what was installed at dst is still there as
// installed: a regular file with these bytes and this mode.
func InPlace(fsys durable.FS, dst, sum, mode string) (bool, error) {
	info, err := fsys.Lstat(dst)
	if absent(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !info.Mode.IsRegular() || modeText(info.Mode) != mode {
		return false, nil
	}
	have, _, err := HashFile(fsys, dst)
	if absent(err) {
		return false, nil
	}
	return err == nil && have == sum, err
}

// absent: nothing can be at the path as a regular file.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) ||
		errors.Is(err, durable.ErrSymlink) || errors.Is(err, durable.ErrNotRegular)
}

func readOnly(err error) bool { return errors.Is(err, syscall.EROFS) }
