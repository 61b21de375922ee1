package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal"
)

// What --deep had to stop at, or found wrong, is not called verified.
func TestPrintReport_Deep(t *testing.T) {
	for name, tt := range map[string]struct {
		findings []journal.Finding
		deep     bool
	}{
		"faultless":                {nil, true},
		"a warning":                {[]journal.Finding{{Severity: journal.SeverityWarning, Code: journal.CodeTimeBackwards}}, true},
		"it begins in the middle":  {[]journal.Finding{{Severity: journal.SeverityWarning, Code: verify.CodeStopped}}, false},
		"written by newer release": {[]journal.Finding{{Severity: journal.SeverityError, Code: verify.CodeStopped}}, false},
		"a record damaged":         {[]journal.Finding{{Severity: journal.SeverityError, Code: journal.CodeHashMismatch}}, false},
	} {
		var out bytes.Buffer
		if err := printReport(&out, verify.Report{Findings: tt.findings}, true); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), "verified deeply"); got != tt.deep {
			t.Errorf("%s: %q", name, out.String())
		}
	}
}
