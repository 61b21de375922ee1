package gate

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"os"
	"strings"

	"github.com/autonomyops/edged/machine"
)

func firstRunRows() []situation {
	return []situation{
		{"first run, no fingerprint file", []scene{
			{"no manifest", false, func(s *stage) {
				s.happens(ExitOK, "FingerprintCaptured:initial")
				s.logged("level=INFO msg=edge.os.fingerprint_initialized composite_hash=" + s.liveHash())
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
			{"a manifest that verifies", false, func(s *stage) {
				s.write("runtime/binaries/app", []byte("#!app"))
				s.deploy(oneOp)
				s.happens(ExitOK, "ManifestVerified FingerprintCaptured:initial")
				if _, err := os.Stat(s.path("bin/app")); err == nil {
					s.t.Error("a first run applied an operation")
				}
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
			{"a manifest that the pinned key signed", false, func(s *stage) {
				s.pinKey()
				s.deploy(emptyManifest)
				s.happens(ExitOK, "ManifestVerified FingerprintCaptured:initial")
			}},
			{"verify_runtime, the runtime as its manifest installs it or not there yet", false, func(s *stage) {
				s.gateKeys("verify_runtime: true")
				s.write("runtime/binaries/app", []byte("#!app"))
				s.write("bin/pinned", []byte("#!pinned"))
				s.check(os.Chmod(s.path("bin/pinned"), 0o755))
				s.deploy(`{"version":"1","operations":[{"op":"copy_binary","src":"app","dst":"bin/app"},` +
					`{"op":"copy_binary","src":"gone","dst":"bin/pinned","blake3":"` + blake3Hex([]byte("#!pinned")) + `"}]}`)
				s.happens(ExitOK, "ManifestVerified FingerprintCaptured:initial")
			}},
			{"a failure was record 1", true, func(s *stage) {
				s.certificate(day)
				s.happens(ExitCertificate, "PrecheckFailed:3:certificate")
				s.certificate(90 * day)
				s.happens(ExitOK, "FingerprintCaptured:initial")
			}},
			{"a wiped node over a manifest of another key", true, func(s *stage) {
				s.deploy(emptyManifest)
				s.write("runtime/manifest.json.sig", ed25519.Sign(s.key, []byte("other bytes")))
				s.happens(ExitReconstruction, "PrecheckFailed:5:manifest")
				s.logged("level=ERROR", "precheck: manifest signature verification failed")
				if _, err := os.Stat(s.path("bootstrap/os_fingerprint.json")); err == nil {
					s.t.Error("a baseline was published over a manifest that does not verify")
				}
			}},
			{"a wiped node over a manifest without a key", true, func(s *stage) {
				s.deploy(emptyManifest)
				s.remove("identity/manifest-verify.pub")
				s.happens(ExitReconstruction, "PrecheckFailed:5:manifest")
			}},
			{"a pinned key, and no manifest", true, func(s *stage) {
				s.pinKey()
				s.happens(ExitReconstruction, "PrecheckFailed:5:manifest")
				s.logged("level=ERROR", "gate.manifest_key_blake3", "first run needs a manifest")
				s.deploy(emptyManifest)
				s.happens(ExitOK, "ManifestVerified FingerprintCaptured:initial")
			}},
			{"a wiped node whose runtime was replaced, manifest and signature gone, under a pinned key", true, func(s *stage) {
				s.wiped("verify_runtime: true, manifest_key_blake3: " + s.keyHash())
				s.remove("runtime/manifest.json")
				s.remove("runtime/manifest.json.sig")
				s.happens(ExitReconstruction, "PrecheckFailed:5:manifest")
			}},
			{"a wiped node whose runtime was replaced, verify_runtime", true, func(s *stage) {
				s.wiped("verify_runtime: true")
				s.happens(ExitOK, "ManifestVerified FingerprintCaptured:differs UpdateDetected:runtime_drift#1 ManifestVerified OpApplied EpochRotated")
				if got := string(s.read("bin/app")); got != "#!app" {
					s.t.Errorf("the runtime is %q", got)
				}
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
			{"the same, and its source is not there", true, func(s *stage) {
				s.wiped("verify_runtime: true")
				s.remove("runtime/binaries/app")
				s.happens(ExitReconstruction, "ManifestVerified FingerprintCaptured:differs UpdateDetected:runtime_drift#1 PrecheckFailed:5:operation")
				s.write("runtime/binaries/app", []byte("#!app"))
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:runtime_drift#2 ManifestVerified OpApplied EpochRotated")
			}},
			{"power lost while the journal was made", true, func(s *stage) {
				s.write("journal.new/000001.log", []byte("remains"))
				s.happens(ExitOK, "FingerprintCaptured:initial")
				if _, err := os.Stat(s.path("journal.new")); err == nil {
					s.t.Error("the remains are still there")
				}
			}},
			{"names that only begin like the journal's", true, func(s *stage) {
				kept := []string{"journal.newest-backup/notes", "journal.news", "journal.old/tail", "journal-of-the-shift"}
				for _, name := range kept {
					s.write(name, []byte("kept"))
				}
				s.happens(ExitOK, "FingerprintCaptured:initial")
				s.write("journal.new/0001.seg", []byte("kept")) // beside a journal it was left by no creation
				s.happens(ExitOK, "FingerprintCaptured:match")
				for _, name := range append(kept, "journal.new/0001.seg") {
					if string(s.read(name)) != "kept" {
						s.t.Errorf("%s is changed", name)
					}
				}
			}},
			{"after a salvage that was cut short", true, func(s *stage) {
				s.write("journal.quarantine-20260304T100000.000000000Z/tail", nil)
				s.lost("journal.quarantine-20260304T100000.000000000Z refers to a journal")
			}},
		}},
		{"first run, fingerprint file empty or unparseable", []scene{
			{"empty", false, func(s *stage) {
				s.deploy(emptyManifest)
				s.write("bootstrap/os_fingerprint.json", nil)
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:fingerprint_tampered#1 ManifestVerified EpochRotated")
				if got := s.fingerprint().BootEpoch; got != 1 {
					s.t.Errorf("epoch %d", got)
				}
			}},
			{"the evidence gives the epoch's floor", false, func(s *stage) {
				s.deploy(emptyManifest)
				s.legacy(zeroHash, 6)
				s.write("bootstrap/os_fingerprint.json", []byte("{ not JSON"))
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:fingerprint_tampered#1 ManifestVerified EpochRotated")
				if got := s.fingerprint().BootEpoch; got != 7 {
					s.t.Errorf("epoch %d, the evidence proves 6", got)
				}
			}},
			{"emptied to pass for a first run, without a manifest", true, func(s *stage) {
				s.write("bootstrap/os_fingerprint.json", nil)
				s.happens(ExitReconstruction, "FingerprintCaptured:differs UpdateDetected:fingerprint_tampered#1 PrecheckFailed:5:manifest")
				s.happens(ExitReconstruction, "FingerprintCaptured:differs UpdateDetected:fingerprint_tampered#2 PrecheckFailed:5:manifest")
			}},
		}},
	}
}

func legacyRows() []situation {
	return []situation{{"first run over state of the journal-less software", []scene{
		{"epoch 0, the same OS", false, func(s *stage) {
			s.legacy(s.liveHash(), 0)
			file := s.read("bootstrap/os_fingerprint.json")
			s.happens(ExitOK, "LegacyStateAdopted FingerprintCaptured:match")
			_, events := s.history()
			if p := events[0].Payload.(machine.LegacyStateAdopted); !bytes.Equal(p.File, file) || p.CompositeHash != s.liveHash() {
				s.t.Errorf("adopted %+v", p)
			}
			s.happens(ExitOK, "FingerprintCaptured:match")
			if s.logs.Len() != 0 {
				s.t.Errorf("a clean boot said %s", s.logs.String())
			}
		}},
		{"epoch 0, another OS", false, func(s *stage) {
			s.legacy(zeroHash, 0)
			s.deploy(emptyManifest)
			s.happens(ExitOK, "ManifestVerified LegacyStateAdopted FingerprintCaptured:differs UpdateDetected:os_changed#1 ManifestVerified EpochRotated")
			s.logged("edge.os.update_detected", "previous_hash="+zeroHash)
		}},
		{"epoch 4", false, func(s *stage) {
			s.legacy(s.liveHash(), 4)
			s.deploy(emptyManifest)
			s.happens(ExitOK, "ManifestVerified LegacyStateAdopted FingerprintCaptured:match UpdateDetected:legacy#1 ManifestVerified EpochRotated")
			if got := s.fingerprint().BootEpoch; got != 5 {
				s.t.Errorf("epoch %d, want 5", got)
			}
			if _, err := os.Stat(s.path("epoch/previous")); err == nil {
				s.t.Error("previous/ before this journal's second epoch")
			}
			s.happens(ExitOK, "FingerprintCaptured:match")
		}},
		{"epoch 4 without a manifest fails closed and keeps the legacy files", true, func(s *stage) {
			s.legacy(s.liveHash(), 4)
			file, evidence := s.read("bootstrap/os_fingerprint.json"), s.read("epoch/current/evidence.json")
			s.happens(ExitReconstruction, "LegacyStateAdopted FingerprintCaptured:match UpdateDetected:legacy#1 PrecheckFailed:5:manifest")
			if !bytes.Equal(file, s.read("bootstrap/os_fingerprint.json")) || !bytes.Equal(evidence, s.read("epoch/current/evidence.json")) {
				s.t.Error("the legacy files changed")
			}
			s.deploy(emptyManifest)
			s.happens(ExitOK, "FingerprintCaptured:match UpdateDetected:legacy#2 ManifestVerified EpochRotated")
		}},
		{"a planted file over a manifest whose signature does not verify", true, func(s *stage) {
			for _, epoch := range []int{0, 4} {
				s.legacy(s.liveHash(), epoch)
				s.deploy(emptyManifest)
				s.write("runtime/manifest.json.sig", ed25519.Sign(s.key, []byte("other bytes")))
				s.happens(ExitReconstruction, "PrecheckFailed:5:manifest")
				s.logged("level=ERROR", "precheck: manifest signature verification failed")
			}
		}},
		{"a planted file over a manifest of another key than the pinned one", true, func(s *stage) {
			s.gateKeys(`manifest_key_blake3: "` + zeroHash + `"`)
			s.legacy(s.liveHash(), 0)
			s.deploy(emptyManifest)
			s.happens(ExitReconstruction, "PrecheckFailed:5:manifest")
			s.logged("level=ERROR", "precheck: manifest verify key is not the pinned one")
		}},
		{"a planted file under a pinned key, without a manifest", true, func(s *stage) {
			s.pinKey()
			s.legacy(s.liveHash(), 4)
			s.happens(ExitReconstruction, "PrecheckFailed:5:manifest")
			s.deploy(emptyManifest)
			s.happens(ExitOK, "ManifestVerified LegacyStateAdopted FingerprintCaptured:match UpdateDetected:legacy#1 ManifestVerified EpochRotated")
		}},
		{"a planted file over a replaced runtime, verify_runtime", true, func(s *stage) {
			s.wiped("verify_runtime: true")
			s.legacy(s.liveHash(), 0)
			s.happens(ExitOK, "ManifestVerified LegacyStateAdopted FingerprintCaptured:match UpdateDetected:runtime_drift#1 ManifestVerified OpApplied EpochRotated")
			if got := string(s.read("bin/app")); got != "#!app" {
				s.t.Errorf("the runtime is %q", got)
			}
		}},
		{"files of 20 KiB each are adopted whole", true, func(s *stage) {
			pad := func(text string, n int) []byte { return []byte(text + strings.Repeat(" ", n-len(text))) }
			file := pad(`{"composite_hash":"`+s.liveHash()+`","boot_epoch":0}`, 20<<10)
			s.write("bootstrap/os_fingerprint.json", file)
			evidence := pad(`{"os_fingerprint":{"boot_epoch":0}}`, 20<<10)
			s.write("epoch/current/evidence.json", evidence)
			s.happens(ExitOK, "LegacyStateAdopted FingerprintCaptured:match")
			_, events := s.history()
			if p := events[0].Payload.(machine.LegacyStateAdopted); !bytes.Equal(p.File, file) || !bytes.Equal(p.Evidence, evidence) {
				s.t.Errorf("adopted %d and %d bytes", len(p.File), len(p.Evidence))
			}
		}},
		{"its evidence is not judged before the first epoch", true, func(s *stage) {
			s.legacy(s.liveHash(), 0)
			s.write("epoch/current/evidence.json", []byte(`{"os_fingerprint":{"boot_epoch":0},"note":"anything"}`))
			s.happens(ExitOK, "LegacyStateAdopted FingerprintCaptured:match")
			s.write("epoch/current/evidence.json", []byte(`edited`))
			s.happens(ExitOK, "FingerprintCaptured:match")
		}},
		{"power lost before publication", true, func(s *stage) {
			s.legacy(s.liveHash(), 0)
			file := s.read("bootstrap/os_fingerprint.json")
			s.boot(ExitOK)
			s.write("bootstrap/os_fingerprint.json", file)
			s.happens(ExitOK, "FingerprintCaptured:match ProjectionRepaired:os_fingerprint.json:answered")
			s.happens(ExitOK, "FingerprintCaptured:match")
		}},
		{"the adopted file put back after an epoch", true, func(s *stage) {
			s.legacy(s.liveHash(), 0)
			file := s.read("bootstrap/os_fingerprint.json")
			s.boot(ExitOK)
			s.deploy(emptyManifest)
			s.update()
			s.boot(ExitOK)
			s.write("bootstrap/os_fingerprint.json", file)
			s.happens(ExitOK, "FingerprintCaptured:match UpdateDetected:foreign_writer#1 ManifestVerified EpochRotated")
		}},
		{"a file above 20 KiB is not adopted", true, func(s *stage) {
			s.deploy(emptyManifest)
			s.write("bootstrap/os_fingerprint.json", fmt.Appendf(nil,
				`{"composite_hash":%q,"os_release":%q,"boot_epoch":3}`, s.liveHash(), strings.Repeat("x", 21<<10)))
			s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:fingerprint_tampered#1 ManifestVerified EpochRotated")
		}},
		{"evidence that names a journal is no legacy state", true, func(s *stage) {
			s.legacy(s.liveHash(), 0)
			s.write("epoch/current/evidence.json", []byte(`{"journal":{}}`))
			s.deploy(emptyManifest)
			s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:fingerprint_tampered#1 ManifestVerified EpochRotated")
		}},
	}}}
}
