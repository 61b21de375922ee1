package machine

import (
	"encoding/json"
	"time"
)

// legacyFile is the fingerprint file of the journal-less software.
type legacyFile struct {
	CompositeHash string    `json:"composite_hash"`
	OSRelease     string    `json:"os_release"`
	UnameRelease  string    `json:"uname_release"`
	BootEpoch     uint64    `json:"boot_epoch"`
	CapturedAt    time.Time `json:"captured_at"`
}

// BaselineOf returns the baseline that an event sets: an initial
// FingerprintCaptured, a LegacyStateAdopted or an EpochRotated. For any other
// event it returns false.
func BaselineOf(e Event) (*Baseline, bool) {
	b := &Baseline{Kind: e.Meta.Kind, Seq: e.Seq, Hash: e.Hash}
	switch p := e.Payload.(type) {
	case FingerprintCaptured:
		if p.Role != RoleInitial {
			return nil, false
		}
		b.CompositeHash, b.Inputs, b.UnameRelease = p.CompositeHash, p.Inputs, p.Inputs.UnameRelease
		b.OSReleaseTruncated = p.OSReleaseTruncated
		if p.OSRelease != nil {
			b.OSRelease = *p.OSRelease
		}
		if p.CapturedAt != nil {
			b.CapturedAt = *p.CapturedAt
		}
	case EpochRotated:
		f := p.OSFingerprint
		b.CompositeHash, b.Inputs, b.OSRelease, b.UnameRelease = f.CompositeHash, p.Inputs, f.OSRelease, f.UnameRelease
		b.OSReleaseTruncated, b.Epoch, b.CapturedAt = p.OSReleaseTruncated, p.BootEpoch, f.CapturedAt
		b.ReplacedFileBLAKE3 = p.ReplacedFileBLAKE3
	case LegacyStateAdopted:
		// The file was checked before it was adopted. Members that cannot be read
		// stay empty and are never compared.
		var f legacyFile
		_ = json.Unmarshal(p.File, &f)
		b.CompositeHash, b.OSRelease, b.UnameRelease = p.CompositeHash, f.OSRelease, f.UnameRelease
		b.Inputs.UnameRelease = f.UnameRelease
		b.Epoch, b.CapturedAt = p.BootEpoch, f.CapturedAt
	default:
		return nil, false
	}
	return b, true
}

// Changed returns the names of the inputs in which now differs from the baseline.
// A legacy baseline has no hash of each input, so its os-release text and its
// kernel release are compared.
func (b *Baseline) Changed(now Captured) []string {
	changed := []string{}
	if b.Kind == KindLegacyStateAdopted {
		if b.OSRelease != now.OSRelease {
			changed = append(changed, InputEtcOSRelease)
		}
	} else {
		if b.Inputs.EtcOSRelease != now.Inputs.EtcOSRelease {
			changed = append(changed, InputEtcOSRelease)
		}
		if b.Inputs.UsrLibOSRelease != now.Inputs.UsrLibOSRelease {
			changed = append(changed, InputUsrLibOSRelease)
		}
	}
	if b.UnameRelease != now.Inputs.UnameRelease {
		changed = append(changed, InputUnameRelease)
	}
	return changed
}

// Names of the fingerprint's inputs, as UpdateDetected.changed lists them.
const (
	InputEtcOSRelease    = "etc_os_release"
	InputUsrLibOSRelease = "usr_lib_os_release"
	InputUnameRelease    = "uname_release"
)
