package audit

import "github.com/autonomyops/edged/internal/history"

// aboutAgrees holds what a bundle says of itself against what it holds. Of
// damaged records the newest is not known, and so not the node's name.
func (a *auditor) aboutAgrees(p *parts) {
	about := p.about
	if about.Format == "" {
		return // it could not be read, which is a finding
	}
	switch {
	case about.Journal != a.src.ID():
		a.bad(CodeAbout, 0, "%s is of journal %s, the records are of %s", history.BundleAbout, about.Journal, a.src.ID())
	case about.Events != a.report.Events || about.Head != a.report.Head.Hash:
		a.bad(CodeAbout, 0, "%s counts %d records with head %s, here are %d with head %s",
			history.BundleAbout, about.Events, about.Head, a.report.Events, a.report.Head.Hash)
	}
	if p.checkpoint != nil && !about.Signed {
		a.bad(CodeAbout, 0, "%s says that the bundle is not signed, and it holds a %s", history.BundleAbout, checkpointName)
	}
	if newest, err := a.src.Record(a.src.Tip().Seq); err == nil && p.damage == nil && newest.Node != about.Node {
		a.bad(CodeAbout, 0, "%s is of node %q, the newest record is of node %q", history.BundleAbout, about.Node, newest.Node)
	}
}
