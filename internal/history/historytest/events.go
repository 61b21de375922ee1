package historytest

import (
	"crypto/ed25519"
	"fmt"
	"strings"

	"github.com/autonomyops/edged/machine"
)

// Binary is the content of the file that the manifest of Reconstruct installs.
const Binary = "the runtime"

// Capture returns a measurement of the operating system with this hash.
func (h *History) Capture(role machine.Role, hash string) machine.FingerprintCaptured {
	p := machine.FingerprintCaptured{V: 1, Role: role, CompositeHash: hash, MountCheck: "skipped", Filesystem: "ext4",
		Inputs: machine.Inputs{EtcOSRelease: hash, UnameRelease: "6.8.0-" + hash[:1]}, Software: "edged/test",
		Clock: machine.Clock{Wall: h.now, Floor: h.now, Used: h.now}}
	if role != machine.RoleMatch {
		text, at := "ID="+hash[:1]+"\n", h.now
		p.OSRelease, p.CapturedAt = &text, &at
	}
	return p
}

// First appends a first run.
func (h *History) First() { h.Append(h.Capture(machine.RoleInitial, OldOS)) }

// Match appends a clean boot.
func (h *History) Match() {
	h.NextBoot()
	h.Append(h.Capture(machine.RoleMatch, h.State.Baseline.CompositeHash))
}

// Detect opens a reconstruction for the operating system with this hash.
func (h *History) Detect(hash string) {
	h.NextBoot()
	h.Append(h.Capture(machine.RoleDiffers, hash))
	h.Append(machine.UpdateDetected{V: 1, Cause: machine.CauseOSChanged, Causes: []machine.Cause{machine.CauseOSChanged},
		PreviousHash: h.State.Baseline.CompositeHash, CurrentHash: hash, Changed: []string{"uname_release"}, Attempt: 1})
}

// Manifest returns the event of a signed manifest with one operation.
func (h *History) Manifest(serial int64) machine.ManifestVerified {
	text := fmt.Sprintf(`{"version":"1","binary_path":"edged","serial":%d,"operations":[{"op":"copy_binary","src":"edged","dst":"runtime/edged","blake3":%q}]}`,
		serial, Hash([]byte(Binary)))
	public := h.Key.Public().(ed25519.PublicKey)
	return machine.ManifestVerified{V: 1, Manifest: []byte(text), Signature: ed25519.Sign(h.Key, []byte(text)), Key: public,
		ManifestHash: Hash([]byte(text)), KeyBLAKE3: Hash(public), Serial: &serial, Operations: 1}
}

// Applied returns the event of the manifest's operation.
func Applied() machine.OpApplied {
	return machine.OpApplied{V: 1, Index: 0, Op: "copy_binary", Src: "runtime/binaries/edged", Dst: "runtime/edged",
		Bytes: int64(len(Binary)), BLAKE3: Hash([]byte(Binary)), Mode: "0755", HashPinned: true}
}

// Rotated returns the event that commits the open reconstruction.
func (h *History) Rotated() machine.EpochRotated {
	c, open := h.State.Run.Captured, h.State.Open
	epoch := h.State.Epoch + 1
	return machine.EpochRotated{V: 1, BootEpoch: epoch, Inputs: c.Inputs, BinaryHash: strings.Repeat("c", 64),
		OSFingerprint: machine.OSFingerprint{CompositeHash: c.CompositeHash, OSRelease: c.OSRelease,
			UnameRelease: c.Inputs.UnameRelease, BootEpoch: epoch, CapturedAt: c.CapturedAt},
		ManifestHash: open.Manifest.Hash, ManifestSerial: open.Manifest.Serial, RotatedAt: h.now, DurationMS: 60}
}

// Reconstruct appends a whole reconstruction for the operating system with this
// hash, under a manifest with this serial.
func (h *History) Reconstruct(hash string, serial int64) {
	h.Detect(hash)
	h.Append(h.Manifest(serial))
	h.Append(Applied())
	h.Append(h.Rotated())
}
