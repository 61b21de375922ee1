package gate

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/autonomyops/edged/internal/durable/fault"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/operation"
)

// Exit codes of precheck.
const (
	ExitOK             = 0
	ExitConfig         = 1 // config or command line
	ExitStateRoot      = 2 // state root, journal, projections
	ExitCertificate    = 3
	ExitReconstruction = 5 // fingerprint or reconstruction: edged MUST NOT start
)

// Failure is the one error that ends a run. It becomes an ERROR line, a
// PrecheckFailed (or last_failure.json) and the exit code.
type Failure struct {
	Exit    int
	Stage   string // config, state_root, journal, certificate, fingerprint, manifest, operation, epoch, projection
	Message string // the log line's message, "precheck: …"
	Path    string
	Next    string // what to do next
	Err     error

	cause    string // of an error of the system; see explain
	replaced string // the advice that the cause's took the place of
	text     string // what Reason returns, once that is final
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%s: path=%s: %s (%s)", f.Message, f.Path, f.Reason(), f.Next)
}

func (f *Failure) Unwrap() error { return f.Err }

// Short returns the message without the prefix that all messages share.
func (f *Failure) Short() string { return strings.TrimPrefix(f.Message, "precheck: ") }

// explain adds the cause of an error of the system, and the advice that fits
// it, because an error number alone misleads.
func (f *Failure) explain() {
	var known *fault.Error
	if f.cause != "" || errors.As(f.Err, &known) {
		return // the step that failed has explained it
	}
	if errors.As(fault.Explain(f.Err), &known) {
		f.cause, f.replaced, f.Next = known.Cause, f.Next, known.Next
	}
}

// Reason is the error with its cause, without what is beside it in a log line:
// the path, and the advice that some errors end in, which Next repeats or
// replaces.
func (f *Failure) Reason() string {
	if f.text != "" {
		return f.text
	}
	text := f.Err.Error()
	var rejected *manifest.Error
	if errors.As(f.Err, &rejected) && f.Message == rejected.Message() {
		text = rejected.Err.Error()
	}
	_, own := about(f.Err)
	for _, advice := range []string{own, f.Next, f.replaced} {
		if before, has := strings.CutSuffix(text, advice); has && advice != "" {
			text = strings.TrimRight(before, ":;. ")
		}
	}
	text = f.withoutPath(text)
	if f.cause != "" {
		text += ": " + f.cause
	}
	return text
}

// withoutPath leaves the failure's path out of the text of its error.
func (f *Failure) withoutPath(text string) string {
	paths := []string{f.Path}
	var fromDisk *fs.PathError
	if errors.As(f.Err, &fromDisk) && strings.HasSuffix(fromDisk.Path, "/"+f.Path) {
		paths = append(paths, fromDisk.Path)
	}
	for _, p := range paths {
		text = strings.TrimSuffix(text, ", at "+p)
		if strings.ContainsAny(p, "/.") { // otherwise it may be a word of the text
			text = strings.NewReplacer(", at "+p, "", ": "+p+": ", ": ", " "+p+": ", ": ").Replace(text)
			text = strings.TrimPrefix(text, p+": ")
		}
	}
	return text
}

// about finds the path and the next step that an error's type knows of.
func about(err error) (path, next string) {
	var (
		known      *errs.Error
		fromFile   *manifest.Error
		fromOp     *operation.Error
		fromSystem *fault.Error
		fromDisk   *fs.PathError
	)
	switch {
	case errors.As(err, &known):
		return known.Path, known.Next
	case errors.As(err, &fromFile):
		return fromFile.Path, fromFile.NextStep()
	case errors.As(err, &fromOp):
		return fromOp.Path, fromOp.NextStep()
	case errors.As(err, &fromSystem):
		path, _ = about(fromSystem.Err)
		return path, fromSystem.Next
	case errors.As(err, &fromDisk):
		return fromDisk.Path, ""
	}
	return "", ""
}

// pathOf returns the path in err, or fallback.
func pathOf(err error, fallback string) string {
	path, _ := about(err)
	return cmp.Or(path, fallback)
}

// nextOf returns the next step that fits err's cause, or the one in err, or
// fallback.
func nextOf(err error, fallback string) string {
	_, next := about(err)
	return cmp.Or(next, fallback)
}
