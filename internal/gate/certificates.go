package gate

import (
	"context"

	"github.com/autonomyops/edged/internal/tlscert"
	"github.com/autonomyops/edged/machine"
)

// checkCertificates reads certificate, key and CA, re-issues the leaf where
// that is asked for or due, and judges validity at the time floor.
func (r *run) checkCertificates(context.Context) *Failure {
	r.readClock()
	t := r.cfg.Transport
	paths := tlscert.Paths{Cert: t.CertFile, Key: t.KeyFile, CA: t.CAFile}
	if r.plan == nil {
		// A rotation that lost power is finished, or undone, before the pair is read.
		if _, err := tlscert.Recover(paths); err != nil {
			return certificateFailure(err, paths.Cert)
		}
	}
	bundle, err := tlscert.Load(paths)
	if err != nil {
		return certificateFailure(err, paths.Cert)
	}
	checked := tlscert.Check(bundle, r.clock.used, tlscert.MinLeft)
	due := bundle.InWindow(r.clock.used, tlscert.MinLeft)
	if r.RotateCerts || (t.CAKeyFile != "" && due) {
		return r.rotateCertificate(bundle, paths)
	}
	if checked != nil {
		return certificateFailure(checked, paths.Cert)
	}
	r.certEnd = bundle.Leaf.NotAfter
	return nil
}

func (r *run) rotateCertificate(bundle *tlscert.Bundle, paths tlscert.Paths) *Failure {
	rotation, err := tlscert.Rotate(bundle, r.cfg.Transport.CAKeyFile, r.RotationValidDays, r.clock.used)
	if err != nil {
		return certificateFailure(err, paths.Cert)
	}
	if r.plan == nil {
		if err := tlscert.Install(bundle, rotation); err != nil {
			return certificateFailure(err, paths.Cert)
		}
	}
	r.certEnd = rotation.NotAfter
	_, f := r.append(machine.CertificateRotated{
		V: 1, OldSerial: rotation.OldSerial, NewSerial: rotation.NewSerial, NotAfter: rotation.NotAfter.UTC(),
	})
	return f
}

func certificateFailure(err error, path string) *Failure {
	return &Failure{Exit: ExitCertificate, Stage: "certificate", Message: "precheck: certificate check failed",
		Path: pathOf(err, path), Err: err, Next: nextOf(err, "renew the node certificate; transport.ca_key_file enables rotation by the gate")}
}
