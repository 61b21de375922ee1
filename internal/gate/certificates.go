package gate

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/autonomyops/edged/internal/tlscert"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// checkCertificates reads certificate, key and CA, completes a re-issue that a
// crash interrupted, re-issues the leaf if that is requested or due, and judges
// the pair in place at the time floor.
func (r *run) checkCertificates(context.Context) *Failure {
	r.readClock()
	t := r.cfg.Transport
	files, err := r.host.OpenPair(tlscert.Paths{Cert: t.CertFile, Key: t.KeyFile, CA: t.CAFile, CAKey: t.CAKeyFile})
	if err != nil {
		return certificateFailure(err, t.CertFile)
	}
	defer func() { _ = files.Close() }() // everything written was flushed
	bundle, err := files.Load()
	if err != nil {
		return certificateFailure(err, t.CertFile)
	}
	for _, ca := range bundle.CAs {
		if ca.NotAfter.After(r.caEnd) {
			r.caEnd = ca.NotAfter
		}
	}
	due, f := r.whyReissue(bundle)
	if f != nil {
		return f
	}
	if bundle.Unfinished != nil {
		f = r.replacePair(files, bundle.Unfinished, due.journaled, func() error { return files.Complete(bundle) })
	} else if r.plan == nil {
		r.tidied(files.Sweep())
	}
	if f != nil {
		return f
	}
	if !due.required && !due.strayed {
		return r.judgeCertificate(bundle)
	}
	rotation, err := r.reissue(files, bundle, due.known)
	switch {
	case err != nil && due.required:
		return certificateFailure(err, t.CertFile)
	case err != nil: // a leaf that is not yet valid stops no boot
		r.warn(err)
		return r.judgeCertificate(bundle)
	}
	if f := r.replacePair(files, rotation, false, func() error { return files.Install(bundle, rotation) }); f != nil {
		return f
	}
	if r.plan != nil {
		r.certEnd = rotation.NotAfter
		return nil
	}
	if bundle, err = files.Load(); err != nil {
		return certificateFailure(err, t.CertFile)
	}
	return r.judgeCertificate(bundle)
}

// reissueDue says whether the leaf must be re-issued, and what the journal
// knows about that.
type reissueDue struct {
	required  bool      // requested, or the leaf ends too soon: the run fails without it
	strayed   bool      // the gate issued the leaf while the clock was ahead: it is not yet valid
	journaled bool      // a CertificateRotated of this journal names the leaf
	known     time.Time // newest time known before this boot
}

// whyReissue decides before the run's first append, while the journal can be
// read.
func (r *run) whyReissue(bundle *tlscert.Bundle) (due reissueDue, f *Failure) {
	automatic := r.cfg.Transport.CAKeyFile != ""
	// An interrupted rotation counts as the one that is requested now.
	due.required = r.RotateCerts && bundle.Unfinished == nil || automatic && bundle.InWindow(r.clock.used, tlscert.MinLeft)
	early := automatic && bundle.NotYetValid(r.clock.used)
	if early || bundle.Unfinished != nil {
		if due.journaled, f = r.issued(bundle.Leaf.SerialNumber.String()); f != nil {
			return due, f
		}
		due.strayed = early && (due.journaled || bundle.Unfinished != nil)
	}
	if due.required || due.strayed {
		due.known, f = r.knownBefore()
	}
	return due, f
}

func (r *run) judgeCertificate(bundle *tlscert.Bundle) *Failure {
	r.certEnd = bundle.Leaf.NotAfter
	for _, skipped := range bundle.Skipped {
		r.warn(skipped)
	}
	if err := tlscert.Check(bundle, r.clock.used, tlscert.MinLeft); err != nil {
		return certificateFailure(err, bundle.Paths.Cert)
	}
	if bundle.NotYetValid(r.clock.used) {
		r.log.Warn("edge.cert.not_yet_valid", slog.String("path", bundle.Paths.Cert),
			slog.Time("not_before", bundle.Leaf.NotBefore), slog.Time("now", r.clock.used),
			slog.String("next", "check the node's clock; if it is right, deploy a certificate that is valid now"))
	}
	return nil
}

// warn logs a fault of the TLS files that decides nothing.
func (r *run) warn(err error) {
	f := &Failure{Err: err, Path: pathOf(err, r.cfg.Transport.CertFile), Next: nextOf(err, "look at the file")}
	f.explain()
	r.log.Warn("edge.cert.warning", slog.String("path", f.Path), slog.String("err", f.Reason()), slog.String("next", f.Next))
}

// issued reports whether a CertificateRotated of this journal names the serial.
func (r *run) issued(serial string) (bool, *Failure) {
	view := r.history.view
	if view == nil {
		return false, nil // no journal yet
	}
	for rec, err := range view.Records(1, view.Tip().Seq) {
		if err == nil && rec.Type != string(machine.KindCertificateRotated) {
			continue
		}
		var event machine.Event
		if err == nil {
			event, err = replay.Event(rec)
		}
		if err != nil {
			return false, r.unusable(err, "precheck: journal unusable", salvageAdvice)
		}
		if p, ok := event.Payload.(machine.CertificateRotated); ok && p.NewSerial == serial {
			return true, nil
		}
	}
	return false, nil
}

// envelope is more than the size of a record without its data, in bytes.
const envelope = 2048

// reissue issues a successor of the leaf and checks that it can be journaled and,
// in a dry run, that it could be written. Nothing is replaced yet.
func (r *run) reissue(files *tlscert.Files, bundle *tlscert.Bundle, known time.Time) (*tlscert.Rotation, error) {
	rotation, err := tlscert.Rotate(bundle, r.RotationValidDays, tlscert.Times{Known: known, Now: r.clock.used})
	if err != nil {
		return nil, err
	}
	event, err := machine.Encode(rotated(rotation))
	if size := len(event) + envelope; err == nil && size > record.MaxLen {
		err = fmt.Errorf("its event would take %d bytes, the limit of a record is %d", size, record.MaxLen)
	}
	if err != nil {
		return nil, tlscert.NotIssued(bundle, err, "deploy a new pair by hand, with a serial number of at most 20 bytes; nothing was replaced")
	}
	if r.plan != nil {
		return rotation, files.CheckWritable()
	}
	return rotation, nil
}

func rotated(r *tlscert.Rotation) machine.CertificateRotated {
	return machine.CertificateRotated{V: 1, OldSerial: r.OldSerial, NewSerial: r.NewSerial, NotAfter: r.NotAfter.UTC()}
}

// replacePair installs a re-issued pair, journals it, and removes the files that
// the replacement needed. After a crash in between the next run completes it;
// journaled reports that the earlier run had journaled it.
func (r *run) replacePair(files *tlscert.Files, rotation *tlscert.Rotation, journaled bool, place func() error) *Failure {
	if r.plan == nil {
		if err := place(); err != nil {
			return certificateFailure(err, files.Cert)
		}
	}
	if !journaled {
		if _, f := r.append(rotated(rotation)); f != nil {
			return f
		}
		r.log.Info("edge.cert.rotated", slog.String("path", files.Cert),
			slog.String("serial", rotation.NewSerial), slog.Time("not_after", rotation.NotAfter))
	}
	if r.plan == nil {
		r.tidied(files.Finish())
	}
	return nil
}

func (r *run) tidied(err error) {
	if err != nil {
		r.notCleaned(err)
	}
}

func certificateFailure(err error, path string) *Failure {
	return &Failure{Exit: ExitCertificate, Stage: "certificate", Message: "precheck: certificate check failed",
		Path: pathOf(err, path), Err: err, Next: nextOf(err, "renew the node certificate; transport.ca_key_file enables rotation by the gate")}
}
