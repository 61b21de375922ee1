package historytest

import (
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/machine"
)

// Eventful appends a history with nearly every event: failed boots; an update
// that was interrupted, failed and was completed, one that was abandoned, and
// one whose target moved; tampering; a drill; changes of keys, name and clock;
// and a last boot that did not end. It ends in epoch 3, with a reconstruction
// open.
func (h *History) Eventful() {
	cause := func(c machine.Cause, attempt int) machine.UpdateDetected {
		u := machine.UpdateDetected{V: 1, Cause: c, Causes: []machine.Cause{c}, Changed: []string{}, Attempt: attempt,
			PreviousHash: h.State.Baseline.CompositeHash, CurrentHash: h.State.Run.Captured.CompositeHash}
		if u.PreviousHash != u.CurrentHash {
			u.Changed = []string{machine.InputEtcOSRelease, machine.InputUnameRelease}
		}
		return u
	}
	boot := func(role machine.Role, hash string) {
		h.NextBoot()
		h.Append(h.Capture(role, hash))
	}
	fail := func(exit int, stage string) {
		h.Append(machine.PrecheckFailed{V: 1, ExitCode: exit, Stage: stage, Path: stage + ".pem", Reason: "bad " + stage, Attempt: 1})
	}
	h.First()
	h.Match()
	for range 3 { // the certificate had expired
		h.NextBoot()
		fail(3, "certificate")
	}
	h.NextBoot()
	h.Append(machine.CertificateRotated{V: 1, OldSerial: "1", NewSerial: "2", NotAfter: h.now.AddDate(1, 0, 0)})
	h.Append(h.Capture(machine.RoleMatch, OldOS))
	h.Append(machine.ProjectionRepaired{V: 1, Path: "epoch/current/evidence.json", Reason: "edited"})

	// To epoch 1: a power cut, four bad signatures, then success.
	boot(machine.RoleDiffers, NewOS)
	h.Append(cause(machine.CauseOSChanged, 1))
	h.Append(h.Manifest(5))
	boot(machine.RoleDiffers, NewOS)
	fail(5, "manifest")
	for n := 2; n <= 4; n++ {
		boot(machine.RoleDiffers, NewOS)
		h.Append(cause(machine.CauseOSChanged, n))
		fail(5, "manifest")
	}
	boot(machine.RoleDiffers, NewOS)
	h.Append(cause(machine.CauseOSChanged, 5))
	h.Append(h.Manifest(5))
	h.Append(Applied())
	h.Append(h.Rotated())
	h.Match()

	// The updater fell back before an operation was applied.
	boot(machine.RoleDiffers, OldOS)
	h.Append(cause(machine.CauseOSChanged, 1))
	boot(machine.RoleMatch, NewOS)
	h.Append(machine.UpdateAbandoned{V: 1, UpdateSeq: h.State.Open.Seq, Reason: "the baseline again"})

	// To epoch 2: a tampered file, under a manifest that was rolled back.
	boot(machine.RoleMatch, NewOS)
	claimed := uint64(9)
	tampered := cause(machine.CauseTampered, 1)
	tampered.FoundFileBLAKE3, tampered.FoundFileEpoch = Hash([]byte("edited")), &claimed
	h.Append(tampered)
	h.Append(h.Manifest(4))
	op := Applied()
	op.AlreadyInPlace, op.HashPinned = true, false
	h.Append(op)
	h.Append(h.Rotated())

	h.NextBoot()
	h.Append(machine.KeyRotated{V: 1, Purpose: machine.PurposeManifest, OldKey: Hash([]byte("old")), NewKey: Hash([]byte("new"))})
	h.Append(machine.KeyReplaced{V: 1, Purpose: machine.PurposeManifest, OldKey: Hash([]byte("new")), NewKey: Hash([]byte("newer")), By: "op", Reason: "lost\x1b[2J"})
	h.Append(machine.DrillRequested{V: 1, By: "op", Reason: "exercise"})
	h.Append(machine.DrillCancelled{V: 1, Reason: "not now"})
	h.Append(machine.NodeRenamed{V: 1, By: "op", Reason: "moved", Old: Node, New: "depot"})
	h.Append(machine.DrillRequested{V: 1, By: "op", Reason: "exercise"})

	// A clock that jumps to 2099, a drill in that year, and the clock set back.
	was := h.now
	h.At(time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC))
	boot(machine.RoleMatch, NewOS)
	h.Append(cause(machine.CauseDrill, 1))
	h.Append(h.Manifest(6))
	h.Append(Applied())
	h.Append(h.Rotated())
	h.At(was)
	h.NextBoot()
	late := h.Capture(machine.RoleMatch, NewOS)
	late.Clock.Floor = time.Date(2099, 1, 1, 1, 0, 0, 0, time.UTC)
	late.Software = "edged/newer"
	h.Append(late)
	h.NextBoot()
	h.Append(machine.HeadRebuilt{V: 1, Found: "absent", Seq: h.State.Seq})
	h.Append(machine.ClockReset{V: 1, By: "op", Reason: "2099", Old: late.Clock.Floor, New: was})
	h.Write(h.Entry("SomethingNew", false))

	// Drift, and a target that moves while the reconstruction is open.
	boot(machine.RoleMatch, NewOS)
	h.Append(cause(machine.CauseDrift, 1))
	boot(machine.RoleDiffers, OldOS)
	moved := cause(machine.CauseDrift, 2)
	moved.Causes, moved.Supersedes = []machine.Cause{machine.CauseDrift, machine.CauseOSChanged}, h.State.Open.Seq
	h.Append(moved)
	h.Append(h.Manifest(7))
}

// Adopted begins a history that adopts epoch 2 of software without a journal,
// and appends the next epoch.
func (h *History) Adopted() {
	h.Begin(machine.LegacyStateAdopted{V: 1, BootEpoch: 2, CompositeHash: OldOS,
		File: []byte(`{"composite_hash":"` + OldOS + `","os_release":"ID=a\n","uname_release":"6.8.0-a","boot_epoch":2,"captured_at":"2026-01-01T00:00:00Z"}`)}, 2)
	h.Append(h.Capture(machine.RoleMatch, OldOS)) // then a power cut
	h.NextBoot()
	h.Append(h.Capture(machine.RoleMatch, OldOS))
	h.next(machine.CauseLegacy)
}

// Salvaged begins a history that continues a damaged journal in epoch 4, and
// appends the next epoch.
func (h *History) Salvaged() {
	serial := int64(1)
	h.Begin(machine.JournalSalvaged{V: 1, Predecessor: uuid.Nil.String(), Size: 7, Lost: "records 8 to 9", Epoch: 4, Serial: &serial, By: "op", Reason: "bit rot"}, 4)
	h.NextBoot()
	h.Append(h.Capture(machine.RoleDiffers, NewOS))
	h.next(machine.CauseSalvaged)
}

// Begin writes p as the first record, with this epoch.
func (h *History) Begin(p machine.Payload, epoch uint64) {
	e := h.Entry(string(p.Kind()), true)
	data, err := machine.Encode(p)
	Check(h.t, err)
	e.Data, e.Epoch = data, epoch
	h.Write(e)
}

// next appends a complete reconstruction of cause c.
func (h *History) next(c machine.Cause) {
	h.Append(machine.UpdateDetected{V: 1, Cause: c, Causes: []machine.Cause{c}, Changed: []string{},
		CurrentHash: h.State.Run.Captured.CompositeHash, Attempt: 1})
	h.Append(h.Manifest(2))
	h.Append(Applied())
	h.Append(h.Rotated())
	h.Match()
}
