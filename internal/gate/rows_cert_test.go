package gate

import (
	"encoding/pem"
	"math/big"
	"os"
	"slices"
	"time"

	"github.com/autonomyops/edged/machine"
)

func certificateRows() []situation {
	rotate := func(o *Options) { o.RotateCerts, o.RotationValidDays = true, 30 }
	return []situation{{"the node certificate is re-issued", []scene{
		{"inside its last 7 days, with ca_key_file", false, func(s *stage) {
			s.settled(oneOp)
			s.authority(s.now.Add(-day), s.now.Add(3*day), s.now.Add(900*day))
			s.caKey()
			old := s.leaf()
			s.happens(ExitOK, "CertificateRotated FingerprintCaptured:match")
			now := s.leaf()
			if now.SerialNumber.Cmp(old.SerialNumber) == 0 || now.NotAfter.Before(s.now.Add(364*day)) ||
				now.Subject.CommonName != "node-01" || len(now.DNSNames) != 1 {
				s.t.Errorf("%v until %v", now.Subject, now.NotAfter)
			}
			s.happens(ExitOK, "FingerprintCaptured:match")
		}},
		{"expired, with ca_key_file", false, func(s *stage) {
			s.settled(oneOp)
			s.authority(s.now.Add(-9*day), s.now.Add(-day), s.now.Add(900*day))
			s.caKey()
			s.happens(ExitOK, "CertificateRotated FingerprintCaptured:match")
		}},
		{"--rotate-certs", false, func(s *stage) {
			s.settled(oneOp)
			s.authority(s.now.Add(-day), s.now.Add(300*day), s.now.Add(900*day))
			s.caKey()
			s.happens(ExitOK, "CertificateRotated FingerprintCaptured:match", rotate)
			if got := s.leaf().NotAfter.Sub(s.now); got > 31*day || got < 29*day {
				s.t.Errorf("valid for %v", got)
			}
			s.happens(ExitOK, "FingerprintCaptured:match")
		}},
		{"never beyond the CA's own end", true, func(s *stage) {
			s.settled(oneOp)
			end := s.now.Add(40 * day)
			s.authority(s.now.Add(-day), s.now.Add(3*day), end)
			s.caKey()
			s.happens(ExitOK, "CertificateRotated FingerprintCaptured:match")
			if s.leaf().NotAfter.After(end) {
				s.t.Errorf("until %v, the CA until %v", s.leaf().NotAfter, end)
			}
		}},
		{"without a CA key it fails and changes nothing", true, func(s *stage) {
			s.settled(oneOp)
			s.authority(s.now.Add(-day), s.now.Add(3*day), s.now.Add(900*day))
			before := tree(s.t, s.dir)
			s.happens(ExitCertificate, "PrecheckFailed:3:certificate", rotate)
			untouched(s.t, before, tree(s.t, s.dir))
			s.happens(ExitCertificate, "PrecheckFailed:3:certificate")
		}},
		{"before a first run", true, func(s *stage) {
			s.authority(s.now.Add(-day), s.now.Add(3*day), s.now.Add(900*day))
			s.caKey()
			s.happens(ExitOK, "CertificateRotated FingerprintCaptured:initial")
		}},
		{"its predecessor's name is a folder", true, func(s *stage) {
			s.settled(oneOp)
			s.authority(s.now.Add(-day), s.now.Add(3*day), s.now.Add(900*day))
			s.caKey()
			s.writeFile(s.file("node.key.previous/notes"), []byte("an operator's"))
			s.happens(ExitOK, "CertificateRotated FingerprintCaptured:match")
			s.logged("level=WARN msg=edge.cleanup.failed", "node.key.previous", "a directory is in the way")
			s.silent()
			s.must(os.ReadFile(s.file("node.key.previous/notes")))
			s.must(os.ReadFile(s.file("node.crt.previous")))
		}},
		{"a serial number that no record holds", true, func(s *stage) {
			s.settled(oneOp)
			s.serial = new(big.Int).Lsh(big.NewInt(1), 400_000)
			s.authority(s.now.Add(-day), s.now.Add(3*day), s.now.Add(900*day))
			s.caKey()
			before := tree(s.t, s.dir)
			s.happens(ExitCertificate, "PrecheckFailed:3:certificate")
			s.logged("the limit of a record is 65535", "nothing was replaced")
			untouched(s.t, before, tree(s.t, s.dir))
		}},
	}}, {"the leaf is not yet valid", []scene{
		{"a board without a clock, and a new certificate", false, func(s *stage) {
			s.settled(oneOp)
			s.authority(s.now.Add(30*day), s.now.Add(90*day), s.now.Add(900*day))
			s.happens(ExitOK, "FingerprintCaptured:match")
			s.logged("level=WARN msg=edge.cert.not_yet_valid", "not_before=")
		}},
		{"the same in 1970, on a first run", false, func(s *stage) {
			s.now = time.Unix(30, 0).UTC()
			s.happens(ExitOK, "FingerprintCaptured:initial")
			s.logged("level=WARN msg=edge.cert.not_yet_valid")
		}},
		{"the gate may re-issue, but did not issue this one", false, func(s *stage) {
			s.settled(oneOp)
			s.authority(s.now.Add(30*day), s.now.Add(90*day), s.now.Add(900*day))
			s.caKey()
			s.happens(ExitOK, "FingerprintCaptured:match")
			s.logged("level=WARN msg=edge.cert.not_yet_valid")
		}},
		{"one boot in 2031 re-issued it", true, func(s *stage) {
			now := s.runaway(2031)
			s.silent()
			s.now = now
			s.happens(ExitOK, "FingerprintCaptured:match")
			s.operate(machine.ClockReset{V: 1, By: "op", Reason: "2031", Old: s.now, New: now})
			s.happens(ExitOK, "FingerprintCaptured:match")
			if s.logs.Len() != 0 || s.leaf().NotBefore.After(now) {
				s.t.Errorf("valid from %v, now %v: %s", s.leaf().NotBefore, now, s.logs.String())
			}
		}},
		{"several runs of one boot in 2031 re-issued it", true, func(s *stage) {
			now := s.runaway(2031)
			if exit := s.again(func(o *Options) { o.RotateCerts = true }); exit != ExitOK {
				s.t.Fatal(exit, s.logs.String())
			}
			s.now = now
			s.operate(machine.ClockReset{V: 1, By: "op", Reason: "2031", Old: s.now, New: now})
			s.happens(ExitOK, "FingerprintCaptured:match")
			if s.logs.Len() != 0 {
				s.t.Errorf("valid from %v, now %v: %s", s.leaf().NotBefore, now, s.logs.String())
			}
		}},
		{"boots in 2031 and 2033 re-issued it, the clock was reset", true, func(s *stage) {
			now := s.runaway(2031)
			s.runaway(2033)
			s.now = now
			s.operate(machine.ClockReset{V: 1, By: "op", Reason: "2033", Old: s.now, New: now})
			s.happens(ExitOK, "CertificateRotated FingerprintCaptured:match")
			if s.leaf().NotBefore.After(now) {
				s.t.Errorf("valid from %v, now %v", s.leaf().NotBefore, now)
			}
			s.silent()
		}},
		{"the same, and the CA key is gone", true, func(s *stage) {
			now := s.runaway(2031)
			s.runaway(2033)
			s.now = now
			s.operate(machine.ClockReset{V: 1, By: "op", Reason: "2033", Old: s.now, New: now})
			s.check(os.Remove(s.file("ca.key")))
			s.happens(ExitOK, "FingerprintCaptured:match")
			s.logged("level=WARN msg=edge.cert.warning", "ca.key")
			s.logged("level=WARN msg=edge.cert.not_yet_valid")
		}},
	}}, {"a part of a TLS file cannot be used", []scene{
		{"a certificate of the CA bundle", false, func(s *stage) {
			s.settled(oneOp)
			ca := s.must(os.ReadFile(s.file("ca.crt")))
			s.writeFile(s.file("ca.crt"), append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), ca...))
			s.happens(ExitOK, "FingerprintCaptured:match")
			s.logged("level=WARN msg=edge.cert.warning", "ca.crt", "certificate number 1")
		}},
		{"the CA after a byte-order mark", true, func(s *stage) {
			s.settled(oneOp)
			ca := s.must(os.ReadFile(s.file("ca.crt")))
			s.writeFile(s.file("ca.crt"), slices.Concat(ca, []byte("\uFEFF"), ca))
			s.happens(ExitOK, "FingerprintCaptured:match")
			s.logged("level=WARN msg=edge.cert.warning", "ca.crt", "a byte-order mark before BEGIN")
			s.writeFile(s.file("ca.crt"), slices.Concat([]byte("\uFEFF"), ca))
			s.happens(ExitCertificate, "PrecheckFailed:3:certificate")
		}},
	}}}
}

// runaway boots once with a clock that runs ahead to that year, on a node whose
// certificate the gate may re-issue, and gives the time that it was.
func (s *stage) runaway(year int) (was time.Time) {
	s.t.Helper()
	if s.boots == 0 {
		s.settled(oneOp)
		s.authority(s.now.Add(-day), s.now.Add(300*day), s.now.Add(20*365*day))
		s.caKey()
		s.boot(ExitOK)
	}
	was = s.now
	s.now = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
	old := s.leaf().SerialNumber
	s.boot(ExitOK)
	if s.leaf().SerialNumber.Cmp(old) == 0 {
		s.t.Fatal("the leaf was not re-issued")
	}
	return was
}
