package report

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/report/page"
)

// Write writes the page about src. opt are the options of the verification; its
// errors are errors of Write. Otherwise the error is that of ctx or w: a damaged
// history is shown as far as it can be read.
func Write(ctx context.Context, w io.Writer, src *history.Source, opt audit.VerifyOptions) error {
	if opt.Progress == nil {
		opt.Progress = func(string, uint64, uint64) {}
	}
	r, err := build(ctx, src, opt)
	if err != nil {
		return err
	}
	return r.write(ctx, w, src)
}

func (r *Report) write(ctx context.Context, w io.Writer, src *history.Source) error {
	t, frame, err := page.Report()
	if err != nil {
		return err
	}
	fields := struct {
		*Report
		page.Frame
	}{r, frame}
	out := bufio.NewWriterSize(w, 64<<10)
	for _, part := range []func() error{
		func() error { return t.ExecuteTemplate(out, "top", fields) },
		func() error {
			return packed(out, "report", func(w io.Writer) error { return json.MarshalWrite(w, r, json.Deterministic(true)) })
		},
		func() error { return packed(out, "records", func(w io.Writer) error { return lines(ctx, w, src) }) },
		func() error { return t.ExecuteTemplate(out, "bottom", fields) },
		out.Flush,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// packed writes a text, compressed, as a script element that the browser does not
// run.
func packed(w io.Writer, id string, write func(io.Writer) error) error {
	if _, err := fmt.Fprintf(w, "<script type=\"application/gzip;base64\" id=\"%s\">", id); err != nil {
		return err
	}
	encoder := base64.NewEncoder(base64.StdEncoding, w)
	compressor, err := gzip.NewWriterLevel(encoder, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := errors.Join(write(compressor), compressor.Close(), encoder.Close()); err != nil {
		return err
	}
	_, err = io.WriteString(w, "</script>\n")
	return err
}
