package report

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"

	"github.com/go-json-experiment/json"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/history"
)

// The page. Script and style are built from page/src by make page, and checked in,
// so that this package is built without Node and without a network.
var (
	//go:embed page/page.html
	page string
	//go:embed page/dist/page.js
	script string
	//go:embed page/dist/page.css
	style string
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
	t, err := template.New("page").Parse(page)
	if err != nil {
		return err
	}
	fields := struct {
		*Report
		CSP    string
		Style  template.CSS
		Script template.JS
	}{r, policy(), template.CSS(style), template.JS(script)} //nolint:gosec // both are parts of this program
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

// policy returns the page's Content-Security-Policy: its own script and style,
// and nothing else. No script can make an element from a text.
func policy() string {
	source := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return fmt.Sprintf("default-src 'none'; script-src %s; style-src %s; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'", source(script), source(style))
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
