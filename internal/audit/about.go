package audit

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/autonomyops/edged/internal/evidence"
)

// aboutMembers are those of bundle.json that this version reads.
var aboutMembers = []string{"format", "v", "journal", "node", "events", "head", "signed", "software"}

// eachOnce holds that each member of bundle.json is there once, spelt as it is:
// of two, programs believe different ones, and encoding/json takes "NODE" for
// "node".
func (p *parts) eachOnce(text []byte) {
	dec := json.NewDecoder(bytes.NewReader(text))
	_, err := dec.Token()
	for seen := map[string]bool{}; err == nil && dec.More(); {
		var token json.Token
		if token, err = dec.Token(); err != nil {
			return // ParseAbout has read it
		}
		name, _ := token.(string)
		known := slices.IndexFunc(aboutMembers, func(m string) bool { return strings.EqualFold(m, name) })
		switch {
		case seen[name]:
			p.bad(CodeAbout, 0, "%s: member %q comes twice", evidence.BundleAbout, name)
		case known >= 0 && aboutMembers[known] != name:
			p.bad(CodeAbout, 0, "%s: member %q is not spelt %q", evidence.BundleAbout, name, aboutMembers[known])
		}
		seen[name] = true
		var value json.RawMessage
		err = dec.Decode(&value)
	}
}

// aboutAgrees holds what a bundle says of itself against what it holds. Of
// damaged records the newest is not known, and so not the node's name.
func (a *auditor) aboutAgrees(p *parts) {
	about := p.about
	switch {
	case about.Journal != a.src.ID():
		a.bad(CodeAbout, 0, "%s is of journal %s, the records are of %s", evidence.BundleAbout, about.Journal, a.src.ID())
	case about.Events != a.report.Events || about.Head != a.report.Head.Hash:
		a.bad(CodeAbout, 0, "%s counts %d records with head %s, here are %d with head %s",
			evidence.BundleAbout, about.Events, about.Head, a.report.Events, a.report.Head.Hash)
	}
	if p.checkpoint != nil && !about.Signed {
		a.bad(CodeAbout, 0, "%s says that the bundle is not signed, and it holds a %s", evidence.BundleAbout, checkpointName)
	}
	if newest, err := a.src.Record(a.src.Tip().Seq); err == nil && p.damage == nil && newest.Node != about.Node {
		a.bad(CodeAbout, 0, "%s is of node %q, the newest record is of node %q", evidence.BundleAbout, about.Node, newest.Node)
	}
}
