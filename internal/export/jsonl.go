package export

import (
	"bufio"
	"io"

	"github.com/autonomyops/edged/journal"
)

// bufferBytes is what is gathered before it is written.
const bufferBytes = 256 << 10

// jsonl writes the exact bytes of each record and a line feed. Canonical JSON
// holds no line feed, so a line is a record.
type jsonl struct{ w *bufio.Writer }

func newJSONL(w io.Writer) Encoder { return jsonl{bufio.NewWriterSize(w, bufferBytes)} }

func (j jsonl) Record(r journal.RawRecord) error {
	if _, err := j.w.Write(r.Raw); err != nil {
		return err
	}
	return j.w.WriteByte('\n')
}

func (j jsonl) Close() error { return j.w.Flush() }
