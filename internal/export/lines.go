package export

import "io"

// lines writes the bytes that prepare has left in a batch, for the text formats.
type lines struct {
	w      io.Writer
	header string // not written yet; "" after it was
}

func (l *lines) write(b *batch) error {
	if err := l.begin(); err != nil {
		return err
	}
	_, err := l.w.Write(b.out)
	return err
}

// end writes the header if no batch was written. A text format has no footer.
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
