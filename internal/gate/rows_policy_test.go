package gate

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"strings"
	"syscall"
	"time"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/machine"
)

// impatient is a root whose lock is not waited for.
type impatient struct {
	Root
	root *durable.Root
}

func (i impatient) Lock(ctx context.Context) error {
	return stateroot.Lock(ctx, i.root, 0, stateroot.Clock{})
}

func openImpatient(path string, opt stateroot.Options) (Root, error) {
	root, err := openLinuxRoot(path, opt)
	if err != nil {
		return nil, err
	}
	return impatient{root, root.(*linuxRoot).root}, nil
}

// silentlyOn requires that the boots go on as on a disk with space.
func (s *stage) silentlyOn(m *memNode) {
	s.t.Helper()
	for range 3 {
		m.silent()
	}
}

func diskRows() []situation {
	return []situation{
		{"a healthy node with no free block, no free inode or no metadata space", []scene{
			{"no free block", false, func(s *stage) {
				m := s.inMemory()
				m.firstBoot()
				m.disk.SetCapacity(m.disk.Used())
				s.happens(ExitOK, "FingerprintCaptured:match")
				s.silentlyOn(m)
			}},
			{"no free inode", false, func(s *stage) {
				m := s.inMemory()
				m.firstBoot()
				m.disk.SetInodes(m.disk.Inodes())
				s.happens(ExitOK, "FingerprintCaptured:match")
				s.silentlyOn(m)
			}},
			{"and settling is due", true, func(s *stage) {
				m := s.inMemory()
				m.firstBoot()
				m.cleanBoots(settlingDue)
				m.disk.SetCapacity(m.disk.Used())
				s.happens(ExitOK, "FingerprintCaptured:match")
				s.logged("level=WARN msg=edge.journal.unsettled", "no space left", "records=35", "next=")
				m.disk.SetCapacity(-1)
				s.happens(ExitOK, "FingerprintCaptured:match SnapshotTaken")
				s.silentlyOn(m)
			}},
			{"and the filesystem does not overwrite in place", true, func(s *stage) {
				m := s.inMemory()
				m.firstBoot()
				before := len(s.events())
				m.disk.SetHook(func(op memfs.Op) error {
					if op.Kind == memfs.OpWrite && strings.HasPrefix(op.Name, "journal") {
						return syscall.ENOSPC
					}
					return nil
				})
				m.boot(ExitStateRoot)
				s.logged("level=ERROR", "no space left", "/state/journal/tail", "next=")
				m.disk.SetHook(nil)
				if got := len(s.events()); got != before {
					s.t.Errorf("%d records, before %d", got, before)
				}
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
			{"an I/O error is no full disk", true, func(s *stage) {
				m := s.inMemory()
				m.firstBoot()
				m.disk.SetHook(func(op memfs.Op) error {
					if op.Mutates && strings.HasPrefix(op.Name, "journal") {
						return syscall.EIO
					}
					return nil
				})
				m.boot(ExitStateRoot)
				s.logged("level=ERROR", "input/output error")
				m.disk.SetHook(nil)
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
		}},
		{"another gate holds the lock", []scene{
			{"it ends in time", false, func(s *stage) {
				s.settled(oneOp)
				other, err := durable.OpenRoot(s.root)
				s.check(err)
				_, err = other.TryLock()
				s.check(err)
				s.edit = func(h *Host) {
					h.OpenRoot = func(path string, opt stateroot.Options) (Root, error) {
						defer other.Close() // the first gate ends while this one waits
						return openQuick(path, opt)
					}
				}
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
			{"it does not", true, func(s *stage) {
				s.settled(oneOp)
				other, err := durable.OpenRoot(s.root)
				s.check(err)
				defer other.Close()
				_, err = other.TryLock()
				s.check(err)
				s.edit = func(h *Host) { h.OpenRoot = openImpatient }
				before := tree(s.t, s.dir)
				n := s.tip()
				s.boot(ExitStateRoot)
				s.logged("level=ERROR", "another gate", "path="+s.root)
				sameTree(s.t, "the second gate", before, tree(s.t, s.dir))
				other.Close()
				s.happens(ExitOK, "FingerprintCaptured:match")
				if got := s.tip(); got != n+1 {
					s.t.Errorf("record %d, want %d", got, n+1)
				}
			}},
		}},
		readyRow(),
	}
}

func clockRows() []situation {
	return []situation{{"the wall clock is below the time floor", []scene{
		{"a board without a clock boots in 1970", false, func(s *stage) {
			s.settled(oneOp)
			s.boot(ExitOK)
			floor := s.now
			s.now = time.Unix(30, 0).UTC()
			s.happens(ExitOK, "FingerprintCaptured:match")
			s.logged("level=WARN msg=edge.clock.below_floor")
			_, events := s.history()
			c := events[len(events)-1].Payload.(machine.FingerprintCaptured).Clock
			if !c.Used.Equal(floor) || !c.Floor.Equal(floor) || c.Wall.Year() != 1970 {
				s.t.Errorf("clock %+v, floor %v", c, floor)
			}
		}},
		{"the binary's commit time is a floor too", false, func(s *stage) {
			built := s.now
			s.now = time.Unix(30, 0).UTC()
			s.happens(ExitOK, "FingerprintCaptured:initial", func(o *Options) { o.BuildTime = built })
			s.logged("edge.clock.below_floor")
		}},
		{"setting the clock back revives no expired certificate", true, func(s *stage) {
			s.certificate(30 * day)
			s.boot(ExitOK)
			s.certificate(90 * day)
			s.now = s.now.Add(60 * day)
			s.boot(ExitOK)
			s.now = s.now.Add(-60 * day)
			s.certificate(30 * day)
			s.now = s.now.Add(-30 * day)
			s.happens(ExitCertificate, "PrecheckFailed:3:certificate")
		}},
		{"not_after of a manifest is judged at the floor", true, func(s *stage) {
			s.settled(strings.Replace(emptyManifest, `"version"`, `"not_after":"2026-03-01T00:00:00Z","version"`, 1))
			s.now = time.Unix(30, 0).UTC()
			s.update()
			s.happens(ExitReconstruction, "FingerprintCaptured:differs UpdateDetected:os_changed#1 PrecheckFailed:5:manifest")
			s.logged("level=ERROR", "precheck: manifest expired")
		}},
		{"a boot in 2099 that fails raises no floor", true, func(s *stage) {
			s.settled(oneOp)
			now := s.now
			s.now = year2099
			s.happens(ExitCertificate, "PrecheckFailed:3:certificate")
			s.now = now
			s.happens(ExitOK, "FingerprintCaptured:match")
			if s.logs.Len() != 0 {
				s.t.Errorf("a failed boot raised the floor: %s", s.logs.String())
			}
		}},
		{"clock reset lowers a floor that a boot in 2099 raised", true, func(s *stage) {
			s.settled(oneOp)
			s.certificate(80 * 365 * day)
			now := s.now
			s.now = year2099
			s.boot(ExitOK)
			s.now = now
			s.happens(ExitOK, "FingerprintCaptured:match")
			s.logged("edge.clock.below_floor")
			s.operate(machine.ClockReset{V: 1, By: "op", Reason: "2099", Old: year2099, New: now})
			s.happens(ExitOK, "FingerprintCaptured:match")
			if s.logs.Len() != 0 {
				s.t.Errorf("the floor was not lowered: %s", s.logs.String())
			}
		}},
	}}}
}

// otherKey deploys another manifest key and returns both hashes.
func (n *node) otherKey() (old, now string) {
	n.t.Helper()
	old = blake3Hex(n.key.Public().(ed25519.PublicKey))
	_, key, err := ed25519.GenerateKey(rand.Reader)
	n.check(err)
	n.key = key
	return old, blake3Hex(key.Public().(ed25519.PublicKey))
}

func keyRows() []situation {
	const refused = "FingerprintCaptured:differs UpdateDetected:os_changed#1 PrecheckFailed:5:manifest"
	const accepted = "FingerprintCaptured:differs UpdateDetected:os_changed#1 ManifestVerified OpApplied:in_place EpochRotated"
	return []situation{{"the manifest verify key changes between epochs", []scene{
		{"rotated", false, func(s *stage) {
			s.updated(1, oneOp)
			old, now := s.otherKey()
			s.operate(machine.KeyRotated{V: 1, Purpose: machine.PurposeManifest, OldKey: old, NewKey: now, Statement: []byte("{}"), Signature: make([]byte, 64)})
			s.deploy(oneOp)
			s.update()
			s.happens(ExitOK, accepted)
		}},
		{"replaced by break-glass", false, func(s *stage) {
			s.updated(1, oneOp)
			old, now := s.otherKey()
			s.operate(machine.KeyReplaced{V: 1, Purpose: machine.PurposeManifest, OldKey: old, NewKey: now, By: "op", Reason: "lost"})
			s.deploy(oneOp)
			s.update()
			s.happens(ExitOK, accepted)
		}},
		{"exchanged together with manifest and signature", true, func(s *stage) {
			s.updated(1, oneOp)
			s.otherKey()
			s.deploy(oneOp)
			s.update()
			s.happens(ExitReconstruction, refused)
			s.logged("level=ERROR", "precheck: manifest verify key refused")
		}},
		{"the old key after a completed rotation", true, func(s *stage) {
			s.updated(1, oneOp)
			first := s.key
			old, now := s.otherKey()
			s.operate(machine.KeyRotated{V: 1, Purpose: machine.PurposeManifest, OldKey: old, NewKey: now, Statement: []byte("{}"), Signature: make([]byte, 64)})
			s.deploy(oneOp)
			s.update()
			s.boot(ExitOK)
			s.key = first
			s.deploy(oneOp)
			s.update()
			s.happens(ExitReconstruction, refused)
		}},
		{"gate.manifest_key_blake3 pins another", true, func(s *stage) {
			s.settled(oneOp)
			s.gateKeys(`manifest_key_blake3: "` + zeroHash + `"`)
			s.update()
			s.happens(ExitReconstruction, refused)
			s.logged("level=ERROR", "gate.manifest_key_blake3")
		}},
		{"a wiped node with another manifest and key before a first run under the pin", true, func(s *stage) {
			s.gateKeys(`manifest_key_blake3: "` + zeroHash + `"`)
			s.deploy(emptyManifest)
			s.happens(ExitReconstruction, "PrecheckFailed:5:manifest")
		}},
	}}}
}

func policyRows() []situation {
	serial := func(n string) string { return strings.Replace(oneOp, `"version"`, `"serial":`+n+`,"version"`, 1) }
	const refused = "FingerprintCaptured:differs UpdateDetected:os_changed#1 PrecheckFailed:5:manifest"
	const accepted = "FingerprintCaptured:differs UpdateDetected:os_changed#1 ManifestVerified OpApplied:in_place EpochRotated"
	return []situation{
		{"an epoch was completed under a serial", []scene{
			{"the same or a higher one", false, func(s *stage) {
				s.updated(1, serial("5"))
				s.update()
				s.happens(ExitOK, accepted)
				s.deploy(serial("6"))
				s.update()
				s.happens(ExitOK, accepted)
			}},
			{"allow_rollback_from", false, func(s *stage) {
				s.updated(1, serial("5"))
				s.deploy(serial(`4,"allow_rollback_from":5`))
				s.update()
				s.happens(ExitOK, accepted)
			}},
			{"allow_rollback_from again and again, until a serial above both", true, func(s *stage) {
				s.updated(1, serial("7"))
				seven := s.keep("runtime/manifest.json", "runtime/manifest.json.sig")
				s.deploy(serial(`5,"allow_rollback_from":7`))
				five := s.keep("runtime/manifest.json", "runtime/manifest.json.sig")
				for _, back := range []func(){five, seven, five, seven} {
					back()
					s.update()
					s.happens(ExitOK, accepted)
				}
				s.deploy(serial("8"))
				s.update()
				s.happens(ExitOK, accepted)
				for _, back := range []func(){five, seven} {
					back()
					s.update()
					s.boot(ExitReconstruction)
					s.logged("level=ERROR", "precheck: manifest serial rolled back")
				}
			}},
			{"an old manifest replayed", true, func(s *stage) {
				s.settled(serial("4"))
				back := s.keep("runtime/manifest.json", "runtime/manifest.json.sig")
				s.update()
				s.boot(ExitOK)
				s.deploy(serial("5"))
				s.update()
				s.boot(ExitOK)
				back()
				s.update()
				s.happens(ExitReconstruction, refused)
				s.logged("level=ERROR", "precheck: manifest serial rolled back")
			}},
			{"the serial left out", true, func(s *stage) {
				s.updated(1, serial("5"))
				s.deploy(oneOp)
				s.update()
				s.happens(ExitReconstruction, refused)
			}},
			{"allow_rollback_from another serial", true, func(s *stage) {
				s.updated(1, serial("5"))
				s.deploy(serial(`3,"allow_rollback_from":4`))
				s.update()
				s.happens(ExitReconstruction, refused)
			}},
		}},
		{"assurance.mode strict", []scene{
			{"serial and hashes are there", false, func(s *stage) {
				s.settled(strings.Replace(serial("1"), `"dst"`, `"blake3":"`+blake3Hex([]byte("#!app"))+`","dst"`, 1))
				s.setConfig("mode: baseline", "mode: strict")
				s.update()
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:os_changed#1 ManifestVerified OpApplied EpochRotated")
			}},
			{"no serial", true, func(s *stage) {
				s.settled(emptyManifest)
				s.setConfig("mode: baseline", "mode: strict")
				s.update()
				s.happens(ExitReconstruction, refused)
				s.logged("level=ERROR", "strict", "serial")
			}},
			{"an operation without blake3", true, func(s *stage) {
				s.settled(serial("1"))
				s.setConfig("mode: baseline", "mode: strict")
				s.update()
				s.happens(ExitReconstruction, refused)
				s.logged("level=ERROR", "strict", "blake3")
			}},
		}},
	}
}
