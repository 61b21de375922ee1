package gate

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/autonomyops/edged/machine"
)

func bootRows() []situation {
	return []situation{
		{"live equals baseline, files agree", []scene{
			{"silent", false, func(s *stage) {
				s.settled(emptyManifest)
				before := tree(s.t, s.path("bootstrap/os_fingerprint.json"))
				s.happens(ExitOK, "FingerprintCaptured:match")
				if s.logs.Len() != 0 {
					s.t.Errorf("a clean boot said %s", s.logs.String())
				}
				sameTree(s.t, "a clean boot", before, tree(s.t, s.path("bootstrap/os_fingerprint.json")))
			}},
			{"in the second epoch", false, func(s *stage) {
				s.updated(2, oneOp)
				epoch := tree(s.t, s.path("epoch"))
				s.happens(ExitOK, "FingerprintCaptured:match")
				sameTree(s.t, "a clean boot", epoch, tree(s.t, s.path("epoch")))
			}},
			{"a manifest that does not verify stops no healthy node", true, func(s *stage) {
				s.settled(emptyManifest)
				s.write("runtime/manifest.json", []byte("not even JSON"))
				s.remove("identity/manifest-verify.pub")
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
		}},
		{"live differs from baseline", []scene{
			{"a kernel update", false, func(s *stage) {
				s.settled(oneOp)
				previous := s.liveHash()
				s.update()
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:os_changed#1 ManifestVerified OpApplied EpochRotated")
				s.logged("level=WARN msg=edge.os.update_detected previous_hash="+previous, "current_hash="+s.liveHash(), "changed=[uname_release]")
				s.logged("level=INFO msg=edge.os.reconstruction_started")
				s.logged("level=INFO msg=edge.os.reconstruction_completed duration_seconds=", "boot_epoch=1")
				if got := string(s.read("bin/app")); got != "#!app" {
					s.t.Errorf("installed %q", got)
				}
			}},
			{"an os-release update", false, func(s *stage) {
				s.settled(emptyManifest)
				s.writeFile(s.osRelease(), []byte("ID=ubuntu\nVERSION_ID=26.04\n"))
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:os_changed#1 ManifestVerified EpochRotated")
				s.logged("changed=[etc_os_release]")
			}},
			{"another OS without verified material", true, func(s *stage) {
				s.settled(emptyManifest)
				s.remove("runtime/manifest.json")
				s.update()
				s.happens(ExitReconstruction, "FingerprintCaptured:differs UpdateDetected:os_changed#1 PrecheckFailed:5:manifest")
				if got := s.fingerprint(); got.BootEpoch != 0 || got.CompositeHash == s.liveHash() {
					s.t.Errorf("fingerprint %+v", got)
				}
			}},
			{"two builds of one os-release and one kernel are one system, BUILD_ID makes them two", true, func(s *stage) {
				s.settled(emptyManifest)
				s.happens(ExitOK, "FingerprintCaptured:match")
				text := string(s.must(os.ReadFile(s.osRelease())))
				s.writeFile(s.osRelease(), []byte(text+"BUILD_ID=2\n"))
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:os_changed#1 ManifestVerified EpochRotated")
			}},
			{"everything that is not the gate's survives byte for byte", true, func(s *stage) {
				s.settled(oneOp)
				s.update()
				before := tree(s.t, s.root)
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:os_changed#1 ManifestVerified OpApplied EpochRotated")
				own := []string{"bootstrap/os_fingerprint.json", "epoch", "epoch/current", "epoch/current/evidence.json", "bin", "bin/app"}
				after := tree(s.t, s.root)
				for _, name := range differing(before, after) {
					if !gateOwns("state/"+name, before[name], after[name]) && !strings.Contains("\n"+strings.Join(own, "\n")+"\n", "\n"+name+"\n") && name != "." {
						s.t.Errorf("%s changed", name)
					}
				}
			}},
		}},
	}
}

func reconstructionRows() []situation {
	breakSignature := func(s *stage) { s.write("runtime/manifest.json.sig", make([]byte, 64)) }
	return []situation{
		{"reconstruction fails", []scene{
			{"and the next boot tries again", false, func(s *stage) {
				s.settled(oneOp)
				breakSignature(s)
				s.update()
				s.happens(ExitReconstruction, "FingerprintCaptured:differs UpdateDetected:os_changed#1 PrecheckFailed:5:manifest")
				s.happens(ExitReconstruction, "FingerprintCaptured:differs UpdateDetected:os_changed#2 PrecheckFailed:5:manifest")
				s.deploy(oneOp)
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:os_changed#3 ManifestVerified OpApplied EpochRotated")
				if got := s.fingerprint().BootEpoch; got != 1 {
					s.t.Errorf("epoch %d", got)
				}
			}},
			{"stuck from max_attempts on", false, func(s *stage) {
				s.settled(oneOp)
				s.gateKeys("max_attempts: 2")
				breakSignature(s)
				s.update()
				s.happens(ExitReconstruction, "FingerprintCaptured:differs UpdateDetected:os_changed#1 PrecheckFailed:5:manifest")
				if strings.Contains(s.logs.String(), "edge.os.reconstruction_stuck") {
					s.t.Error("stuck after one attempt of two")
				}
				for attempt := 2; attempt <= 3; attempt++ {
					s.happens(ExitReconstruction, fmt.Sprintf("FingerprintCaptured:differs UpdateDetected:os_changed#%d PrecheckFailed:5:manifest", attempt))
					s.logged("level=ERROR msg=edge.os.reconstruction_stuck", fmt.Sprintf("attempts=%d", attempt))
				}
			}},
			{"at the second of three operations", true, func(s *stage) {
				s.settled(`{"version":"1","operations":[{"op":"copy_binary","src":"app","dst":"bin/a"},` +
					`{"op":"copy_binary","src":"edged","dst":"bin/b","blake3":"` + zeroHash + `"},{"op":"copy_binary","src":"app","dst":"bin/c"}]}`)
				s.update()
				before := tree(s.t, s.dir)
				s.happens(ExitReconstruction, "FingerprintCaptured:differs UpdateDetected:os_changed#1 ManifestVerified OpApplied PrecheckFailed:5:operation")
				untouched(s.t, before, tree(s.t, s.dir), "state/bin", "state/bin/a", "state")
			}},
			{"a bad certificate is no attempt", true, func(s *stage) {
				s.settled(oneOp)
				breakSignature(s)
				s.update()
				s.happens(ExitReconstruction, "FingerprintCaptured:differs UpdateDetected:os_changed#1 PrecheckFailed:5:manifest")
				s.certificate(day)
				s.happens(ExitCertificate, "PrecheckFailed:3:certificate")
				s.certificate(90 * day)
				s.deploy(oneOp)
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:os_changed#2 ManifestVerified OpApplied EpochRotated")
			}},
		}},
		{"power lost in the middle", powerLostScenes()},
		{"the OS changes again while a reconstruction is open", []scene{
			{"superseded", false, func(s *stage) {
				s.settled(oneOp)
				breakSignature(s)
				s.update()
				s.boot(ExitReconstruction)
				s.deploy(oneOp)
				s.update()
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:os_changed#2:supersedes ManifestVerified OpApplied EpochRotated")
				if got := s.fingerprint(); got.BootEpoch != 1 || got.CompositeHash != s.liveHash() {
					s.t.Errorf("fingerprint %+v", got)
				}
			}},
			{"a supersession launders no tampering", true, func(s *stage) {
				s.settled(oneOp)
				breakSignature(s)
				s.tamper(map[string]any{"composite_hash": zeroHash})
				s.boot(ExitReconstruction)
				s.update()
				s.happens(ExitReconstruction, "FingerprintCaptured:differs UpdateDetected:fingerprint_tampered+os_changed#2:supersedes PrecheckFailed:5:manifest")
				s.deploy(oneOp)
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:fingerprint_tampered+os_changed#3 ManifestVerified OpApplied EpochRotated")
			}},
		}},
		{"the OS goes back to the baseline while a reconstruction is open", []scene{
			{"an A/B updater falls back", false, func(s *stage) {
				s.settled(oneOp)
				breakSignature(s)
				kernel := s.kernel
				s.update()
				s.boot(ExitReconstruction)
				s.kernel = kernel
				s.happens(ExitOK, "FingerprintCaptured:match UpdateAbandoned")
				s.logged("level=WARN msg=edge.os.update_abandoned")
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
			{"never for another cause", true, func(s *stage) {
				s.settled(oneOp)
				breakSignature(s)
				kernel := s.kernel
				s.update()
				s.tamper(map[string]any{"boot_epoch": 9})
				s.boot(ExitReconstruction)
				s.kernel = kernel
				s.happens(ExitReconstruction, "FingerprintCaptured:match UpdateDetected:fingerprint_tampered+os_changed#2:supersedes PrecheckFailed:5:manifest")
			}},
			{"never after an operation was applied", true, func(s *stage) {
				s.settled(`{"version":"1","operations":[{"op":"copy_binary","src":"app","dst":"bin/a"},{"op":"copy_binary","src":"app","dst":"bin/b","blake3":"` + zeroHash + `"}]}`)
				kernel := s.kernel
				s.update()
				s.boot(ExitReconstruction)
				s.kernel = kernel
				s.deploy(oneOp)
				s.happens(ExitOK, "FingerprintCaptured:match UpdateDetected:os_changed#2:supersedes ManifestVerified OpApplied EpochRotated")
			}},
			{"an abandonment launders no edit made meanwhile", true, func(s *stage) {
				s.settled(oneOp)
				breakSignature(s)
				kernel := s.kernel
				s.update()
				s.boot(ExitReconstruction)
				s.kernel = kernel
				s.deploy(oneOp)
				s.tamper(map[string]any{"composite_hash": zeroHash})
				s.happens(ExitOK, "FingerprintCaptured:match UpdateAbandoned UpdateDetected:fingerprint_tampered#1 ManifestVerified OpApplied EpochRotated")
			}},
		}},
		{"while a reconstruction is open the fingerprint file is not judged", []scene{
			{"missing", false, func(s *stage) {
				s.settled(oneOp)
				breakSignature(s)
				s.update()
				s.boot(ExitReconstruction)
				s.remove("bootstrap/os_fingerprint.json")
				s.happens(ExitReconstruction, "FingerprintCaptured:differs UpdateDetected:os_changed#2 PrecheckFailed:5:manifest")
				s.deploy(oneOp)
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:os_changed#3 ManifestVerified OpApplied EpochRotated")
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
			{"its epoch is never believed", true, func(s *stage) {
				s.settled(oneOp)
				breakSignature(s)
				s.update()
				s.boot(ExitReconstruction)
				s.tamper(map[string]any{"boot_epoch": 41})
				s.deploy(oneOp)
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:os_changed#2 ManifestVerified OpApplied EpochRotated")
				if got := s.fingerprint().BootEpoch; got != 1 {
					s.t.Errorf("epoch %d", got)
				}
			}},
		}},
	}
}

// fileRows are those of the projections.
func fileRows() []situation {
	const fp, repaired = "bootstrap/os_fingerprint.json", "FingerprintCaptured:match ProjectionRepaired:os_fingerprint.json:"
	const rebuilt, again = " ManifestVerified OpApplied EpochRotated", " ManifestVerified OpApplied:in_place EpochRotated"
	return []situation{
		{"os_fingerprint.json missing, stale, reformatted or answered", []scene{
			{"missing", false, func(s *stage) {
				s.updated(1, oneOp)
				want := s.read(fp)
				s.remove(fp)
				s.happens(ExitOK, repaired+"missing")
				s.logged("level=WARN msg=edge.projection.repaired path=", fp+" reason=missing")
				if !bytes.Equal(want, s.read(fp)) {
					s.t.Error("it was not made again byte for byte")
				}
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
			{"of an earlier state of this journal", false, func(s *stage) {
				s.settled(oneOp)
				old := s.read(fp)
				for range 2 {
					s.update()
					s.boot(ExitOK)
				}
				s.write(fp, old)
				s.happens(ExitOK, repaired+"stale")
			}},
			{"equal in meaning, not in bytes", false, func(s *stage) {
				s.updated(1, oneOp)
				want := s.read(fp)
				s.write(fp, bytes.ReplaceAll(want, []byte("\n"), []byte(" \n")))
				s.happens(ExitOK, repaired+"reformatted")
				if !bytes.Equal(want, s.read(fp)) {
					s.t.Error("it was not made again byte for byte")
				}
			}},
			{"power lost before publication: answered once", true, func(s *stage) {
				s.settled(oneOp)
				s.tamper(map[string]any{"composite_hash": zeroHash})
				tampered := s.read(fp)
				s.boot(ExitOK)
				s.write(fp, tampered)
				s.happens(ExitOK, repaired+"answered")
				if got := s.fingerprint().BootEpoch; got != 1 {
					s.t.Errorf("one tampering, epoch %d", got)
				}
			}},
			{"orphans of a publication are removed", true, func(s *stage) {
				s.updated(1, oneOp)
				s.write("epoch/epoch_123.tmp/evidence.json", []byte("half"))
				s.write(fp+".tmp", []byte("half"))
				s.happens(ExitOK, "FingerprintCaptured:match")
				for _, name := range []string{"epoch/epoch_123.tmp", fp + ".tmp"} {
					if _, err := os.Stat(s.path(name)); err == nil {
						s.t.Errorf("%s is still there", name)
					}
				}
			}},
			{"a file that only looks like an orphan stays", true, func(s *stage) {
				s.updated(1, oneOp)
				kept := map[string]string{"bootstrap/site.tmp": "a signed source", "bootstrap/x.tmp/deep": "x", fp + ".tmp/notes": "mine",
					"epoch/epoch_x.tmp/evidence.json": "x", "epoch/epoch_5.tmp/notes": "mine"}
				for name, text := range kept {
					s.write(name, []byte(text))
				}
				s.happens(ExitOK, "FingerprintCaptured:match")
				for name, text := range kept {
					if got, err := os.ReadFile(s.path(name)); err != nil || string(got) != text {
						s.t.Errorf("%s: %q, %v", name, got, err)
					}
				}
				s.logged("level=WARN", "edge.cleanup.failed", "epoch/epoch_5.tmp", "it holds notes")
			}},
		}},
		{"os_fingerprint.json edited, empty or unparseable", []scene{
			{"edited, the digest left as it was", false, func(s *stage) {
				s.settled(oneOp)
				s.tamper(map[string]any{"composite_hash": zeroHash, "boot_epoch": 77})
				found := blake3Hex(s.read(fp))
				s.happens(ExitOK, "FingerprintCaptured:match UpdateDetected:fingerprint_tampered#1"+rebuilt)
				s.logged("edge.os.update_detected", "previous_hash="+zeroHash)
				_, events := s.history()
				u := events[len(events)-4].Payload.(machine.UpdateDetected)
				if u.FoundFileBLAKE3 != found || u.FoundFileEpoch == nil || *u.FoundFileEpoch != 77 || s.fingerprint().BootEpoch != 1 {
					s.t.Errorf("%+v, epoch %d", u, s.fingerprint().BootEpoch)
				}
			}},
			{"empty", false, func(s *stage) {
				s.settled(oneOp)
				s.write(fp, nil)
				s.happens(ExitOK, "FingerprintCaptured:match UpdateDetected:fingerprint_tampered#1"+rebuilt)
			}},
			{"unparseable", false, func(s *stage) {
				s.settled(oneOp)
				s.write(fp, append(s.read(fp), '}'))
				s.happens(ExitOK, "FingerprintCaptured:match UpdateDetected:fingerprint_tampered#1"+rebuilt)
			}},
			{"edited with the digest made right", true, func(s *stage) {
				s.updated(1, oneOp)
				s.forge(map[string]any{"boot_epoch": 0})
				s.happens(ExitOK, "FingerprintCaptured:match UpdateDetected:fingerprint_tampered#1"+again)
				if got := s.fingerprint().BootEpoch; got != 2 {
					s.t.Errorf("epoch %d", got)
				}
			}},
			{"edited with nothing to reconstruct from", true, func(s *stage) {
				s.settled(oneOp)
				s.remove("runtime/manifest.json.sig")
				s.tamper(map[string]any{"boot_epoch": 1})
				found := s.read(fp)
				s.happens(ExitReconstruction, "FingerprintCaptured:match UpdateDetected:fingerprint_tampered#1 PrecheckFailed:5:manifest")
				if !bytes.Equal(found, s.read(fp)) {
					s.t.Error("a failed reconstruction laundered the file")
				}
			}},
			{"unknown members under a right digest are a newer version's", true, func(s *stage) {
				s.settled(oneOp)
				s.forge(map[string]any{"added_later": "by a newer version"})
				file := s.read(fp)
				s.happens(ExitOK, "FingerprintCaptured:match")
				if !bytes.Equal(file, s.read(fp)) {
					s.t.Error("a newer version's file was rewritten")
				}
			}},
		}},
		{"os_fingerprint.json without journal member although the journal has a baseline", []scene{
			{"older software ran after a rollback", false, func(s *stage) {
				s.settled(oneOp)
				s.legacy(zeroHash, 3)
				s.happens(ExitOK, "FingerprintCaptured:match UpdateDetected:foreign_writer#1"+rebuilt)
				s.logged("edge.os.update_detected", "previous_hash="+zeroHash)
			}},
			{"the member removed by hand", true, func(s *stage) {
				s.updated(1, oneOp)
				s.tamper(map[string]any{"journal": nil})
				s.happens(ExitOK, "FingerprintCaptured:match UpdateDetected:foreign_writer#1"+again)
				if got := s.fingerprint().BootEpoch; got != 2 {
					s.t.Errorf("epoch %d", got)
				}
			}},
		}},
		{"evidence.json missing, edited or stale", evidenceScenes()},
	}
}

func evidenceScenes() []scene {
	const current, previous = "epoch/current/evidence.json", "epoch/previous/evidence.json"
	repaired := func(name string, change func(s *stage), path, reason string, accident bool) scene {
		return scene{name, accident, func(s *stage) {
			s.updated(2, oneOp)
			want := [2]string{string(s.read(current)), string(s.read(previous))}
			change(s)
			found := ""
			if data, err := os.ReadFile(s.path(path)); err == nil {
				found = blake3Hex(data)
			}
			s.happens(ExitOK, "FingerprintCaptured:match ProjectionRepaired:"+strings.TrimPrefix(path, "epoch/")+":"+reason)
			s.logged("level=WARN msg=edge.projection.repaired path=", path+" reason="+reason)
			_, events := s.history()
			if got := events[len(events)-1].Payload.(machine.ProjectionRepaired).FoundBLAKE3; got != found {
				s.t.Errorf("found_blake3 %q, want %q", got, found)
			}
			if got := [2]string{string(s.read(current)), string(s.read(previous))}; got != want {
				s.t.Error("the evidence was not made again byte for byte")
			}
			s.happens(ExitOK, "FingerprintCaptured:match")
		}}
	}
	edit := func(path string) func(s *stage) {
		return func(s *stage) {
			s.write(path, []byte(strings.Replace(string(s.read(path)), `"binary_hash": "`, `"binary_hash": "0`, 1)))
		}
	}
	return []scene{
		repaired("current missing", func(s *stage) { s.remove(current) }, current, "missing", false),
		repaired("current edited", edit(current), current, "edited", false),
		repaired("current stale", func(s *stage) { s.write(current, s.read(previous)) }, current, "stale", false),
		repaired("previous missing", func(s *stage) { s.remove("epoch/previous") }, previous, "missing", false),
		repaired("previous edited", edit(previous), previous, "edited", false),
		repaired("previous emptied", func(s *stage) { s.write(previous, nil) }, previous, "edited", true),
		{"both lost with their folder", true, func(s *stage) {
			s.updated(2, oneOp)
			s.remove("epoch")
			s.happens(ExitOK, "FingerprintCaptured:match ProjectionRepaired:current/evidence.json:missing ProjectionRepaired:previous/evidence.json:missing")
			s.happens(ExitOK, "FingerprintCaptured:match")
		}},
		{"previous stale", true, func(s *stage) {
			s.updated(2, oneOp)
			old := s.read(previous)
			s.update()
			s.boot(ExitOK)
			s.write(previous, old)
			s.happens(ExitOK, "FingerprintCaptured:match ProjectionRepaired:previous/evidence.json:stale")
		}},
	}
}
