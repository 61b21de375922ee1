package main

import (
	"errors"
	"io"
	"syscall"
)

// handOver writes a result that counts only whole, an export or a bundle, to
// standard output. A reader that closes the pipe has seen enough of a listing;
// of these it holds a part that looks like the whole, and may well have died:
// that is not done.
func (e *env) handOver(write func(io.Writer) error) error {
	w := &counted{w: e.stdout}
	err := write(w)
	if errors.Is(err, syscall.EPIPE) {
		// Not wrapped: a closed pipe ends every other command as done.
		return fail("nothing, if the rest was not wanted; otherwise write a file: --out FILE", "cut: the reader closed the pipe after %d bytes", w.n)
	}
	return err
}

// counted counts the bytes that w took.
type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
