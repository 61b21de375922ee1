package audit

import "github.com/autonomyops/edged/internal/history"

// aboutAgrees compares bundle.json with the bundle. It does not compare the
// node's name if the records are damaged: the newest record is then not known.
func (a *auditor) aboutAgrees(p *contents) {
	about := p.about
	if about.Format == "" {
		return // a finding reports that it could not be read
	}
	switch {
	case about.Journal != a.src.ID():
		a.bad(CodeAbout, 0, "%s names journal %s, but the records are of %s", history.BundleAbout, about.Journal, a.src.ID())
	case about.Events != a.report.Events || about.Head != a.report.Head.Hash:
		a.bad(CodeAbout, 0, "%s names %d records with head %s, but the bundle holds %d with head %s",
			history.BundleAbout, about.Events, about.Head, a.report.Events, a.report.Head.Hash)
	}
	if p.checkpoint != nil && !about.Signed {
		a.bad(CodeAbout, 0, "%s says that the bundle is not signed, but it holds a %s", history.BundleAbout, checkpointName)
	}
	if newest, err := a.src.Record(a.src.Tip().Seq); err == nil && p.damage == nil && newest.Node != about.Node {
		a.bad(CodeAbout, 0, "%s names node %q, but the newest record is of node %q", history.BundleAbout, about.Node, newest.Node)
	}
}
