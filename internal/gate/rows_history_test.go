package gate

import (
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/machine"
)

// forge sets members of the fingerprint file and makes its digest right, which
// is no secret.
func (n *node) forge(members map[string]any) {
	n.t.Helper()
	n.forgeFile("bootstrap/os_fingerprint.json", func(doc map[string]any) {
		for k, v := range members {
			doc[k] = v
		}
	})
}

// forgeFile changes a projection and makes its digest right.
func (n *node) forgeFile(name string, change func(doc map[string]any)) {
	n.t.Helper()
	var doc map[string]any
	n.check(json.Unmarshal(n.read(name), &doc))
	change(doc)
	ref := doc["journal"].(map[string]any)
	delete(ref, "digest")
	bare := jsontext.Value(n.must(json.Marshal(doc)))
	n.check(bare.Canonicalize())
	ref["digest"] = blake3Hex(bare)
	n.write(name, append(n.must(json.MarshalIndent(doc, "", "  ")), '\n'))
}

// powerLostScenes cut the power of an update with two operations at one
// filesystem operation; the crash matrix does so at every one of them.
func powerLostScenes() []scene {
	cut := func(name string, at func(op memfs.Op) bool, events string, change func(m *memNode)) scene {
		return scene{name, strings.HasPrefix(name, "then"), func(s *stage) {
			m := s.inMemory()
			m.firstBoot()
			m.kernel += "+"
			m.disk.SetHook(func(op memfs.Op) error {
				if at(op) {
					m.disk.Kill()
				}
				return nil
			})
			if exit := m.precheck(); exit == ExitOK {
				s.t.Fatal("the boot ended before the power was cut")
			}
			m.disk = m.disk.Crash(memfs.Crash{Keep: memfs.None})
			if change != nil {
				change(m)
			}
			s.happens(ExitOK, events)
			if got := string(m.get("bootstrap/os_fingerprint.json")); !strings.Contains(got, `"boot_epoch": 1,`) {
				s.t.Errorf("the epoch did not advance exactly once: %s", got)
			}
			s.happens(ExitOK, "FingerprintCaptured:match")
		}}
	}
	renamed := func(name string) func(op memfs.Op) bool {
		return func(op memfs.Op) bool { return op.Kind == memfs.OpRename && op.New == name }
	}
	return []scene{
		cut("before the first operation", renamed("bin/edged"),
			"FingerprintCaptured:differs ManifestVerified OpApplied OpApplied EpochRotated", nil),
		cut("between the operations", renamed("etc/app/config.yaml"),
			"FingerprintCaptured:differs ManifestVerified OpApplied EpochRotated", nil),
		cut("after the commit, before publication", func(op memfs.Op) bool {
			return op.Kind == memfs.OpMkdir && strings.HasPrefix(op.Name, "epoch/epoch_")
		}, "FingerprintCaptured:match ProjectionRepaired:os_fingerprint.json:answered ProjectionRepaired:current/evidence.json:missing", nil),
		cut("then an applied file is altered", renamed("etc/app/config.yaml"),
			"FingerprintCaptured:differs ManifestVerified OpApplied OpApplied EpochRotated",
			func(m *memNode) { m.put("bin/edged", []byte("altered")) }),
		cut("then another manifest: it starts at operation 0", renamed("etc/app/config.yaml"),
			"FingerprintCaptured:differs ManifestVerified OpApplied:in_place OpApplied EpochRotated",
			func(m *memNode) { m.sign(strings.Replace(twoOperations, `"version"`, `"serial":4,"version"`, 1)) }),
	}
}

// lost is a boot that must end in exit 2, leave no event and overwrite nothing.
func (s *stage) lost(part string) {
	s.t.Helper()
	before := tree(s.t, s.dir)
	s.happens(ExitStateRoot, "")
	s.logged("level=ERROR", part)
	for _, name := range differing(before, tree(s.t, s.dir)) {
		if name != "state/bootstrap/last_failure.json" && name != "state/bootstrap" && name != "state" {
			s.t.Errorf("%s was changed", name)
		}
	}
	var left lastFailure
	s.check(json.Unmarshal(s.read("bootstrap/last_failure.json"), &left))
	if left.ExitCode != ExitStateRoot || left.Node != "node-01" || left.Reason == "" || left.Next == "" || left.Run == "" {
		s.t.Errorf("last_failure.json says %+v", left)
	}
}

func historyRows() []situation {
	const fp = "bootstrap/os_fingerprint.json"
	return []situation{
		{"a projection refers to what this journal does not hold, or the journal is gone", []scene{
			{"the journal gone, head file and projections left", false, func(s *stage) {
				s.updated(1, oneOp)
				s.remove("journal")
				s.lost("journal_head")
			}},
			{"journal and head file gone", true, func(s *stage) {
				s.updated(1, oneOp)
				s.remove("journal")
				s.remove("bootstrap/journal_head")
				s.lost(fp)
			}},
			{"all gone but the evidence", true, func(s *stage) {
				s.updated(1, oneOp)
				s.remove("journal")
				s.remove("bootstrap")
				s.mkdir(s.path("bootstrap"))
				s.lost("evidence.json")
			}},
			{"the journal rolled back alone", true, func(s *stage) {
				s.settled(oneOp)
				back := s.keep("journal")
				s.boot(ExitOK)
				back()
				s.lost("rolled back")
			}},
			{"journal and head file rolled back", true, func(s *stage) {
				s.settled(oneOp)
				back := s.keep("journal", "bootstrap/journal_head")
				s.update()
				s.boot(ExitOK)
				back()
				s.lost("journal ends at")
			}},
			{"the head file rolled back alone is only behind", true, func(s *stage) {
				s.settled(oneOp)
				back := s.keep("bootstrap/journal_head")
				s.boot(ExitOK)
				back()
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
			{"a valid digest that names a record beyond the tip", true, func(s *stage) {
				s.settled(oneOp)
				s.forgeFile(fp, func(doc map[string]any) { doc["journal"].(map[string]any)["seq"] = 99 })
				s.lost("99")
			}},
			{"a valid digest of another journal", true, func(s *stage) {
				s.settled(oneOp)
				s.forgeFile(fp, func(doc map[string]any) { doc["journal"].(map[string]any)["id"] = uuid.NewString() })
				s.lost("another journal")
			}},
			{"a valid digest that names another hash", true, func(s *stage) {
				s.settled(oneOp)
				s.forgeFile(fp, func(doc map[string]any) { doc["journal"].(map[string]any)["hash"] = zeroHash })
				s.lost(fp)
			}},
			{"evidence with a valid digest of another journal", true, func(s *stage) {
				s.updated(1, oneOp)
				s.forgeFile("epoch/current/evidence.json", func(doc map[string]any) { doc["journal"].(map[string]any)["id"] = uuid.NewString() })
				s.lost("another journal")
			}},
			{"another node's journal put in place", true, func(s *stage) {
				other := newNode(s.t)
				other.boot(ExitOK)
				s.settled(oneOp)
				s.remove("journal")
				s.copyTree(other.path("journal"), s.path("journal"))
				s.lost("journal")
			}},
			{"another node's partition", true, func(s *stage) {
				s.settled(oneOp)
				s.setConfig("node-01", "node-02")
				before := tree(s.t, s.path("journal"))
				s.happens(ExitStateRoot, "")
				s.logged("level=ERROR", "journal is of another node", "node-02")
				sameTree(s.t, "the boot", before, tree(s.t, s.path("journal")))
			}},
			{"gate.journal_id: a wiped partition is no first run", true, func(s *stage) {
				s.gateKeys(`journal_id: "` + uuid.NewString() + `"`)
				s.lost("gate.journal_id")
			}},
			{"gate.journal_id: another journal", true, func(s *stage) {
				s.settled(oneOp)
				s.gateKeys(`journal_id: "` + uuid.NewString() + `"`)
				s.lost("gate.journal_id")
			}},
			{"gate.journal_id: this journal", false, func(s *stage) {
				s.settled(oneOp)
				s.gateKeys(`journal_id: "` + s.journalID() + `"`)
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
		}},
		{"the head file is damaged, or the journal is", []scene{
			{"one slot bad", false, func(s *stage) {
				s.updated(1, oneOp)
				s.flip("bootstrap/journal_head", 20)
				s.happens(ExitOK, "HeadRebuilt:one_slot_bad FingerprintCaptured:match")
				s.logged("level=WARN msg=edge.journal.head_rebuilt")
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
			{"the other slot bad", false, func(s *stage) {
				s.updated(1, oneOp)
				s.flip("bootstrap/journal_head", 4096+20)
				s.happens(ExitOK, "HeadRebuilt:one_slot_bad FingerprintCaptured:match")
			}},
			{"both slots bad", false, func(s *stage) {
				s.updated(1, oneOp)
				s.write("bootstrap/journal_head", make([]byte, 8192))
				s.happens(ExitOK, "HeadRebuilt:both_slots_bad FingerprintCaptured:match")
			}},
			{"absent", false, func(s *stage) {
				s.updated(1, oneOp)
				s.remove("bootstrap/journal_head")
				s.happens(ExitOK, "HeadRebuilt:absent FingerprintCaptured:match")
			}},
			{"absent, and the journal rolled back", true, func(s *stage) {
				s.settled(oneOp)
				back := s.keep("journal")
				s.update()
				s.boot(ExitOK)
				back()
				s.remove("bootstrap/journal_head")
				s.lost("journal ends at")
			}},
			{"ahead of the journal", true, func(s *stage) {
				s.settled(oneOp)
				back := s.keep("journal")
				for range 3 {
					s.boot(ExitOK)
				}
				back()
				s.lost("rolled back")
			}},
			{"a bit of the newest record flipped", true, func(s *stage) {
				s.settled(oneOp)
				s.boot(ExitOK)
				s.flip("journal/tail", s.newestFrame()*historytest.BlockLen+100)
				s.lost("corrupt")
			}},
			{"the tail gone", true, func(s *stage) {
				s.settled(oneOp)
				s.remove("journal/tail")
				s.lost("journal")
			}},
			{"both headers bad, and the newest is derived from the first frame", true, func(s *stage) {
				s.settledTail()
				s.flip("journal/tail", 40)
				s.flip("journal/tail", historytest.BlockLen+40)
				s.happens(ExitOK, "FingerprintCaptured:match")
				s.silent()
			}},
			{"both headers bad, and the first frame", true, func(s *stage) {
				s.settledTail()
				s.flip("journal/tail", 40)
				s.flip("journal/tail", historytest.BlockLen+40)
				s.flip("journal/tail", historytest.FirstFrame*historytest.BlockLen+40)
				s.lost("both headers are bad")
			}},
			{"the newest header bad", true, func(s *stage) {
				s.settledTail()
				s.flip("journal/tail", 40) // that of the third generation
				s.happens(ExitOK, "FingerprintCaptured:match")
				s.silent()
			}},
			{"a bit of a table flipped, which no boot reads until one settles", true, func(s *stage) {
				s.settled(oneOp)
				s.cleanBoots(settlingDue)
				s.happens(ExitOK, "FingerprintCaptured:match SnapshotTaken")
				s.flipIn("journal", ".sst")
				s.silent()
				s.cleanBoots(settlingDue)
				s.boot(ExitStateRoot)
				s.logged("level=ERROR", "precheck: journal unusable", "corrupt")
			}},
			{"a snapshot forged", true, func(s *stage) {
				s.updated(1, oneOp)
				s.forgeSnapshot()
				s.happens(ExitOK, "FingerprintCaptured:match")
				s.logged("level=WARN msg=edge.journal.snapshot_ignored", "does not vouch for it")
			}},
			{"Pebble's marker gone", true, func(s *stage) {
				s.settled(oneOp)
				entries, err := os.ReadDir(s.path("journal"))
				s.check(err)
				for _, e := range entries {
					if strings.HasPrefix(e.Name(), "marker.manifest") {
						s.remove("journal/" + e.Name())
					}
				}
				s.lost("journal")
			}},
			{"a critical event of a newer version", true, func(s *stage) {
				s.settled(oneOp)
				s.appendUnknown(true)
				s.happens(ExitStateRoot, "")
				s.logged("level=ERROR", "newer than this binary")
				if strings.Contains(s.logs.String(), "corrupt") {
					s.t.Error("a newer version is called corrupt")
				}
			}},
			{"an event of a newer version that is not critical", true, func(s *stage) {
				s.settled(oneOp)
				s.appendUnknown(false)
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
		}},
		{"the journal is salvaged and no EpochRotated followed", []scene{
			{"reconstructed from the floors it carries", false, func(s *stage) {
				s.updated(1, oneOp)
				s.salvaged(machine.JournalSalvaged{V: 1, Predecessor: s.journalID(), Epoch: 6, TimeFloor: s.now, By: "op", Reason: "damaged"})
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:salvaged#1 ManifestVerified OpApplied:in_place EpochRotated")
				if got := s.fingerprint().BootEpoch; got != 7 {
					s.t.Errorf("epoch %d", got)
				}
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
			{"never a first run, whatever the files", true, func(s *stage) {
				s.updated(1, oneOp)
				id := s.journalID()
				s.remove(fp)
				s.remove("runtime/manifest.json")
				s.salvaged(machine.JournalSalvaged{V: 1, Predecessor: id, Epoch: 1, TimeFloor: s.now, By: "op", Reason: "damaged"})
				s.happens(ExitReconstruction, "FingerprintCaptured:differs UpdateDetected:salvaged#1 PrecheckFailed:5:manifest")
			}},
			{"the serial floor and the key live on", true, func(s *stage) {
				s.updated(1, oneOp)
				floor := int64(9)
				s.salvaged(machine.JournalSalvaged{V: 1, Predecessor: s.journalID(), Epoch: 1, Serial: &floor, TimeFloor: s.now, By: "op", Reason: "damaged"})
				s.happens(ExitReconstruction, "FingerprintCaptured:differs UpdateDetected:salvaged#1 PrecheckFailed:5:manifest")
				s.logged("level=ERROR", "manifest serial rolled back")
				s.deploy(strings.Replace(oneOp, `"version"`, `"serial":10,"version"`, 1))
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:salvaged#2 ManifestVerified OpApplied:in_place EpochRotated")
			}},
		}},
	}
}

// flipIn flips a byte in the middle of the largest file with that suffix.
func (n *node) flipIn(dir, suffix string) {
	n.t.Helper()
	entries, err := os.ReadDir(n.path(dir))
	n.check(err)
	name, size := "", int64(0)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), suffix) && info.Size() > size {
			name, size = e.Name(), info.Size()
		}
	}
	if name == "" {
		n.t.Fatalf("%s holds no %s", dir, suffix)
	}
	n.flip(dir+"/"+name, int(size/4))
}

// settledTail is a settled node whose tail has settled twice.
func (s *stage) settledTail() {
	s.t.Helper()
	s.settled(oneOp)
	for range 2 {
		s.cleanBoots(settlingDue)
		s.boot(ExitOK)
	}
}

// newestFrame is the number of the last block of the tail that holds anything.
func (n *node) newestFrame() int {
	n.t.Helper()
	used := historytest.Blocks(n.read("journal/tail"))
	return used[len(used)-1]
}

// cleanBoots appends what so many more boots like the last would have.
func (n *node) cleanBoots(count int) {
	n.t.Helper()
	n.onDisk(func(disk durable.FS) { cleanBoots(n.t, disk, count) })
}

// forgeSnapshot puts another state in the place of the one that the chain
// vouches for: with a key of the forger's, and a lower serial.
func (n *node) forgeSnapshot() {
	n.t.Helper()
	n.onDisk(func(disk durable.FS) { forgeSnapshot(n.t, disk) })
}

func (n *node) onDisk(do func(disk durable.FS)) {
	n.t.Helper()
	root, err := durable.OpenRoot(n.root)
	n.check(err)
	do(root)
	n.check(root.Close())
}

func requestRows() []situation {
	const rebuilt = " ManifestVerified OpApplied:in_place EpochRotated"
	runtime := func(o *Options) { o.VerifyRuntime = true }
	return []situation{
		{"edgectl drill was requested", []scene{
			{"answered once", false, func(s *stage) {
				s.updated(1, oneOp)
				s.operate(machine.DrillRequested{V: 1, By: "op", Reason: "quarterly"})
				s.happens(ExitOK, "FingerprintCaptured:match UpdateDetected:drill#1"+rebuilt)
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
			{"cancelled", false, func(s *stage) {
				s.updated(1, oneOp)
				s.operate(machine.DrillRequested{V: 1, By: "op", Reason: "quarterly"})
				s.operate(machine.DrillCancelled{V: 1, By: "op", Reason: "not today"})
				s.happens(ExitOK, "FingerprintCaptured:match")
			}},
			{"the OS changes before it is answered: one epoch", true, func(s *stage) {
				s.updated(1, oneOp)
				s.operate(machine.DrillRequested{V: 1, By: "op", Reason: "quarterly"})
				s.update()
				s.happens(ExitOK, "FingerprintCaptured:differs UpdateDetected:os_changed+drill#1"+rebuilt)
				if got := s.fingerprint().BootEpoch; got != 2 {
					s.t.Errorf("epoch %d", got)
				}
			}},
			{"a drill fails closed like an update", true, func(s *stage) {
				s.updated(1, oneOp)
				s.operate(machine.DrillRequested{V: 1, By: "op", Reason: "quarterly"})
				s.remove("runtime/manifest.json.sig")
				s.happens(ExitReconstruction, "FingerprintCaptured:match UpdateDetected:drill#1 PrecheckFailed:5:manifest")
			}},
		}},
		{"--verify-runtime: what the last epoch installed is no longer there as installed", []scene{
			{"removed", false, func(s *stage) {
				s.updated(1, oneOp)
				s.happens(ExitOK, "FingerprintCaptured:match", runtime)
				s.remove("bin/app")
				s.happens(ExitOK, "FingerprintCaptured:match")
				s.happens(ExitOK, "FingerprintCaptured:match UpdateDetected:runtime_drift#1 ManifestVerified OpApplied EpochRotated", runtime)
				s.happens(ExitOK, "FingerprintCaptured:match", runtime)
			}},
			{"altered, same size, gate.verify_runtime", true, func(s *stage) {
				s.updated(1, oneOp)
				s.gateKeys("verify_runtime: true")
				s.write("bin/app", []byte("#!bad"))
				s.check(os.Chmod(s.path("bin/app"), 0o755))
				s.happens(ExitOK, "FingerprintCaptured:match UpdateDetected:runtime_drift#1 ManifestVerified OpApplied EpochRotated")
				if got := string(s.read("bin/app")); got != "#!app" {
					s.t.Errorf("installed is %q", got)
				}
			}},
			{"its mode changed to writable for everybody", true, func(s *stage) {
				s.updated(1, oneOp)
				s.check(os.Chmod(s.path("bin/app"), 0o777))
				s.happens(ExitOK, "FingerprintCaptured:match UpdateDetected:runtime_drift#1 ManifestVerified OpApplied EpochRotated", runtime)
			}},
			{"replaced by a link to the same bytes", true, func(s *stage) {
				s.updated(1, oneOp)
				s.remove("bin/app")
				s.check(os.Symlink("../runtime/binaries/app", s.path("bin/app")))
				s.happens(ExitReconstruction, "FingerprintCaptured:match UpdateDetected:runtime_drift#1 PrecheckFailed:5:operation", runtime)
			}},
		}},
	}
}

var year2099 = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
