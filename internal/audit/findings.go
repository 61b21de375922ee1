package audit

import (
	"fmt"

	"github.com/autonomyops/edged/journal"
)

// maxFindings bounds the list of findings: a bundle that was made to mislead
// can hold a million things that are wrong.
const maxFindings = 1000

// findings are those of one verdict. Past maxFindings only the first of each
// code is kept, so that nothing which decides the verdict is lost.
type findings struct {
	list []journal.Finding
	has  map[string]bool // codes, by severity
	more bool            // some were not kept
}

func (f *findings) add(one journal.Finding) {
	kind := string(one.Severity) + " " + one.Code
	if len(f.list) >= maxFindings && f.has[kind] {
		f.more = true
		return
	}
	if f.has == nil {
		f.has = map[string]bool{}
	}
	f.has[kind] = true
	f.list = append(f.list, one)
}

func (f *findings) bad(code string, seq uint64, format string, args ...any) {
	f.found(journal.SeverityError, code, seq, format, args...)
}

func (f *findings) warn(code string, seq uint64, format string, args ...any) {
	f.found(journal.SeverityWarning, code, seq, format, args...)
}

func (f *findings) found(sev journal.Severity, code string, seq uint64, format string, args ...any) {
	f.add(journal.Finding{Severity: sev, Code: code, Seq: seq, Detail: fmt.Sprintf(format, args...)})
}

// listed are the findings, and one more that says if there were others.
func (f *findings) listed() []journal.Finding {
	if f.more {
		f.warn(journal.CodeTooMany, 0, "further findings are not listed; the first of each code is")
		f.more = false
	}
	return append([]journal.Finding{}, f.list...)
}
