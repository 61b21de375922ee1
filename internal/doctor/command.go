package doctor

import (
	"errors"
	"path/filepath"
	"syscall"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/fault"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/gate"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/operation"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
)

// command returns the command that repairs a failure, "" if no command does, as for
// a defect of edged, a broken or a full disk.
func (e *examination) command(f *gate.Failure) string {
	if known := own(f.Err); known != nil {
		return display.Command(known...)
	}
	if inTheWay(f.Err) {
		return display.Command("mv", f.Path, f.Path+".aside")
	}
	switch f.Message {
	case "precheck: ready file cannot be removed":
		return display.Command("mv", f.Path, f.Path+".aside")
	case "precheck: boot id unreadable":
		return display.Command("mount", "-t", "proc", "proc", "/proc")
	}
	switch f.Stage {
	case "config":
		return display.Command("install", "-m", "640", "CONFIG", e.opt.Config)
	case "ready_file":
		return display.Command("mkdir", "-p", filepath.Dir(f.Path))
	case "journal":
		return e.journalCommand(f)
	case "certificate":
		return e.certificateCommand(f)
	case "fingerprint":
		return display.Command("install", "-m", "644", "OS_RELEASE", f.Path)
	case "manifest", "operation", "epoch":
		return e.manifestCommand(f)
	}
	return ""
}

// own returns the command in an error.
func own(err error) []string {
	var explained *fault.Error
	if errors.As(err, &explained) || errors.As(fault.Explain(err), &explained) {
		return explained.Command
	}
	var known *errs.Error
	if errors.As(err, &known) {
		return known.Command
	}
	return nil
}

// inTheWay reports whether another kind of file is at the path.
func inTheWay(err error) bool {
	return errors.Is(err, durable.ErrNotRegular) || errors.Is(err, durable.ErrSymlink) || errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.ENOTDIR)
}

func (e *examination) journalCommand(f *gate.Failure) string {
	for _, kind := range []error{errs.ErrCorrupt, journal.ErrTorn, journal.ErrRolledBack, journal.ErrRewritten, journal.ErrMissing, journal.ErrForeign} {
		if errors.Is(f.Err, kind) {
			return e.edgectl("journal salvage --install --reason REASON")
		}
	}
	switch f.Message {
	case "precheck: journal is of another node":
		return e.edgectl("journal rename-node " + e.x.Config.Identity.EdgeDomainID + " --reason REASON")
	case "precheck: journal is not this node's":
		return display.Command("install", "-m", "640", "CONFIG", e.opt.Config)
	}
	return ""
}

func (e *examination) certificateCommand(f *gate.Failure) string {
	t := e.x.Config.Transport
	switch f.Path {
	case t.CAFile:
		return display.Command("install", "-m", "644", "CA", t.CAFile)
	case t.CAKeyFile:
		return display.Command("install", "-m", "600", "CA_KEY", t.CAKeyFile)
	}
	return display.Command("install", "-m", "600", "KEY", t.KeyFile) + " && " + display.Command("install", "-m", "644", "CERTIFICATE", t.CertFile)
}

func (e *examination) manifestCommand(f *gate.Failure) string {
	var rejected *manifest.Error
	var op *operation.Error
	sign := e.edgectl("manifest sign --key SIGNING_KEY")
	deploy := display.Command("install", "-m", "640", "MANIFEST", e.below(stateroot.Manifest)) + " && " + sign
	switch {
	case errors.As(f.Err, &rejected):
		switch rejected.Code {
		case manifest.CodeSignature, manifest.CodeSignatureMissing, manifest.CodeSignatureSize, manifest.CodeSigUnreadable:
			return sign
		case manifest.CodeKeyMissing, manifest.CodeKeySize, manifest.CodeKeyUnreadable, manifest.CodeKeyWeak, manifest.CodeKeyPinned:
			return display.Command("install", "-m", "644", "VERIFY_KEY", e.below(stateroot.ManifestVerifyKey))
		case manifest.CodeKeyWritable:
			return display.Command("chmod", "o-w", e.below(stateroot.ManifestVerifyKey))
		case manifest.CodeKeyUnknown:
			return e.edgectl("key rotate manifest --old OLD_KEY --new NEW_KEY")
		}
		return deploy
	case !errors.As(f.Err, &op):
		return "" // evidence, or the kernel's clock
	case op.Field == "src" && durable.CheckName(op.Path) == nil, errors.Is(op.Err, operation.ErrMismatch), errors.Is(op.Err, operation.ErrSource):
		return display.Command("install", "-m", "755", "SOURCE", e.below(op.Path))
	}
	return deploy
}

func (e *examination) below(name string) string { return filepath.Join(e.rep.StateRoot, name) }

// edgectl returns a command of edgectl on this state root.
func (e *examination) edgectl(args string) string {
	return "edgectl " + args + " --state-root " + display.Command(e.rep.StateRoot)
}
