package export

import (
	"bufio"
	"errors"
	"io"
	"iter"
)

// bufferBytes is the size of the output buffer.
const bufferBytes = 256 << 10

// progressEvery is the number of records between two calls of progress.
const progressEvery = 8192

// writeJSONL writes the exact bytes of each record and a line feed. Canonical
// JSON holds no line feed, so a line is a record. Records are not decoded: b3sum
// and jq can check these bytes.
func writeJSONL(w io.Writer, records iter.Seq2[Received, error], progress func(uint64)) (n uint64, err error) {
	out := bufio.NewWriterSize(w, bufferBytes)
	for raw, err := range records {
		if err != nil {
			return n, errors.Join(err, out.Flush())
		}
		if _, err := out.Write(raw.Raw); err != nil {
			return n, err
		}
		if err := out.WriteByte('\n'); err != nil {
			return n, err
		}
		if n++; n%progressEvery == 0 {
			progress(n)
		}
	}
	return n, out.Flush()
}
