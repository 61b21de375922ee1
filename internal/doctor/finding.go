package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"

	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/internal/gate"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/ship"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/internal/tlscert"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal"
)

// Severity is the severity of a finding.
type Severity string

// Severities. An error ends a boot or a reconstruction, or is damage.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// The values of Finding.Ends.
const (
	EndsBoot           = "boot"           // the next one
	EndsReconstruction = "reconstruction" // the next one
)

// Finding is one fault, or one fact that needs attention.
type Finding struct {
	Severity Severity `json:"severity"`
	// Code is stable: the gate's message for an error, the gate's event for a
	// warning, or a constant of this package.
	Code   string `json:"code"`
	Ends   string `json:"ends"` // boot, reconstruction, or "" if it ends neither
	What   string `json:"what"` // in a few words
	Path   string `json:"path"` // "" if no file is concerned
	Detail string `json:"detail"`
	Next   string `json:"next"` // what to do, as an instruction
	// Command repairs it, run by root; "" if no command does. The operator replaces
	// words in capital letters by a file or a reason.
	Command string `json:"command"`
}

// Line returns the finding on one line: what, path and detail.
func (f Finding) Line() string {
	text := f.What
	for _, more := range []string{f.Path, f.Detail} {
		if more != "" {
			text += ": " + more
		}
	}
	return text
}

// Codes of the findings of this package. None is renamed.
const (
	CodeNoConfig     = "no_config_given"       // none is named or found
	CodeElsewhere    = "examined_elsewhere"    // warning: this is not the running node
	CodeCertificate  = "certificate_ends_soon" // warning
	CodeCA           = "ca_ends_soon"          // warning
	CodeSpace        = "space_low"             // warning: bytes or inodes
	CodeUnsettled    = "tail_unsettled"        // warning: a run ended without settling
	CodeShip         = "ship_config"           // warning: it is not valid, or its directory cannot be read
	CodeUnitMissing  = "unit_not_installed"    // edged-precheck.service
	CodeUnitMasked   = "unit_masked"
	CodeUnitDisabled = "unit_not_enabled"
)

// Limits below which a finding warns.
const (
	certificateDays = 14 // the gate refuses at 7
	caDays          = 30
	lowBytes        = 64 << 20
	lowInodes       = 1024
)

// findings returns the findings without a verification of the journal: first the
// errors, in the order of a boot.
func (e *examination) findings() (found []Finding) {
	if e.opt.Config == "" {
		found = append(found, Finding{Severity: Error, Code: CodeNoConfig, Ends: EndsBoot, What: "no config given",
			Detail: "certificates, pins and assurance mode were not checked", Next: "name the node's config with --config or EDGE_CONFIG", Command: "export EDGE_CONFIG=CONFIG"})
	}
	for _, f := range e.x.Boot {
		found = append(found, e.failures(f, EndsBoot)...)
	}
	for _, f := range e.x.Reconstruction {
		found = append(found, e.failures(f, EndsReconstruction)...)
	}
	if e.judgesUnits() {
		found = append(found, e.units()...)
	}
	for _, w := range e.x.Warnings {
		f := Finding{Severity: Warning, Code: w.Event, What: meaning(w.Event), Path: w.Path, Detail: w.Detail, Next: w.Next}
		if w.Event == "edge.projection.repaired" {
			f.Command = e.edgectl("projections rebuild")
		}
		found = append(found, f)
	}
	return append(found, e.limits()...)
}

// failures returns the finding of a failure. A bad config has one for each problem.
func (e *examination) failures(f *gate.Failure, ends string) []Finding {
	one := Finding{Severity: Error, Code: Code(f.Message), Ends: ends, What: f.Short(), Path: f.Path, Detail: f.Reason(), Next: f.Next, Command: e.command(f)}
	if err := history.NameDamage(f.Err, e.rep.StateRoot, e.opt.LogSkipped); errors.Is(err, history.ErrLogSkipped) {
		one.Code, one.What, one.Detail = verify.CodeLogSkipped, "the journal cannot be verified", history.ErrLogSkipped.Error()
		one.Next, one.Command = history.WarnLogSkipped(e.opt.LogSkipped), ""
	}
	var rejected *config.Error
	if !errors.As(f.Err, &rejected) || len(rejected.Problems) == 0 {
		return []Finding{one}
	}
	all := make([]Finding, 0, len(rejected.Problems))
	for _, p := range rejected.Problems {
		one.Detail = p.String()
		all = append(all, one)
	}
	if rejected.Omitted > 0 {
		one.Detail = fmt.Sprintf("and %d more", rejected.Omitted)
		all = append(all, one)
	}
	return all
}

// Code returns the code of the finding for a message of the gate.
func Code(message string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.TrimPrefix(message, "precheck: "), " ", "_"), "'", "")
}

// meaning returns the meaning of a warning of the gate in a few words.
func meaning(event string) string {
	if text, ok := meanings[event]; ok {
		return text
	}
	return strings.TrimPrefix(event, "precheck: ")
}

var meanings = map[string]string{
	"edge.os.update_detected":                  "the next boot reconstructs",
	"edge.os.update_abandoned":                 "the next boot abandons an update of which no operation was applied",
	"edge.projection.repaired":                 "a file differs from the journal; the next boot writes it again",
	"edge.journal.head_rebuilt":                "the head file is damaged or absent; the next boot writes it again",
	"edge.journal.head_put_back":               "the head file is older than the settled records",
	"edge.journal.snapshot_ignored":            "a snapshot cannot be used, or the chain does not vouch for it",
	"edge.journal.damaged":                     "the journal is damaged; the next boot salvages it",
	"edge.cert.not_yet_valid":                  "the certificate is not yet valid",
	"edge.cert.warning":                        "a part of a TLS file cannot be used",
	"edge.clock.below_floor":                   "the clock is below the time floor",
	"edge.state_root.mount_check_kept":         "the variable that skips the mount check has another value than 1, and is ignored",
	"precheck: metrics file cannot be written": "the metrics file cannot be written",
}

// limits returns warnings about certificates, space and the journal's tail.
func (e *examination) limits() (found []Finding) {
	warn := func(code, path, what, next, detail string, args ...any) {
		found = append(found, Finding{Severity: Warning, Code: code, What: what, Path: path, Next: next, Detail: fmt.Sprintf(detail, args...)})
	}
	if v, c := e.rep.Leaf, e.x.Config; v != nil && c.Transport.CAKeyFile == "" && e.x.CertEnd.Sub(e.x.Now) >= tlscert.MinLeft && v.Days < certificateDays {
		warn(CodeCertificate, c.Transport.CertFile, "the certificate ends soon", "deploy a new pair, or set transport.ca_key_file so that the gate re-issues the certificate",
			"%d days are left; the gate refuses it from 7 days on", v.Days)
	}
	if v, c := e.rep.CA, e.x.Config; v != nil && v.Days < caDays {
		warn(CodeCA, c.Transport.CAFile, "the CA ends soon", "deploy a CA that is valid longer", "%d days are left", v.Days)
	}
	if s := e.rep.Space; s != nil {
		const next = "remove files from the filesystem of the state root (df, df -i)"
		if s.Bytes != nil && *s.Bytes < lowBytes {
			warn(CodeSpace, e.rep.StateRoot, "little space is left", next, "%d bytes are free", *s.Bytes)
		}
		if s.Inodes != nil && *s.Inodes < lowInodes {
			warn(CodeSpace, e.rep.StateRoot, "few inodes are left", next, "%d inodes are free", *s.Inodes)
		}
	}
	if t := e.x.Tail; t != nil && t.SettlingDue {
		warn(CodeUnsettled, filepath.Join(e.rep.StateRoot, stateroot.Journal, journal.TailName), "the journal's tail is not settled",
			"free space and inodes; the next boot settles it", "the last run should have settled %d records; the tail has room for %d bytes", t.Records, t.FreeBytes)
	}
	if e.opt.Elsewhere {
		warn(CodeElsewhere, e.rep.StateRoot, "this is not the running node", "", "certificates, mounts, units and the operating system were not checked")
	}
	return found
}

// unseen sets Report.Unseen. Of a node elsewhere, and of a journal that cannot be
// opened, it is not known.
func (e *examination) unseen() {
	if e.opt.Elsewhere || e.x.State == nil || e.x.State.Seq == 0 {
		return
	}
	file := filepath.Join(e.opt.System, ship.ConfigPath)
	cfg, err := ship.Load(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	var u ship.Unseen
	if err == nil {
		var src *history.Source
		if src, err = history.Open(e.rep.StateRoot); err != nil {
			return // it was reported
		}
		defer src.Close() //nolint:errcheck // read-only
		u, err = cfg.Unseen(src)
	}
	if err != nil {
		e.add(Finding{Severity: Warning, Code: CodeShip, What: "what others have seen of the journal is not known", Path: file, Detail: err.Error(),
			Next: "correct the file, or create the directory of checkpoints that it names"})
		return
	}
	e.rep.Unseen = &u
}

func (e *examination) space() *Space {
	if e.x.Space == nil {
		return nil
	}
	known := func(n uint64) *uint64 {
		if n == math.MaxUint64 {
			return nil
		}
		return &n
	}
	return &Space{Bytes: known(e.x.Space.FreeBytes), Inodes: known(e.x.Space.FreeInodes)}
}

// verifyJournal adds the findings of a verification of the whole journal, except
// those that the examination has reported.
func (e *examination) verifyJournal(ctx context.Context) error {
	rep, err := verify.Path(ctx, e.rep.StateRoot, verify.Options{Deep: true, LogSkipped: e.opt.LogSkipped, Progress: e.opt.Progress})
	if err != nil {
		return err
	}
	e.rep.Verified = true
	for _, f := range rep.Findings {
		switch f.Code {
		case verify.CodeProjection, verify.CodeReference, verify.CodeMissing, verify.CodeKeyReplace, verify.CodeUnusable:
			continue
		}
		found := Finding{Severity: Severity(f.Severity), Code: "journal_" + f.Code, What: "the journal is not intact",
			Path: filepath.Join(e.rep.StateRoot, stateroot.Journal), Detail: f.Detail}
		if f.Seq > 0 {
			found.Detail = fmt.Sprintf("record %d: %s", f.Seq, f.Detail)
		}
		if found.Severity == Error {
			found.Next = "keep the disk as it is, then run `edgectl journal salvage`"
			found.Command = e.edgectl("journal salvage --install --reason REASON")
		}
		e.add(found)
	}
	return nil
}
