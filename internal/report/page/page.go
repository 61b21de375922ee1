// Package page holds two pages and writes what is the same in both: the document
// around the data, its style, its script and its policy. The report of a node
// carries its data; the page of a hub asks the hub for them.
//
// Script and style are built from src by make page, and checked in: this package
// is built without Node and without a network.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
)

//go:embed report.html fleet.html dist
var files embed.FS

// Frame is a page without its data.
type Frame struct {
	// CSP is the page's Content-Security-Policy.
	CSP    string
	Style  template.CSS
	Script template.JS
}

// Report returns the report's templates, "top" and "bottom", and its frame. The
// caller writes the data between them.
func Report() (*template.Template, Frame, error) {
	return parts("report", "")
}

// Fleet returns the page about a hub's nodes, and the Content-Security-Policy to
// serve it with. hub is the hub's name. The page is the same until the hub starts
// again.
//
// The page requests fleet.json, a hub.Fleet, from the folder in which it is itself.
// It links to edged/ID/report, edged/ID/records.jsonl and edged/ID/checkpoint there.
func Fleet(hub string) (html []byte, policy string, err error) {
	t, frame, err := parts("fleet", " connect-src 'self';")
	if err != nil {
		return nil, "", err
	}
	var out bytes.Buffer
	err = t.Execute(&out, struct {
		Frame
		Hub string
	}{frame, hub})
	// A page cannot say by itself who may frame it.
	return out.Bytes(), frame.CSP + "; frame-ancestors 'none'", err
}

// parts returns the templates and the frame of a page. also is what its policy
// allows besides its own script and style. No script can make an element from a
// text.
func parts(name, also string) (*template.Template, Frame, error) {
	t, err := template.ParseFS(files, name+".html")
	if err != nil {
		return nil, Frame{}, err
	}
	script, err := files.ReadFile("dist/" + name + ".js")
	if err != nil {
		return nil, Frame{}, err
	}
	style, err := files.ReadFile("dist/" + name + ".css")
	if err != nil {
		return nil, Frame{}, err
	}
	csp := fmt.Sprintf("default-src 'none'; script-src %s; style-src %s;%s base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
		source(script), source(style), also)
	return t, Frame{csp, template.CSS(style), template.JS(script)}, nil //nolint:gosec // both are parts of this program
}

// source returns the expression of a policy that allows text, and nothing else.
func source(text []byte) string {
	sum := sha256.Sum256(text)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
