package export

import "io"

// lines is the writing half of the formats that are text: each batch is made
// into bytes by itself, and the bytes are written in order.
type lines struct {
	w      io.Writer
	header string // still to be written
}

func (l *lines) write(b *batch) error {
	if err := l.begin(); err != nil {
		return err
	}
	_, err := l.w.Write(b.out)
	return err
}

// end has nothing to add: a line stands for itself.
func (l *lines) end(bool) error { return l.begin() }

func (l *lines) begin() error {
	if l.header == "" {
		return nil
	}
	header := l.header
	l.header = ""
	_, err := io.WriteString(l.w, header)
	return err
}
