package audit

import (
	"fmt"

	"github.com/autonomyops/edged/journal"
)

// maxFindings bounds the list of findings: a forged bundle can have a million
// faults.
const maxFindings = 1000

// findings are the findings of one verdict. Above maxFindings only the first of
// each code is kept, because codes decide the verdict.
type findings struct {
	list []journal.Finding
	has  map[string]bool // severity and code
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

// listed returns the findings, with a warning if others were not kept.
func (f *findings) listed() []journal.Finding {
	if f.more {
		f.warn(journal.CodeTooMany, 0, "there are further findings, which are not listed; the first of each code is")
		f.more = false
	}
	return append([]journal.Finding{}, f.list...)
}
