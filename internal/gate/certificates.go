package gate

import (
	"context"
	"log/slog"

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
	if r.RotateCerts || (t.CAKeyFile != "" && bundle.InWindow(r.clock.used, tlscert.MinLeft)) {
		return r.rotateCertificate(bundle)
	}
	return r.judgeCertificate(bundle)
}

func (r *run) judgeCertificate(bundle *tlscert.Bundle) *Failure {
	r.certEnd = bundle.Leaf.NotAfter
	if err := tlscert.Check(bundle, r.clock.used, tlscert.MinLeft); err != nil {
		return certificateFailure(err, bundle.Paths.Cert)
	}
	return nil
}

// rotateCertificate re-issues the leaf, and judges what it has put in place.
func (r *run) rotateCertificate(bundle *tlscert.Bundle) *Failure {
	rotation, err := tlscert.Rotate(bundle, r.cfg.Transport.CAKeyFile, r.RotationValidDays, r.clock.used)
	if err != nil {
		return certificateFailure(err, bundle.Paths.Cert)
	}
	if r.plan == nil {
		if err := tlscert.Install(bundle, rotation); err != nil {
			return certificateFailure(err, bundle.Paths.Cert)
		}
	}
	if _, f := r.append(machine.CertificateRotated{
		V: 1, OldSerial: rotation.OldSerial, NewSerial: rotation.NewSerial, NotAfter: rotation.NotAfter.UTC(),
	}); f != nil {
		return f
	}
	r.log.Info("edge.tls.certificate_rotated", slog.String("path", bundle.Paths.Cert),
		slog.String("serial", rotation.NewSerial), slog.Time("not_after", rotation.NotAfter))
	if r.plan != nil {
		r.certEnd = rotation.NotAfter
		return nil
	}
	bundle, err = tlscert.Load(bundle.Paths)
	if err != nil {
		return certificateFailure(err, r.cfg.Transport.CertFile)
	}
	return r.judgeCertificate(bundle)
}

func certificateFailure(err error, path string) *Failure {
	return &Failure{Exit: ExitCertificate, Stage: "certificate", Message: "precheck: certificate check failed",
		Path: pathOf(err, path), Err: err, Next: nextOf(err, "renew the node certificate; transport.ca_key_file enables rotation by the gate")}
}
