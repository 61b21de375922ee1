package report

import (
	"bytes"
	"context"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/autonomyops/edged/replay"
)

// lines writes the bytes of each record that can be read, one a line. A line that
// is no JSON is quoted as a JSON string.
func lines(ctx context.Context, w io.Writer, src replay.History) error {
	for p, err := range replay.Onward(ctx, src, src.First(), src.Tip().Seq) {
		switch {
		case err != nil:
			return err
		case p.Err != nil:
			continue
		}
		line := p.Raw
		if !jsontext.Value(line).IsValid() || bytes.ContainsAny(line, "\n\r") {
			line, err = json.Marshal(string(line), jsontext.AllowInvalidUTF8(true))
		}
		if err != nil {
			return err
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
		if _, err := w.Write([]byte{'\n'}); err != nil {
			return err
		}
	}
	return nil
}
