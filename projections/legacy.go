package projections

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// LegacyLimit is the greatest size, in bytes, of a file that a
// LegacyStateAdopted takes over: two of them fit one record in base64.
const LegacyLimit = 20 << 10

// maxLegacyEpoch is the highest epoch that is taken from a file alone. It leaves
// room above it, so that later epochs stay exact in JSON.
const maxLegacyEpoch = 1 << 52

// ErrNotLegacy: the file is well-formed, but the journal-less software did not
// write it.
var ErrNotLegacy = errors.New("not a fingerprint file of the journal-less software")

// Legacy holds the members of a fingerprint file of the journal-less software.
type Legacy struct {
	CompositeHash string // short, printable ASCII
	OSRelease     string
	UnameRelease  string
	BootEpoch     uint64
	CapturedAt    time.Time
}

// claims holds the members that a fingerprint file has. Their types are checked,
// their values are not.
type claims struct {
	Legacy
	epoch *uint64
}

// knownMembers are the members of a fingerprint file without journal.
var knownMembers = [...]string{"composite_hash", "os_release", memberTruncated, "uname_release", "boot_epoch", "captured_at"}

// ParseLegacy reads a fingerprint file without a member journal. The members
// composite_hash and boot_epoch are required. The others may be absent, but must
// have the right type. Errors are [ErrUnparseable] and [ErrNotLegacy].
func ParseLegacy(data []byte) (Legacy, error) {
	if len(data) > LegacyLimit {
		return Legacy{}, fmt.Errorf("%w: it has %d bytes, at most %d can be adopted", ErrNotLegacy, len(data), LegacyLimit)
	}
	doc, err := parse(data)
	if err != nil {
		return Legacy{}, err
	}
	if doc.refers {
		return Legacy{}, fmt.Errorf("%w: it has a member journal", ErrNotLegacy)
	}
	for _, m := range doc.members {
		for _, known := range knownMembers {
			if m.name != known && strings.EqualFold(m.name, known) {
				return Legacy{}, fmt.Errorf("%w: member %q differs from %q only in case", ErrNotLegacy, m.name, known)
			}
		}
	}
	c, err := doc.claims()
	switch {
	case err != nil:
		return Legacy{}, err
	case c.CompositeHash == "":
		return Legacy{}, fmt.Errorf("%w: it has no usable composite_hash", ErrNotLegacy)
	case c.epoch == nil:
		return Legacy{}, fmt.Errorf("%w: it has no boot_epoch", ErrNotLegacy)
	case *c.epoch > maxLegacyEpoch:
		return Legacy{}, fmt.Errorf("%w: boot_epoch %d is higher than any node reaches", ErrNotLegacy, *c.epoch)
	}
	return c.Legacy, nil
}

// claims reads the known members. With an error it returns the members that could be read.
func (d *document) claims() (claims, error) {
	var c claims
	var wrong error
	for _, m := range d.members {
		ok := true
		switch m.name {
		case "composite_hash":
			_, ok = stringOf(m.value)
			c.CompositeHash, _ = nameOf(m.value)
		case "os_release":
			c.OSRelease, ok = stringOf(m.value)
		case "uname_release":
			c.UnameRelease, ok = stringOf(m.value)
		case "boot_epoch":
			var n uint64
			if n, ok = wholeOf(m.value); ok {
				c.BootEpoch, c.epoch = n, &n
			}
		case "captured_at":
			c.CapturedAt, ok = timeOf(m.value)
		case memberTruncated:
			ok = m.value.Kind() == 't' || m.value.Kind() == 'f'
		}
		if !ok && wrong == nil {
			wrong = fmt.Errorf("%w: member %s has the wrong type", ErrUnparseable, m.name)
		}
	}
	return c, wrong
}

// timeOf reads an RFC 3339 time as strictly as encoding/json does.
func timeOf(v jsontext.Value) (time.Time, bool) {
	var t time.Time
	s, ok := stringOf(v)
	return t, ok && t.UnmarshalText([]byte(s)) == nil
}

// Class is the class of the files of a journal without a baseline.
type Class string

// Classes of files without a baseline.
const (
	// ClassAbsent: there is no fingerprint file, and no evidence names a journal.
	ClassAbsent Class = "absent"
	// ClassLegacy: the journal-less software left them; they can be adopted.
	ClassLegacy Class = "legacy"
	// ClassUnparseable: everything else. The files can be neither ignored nor
	// adopted, and the gate fails closed.
	ClassUnparseable Class = "unparseable"
)

// Classify classifies the files of a journal without a baseline: a first run,
// legacy state, or files that nothing vouches for. References were resolved before.
// A reference that resolves although no fingerprint was ever projected is forged.
func Classify(f Files) Class {
	evidenceRefers := false
	for _, found := range []Found{f.Current, f.Previous} {
		if doc, _ := parse(found.Data); doc != nil && doc.refers {
			evidenceRefers = true
		}
	}
	if _, err := ParseLegacy(f.Fingerprint.Data); f.Fingerprint.Exists && err == nil && !evidenceRefers {
		return ClassLegacy
	}
	if f.Fingerprint.Exists || evidenceRefers {
		return ClassUnparseable
	}
	return ClassAbsent
}

// EvidenceEpochFloor returns the highest boot_epoch in the evidence found, 0 if
// there is none. It is used only if the fingerprint file of a first run cannot be
// read: an epoch must not go back.
func EvidenceEpochFloor(f Files) uint64 {
	var floor uint64
	for _, found := range []Found{f.Current, f.Previous} {
		doc, _ := parse(found.Data)
		if doc == nil {
			continue
		}
		m, ok := doc.find("os_fingerprint")
		if !ok || m.value.Kind() != '{' {
			continue
		}
		members, err := split(m.value)
		if err != nil {
			continue
		}
		if epoch, ok := find(members, "boot_epoch"); ok {
			if n, ok := wholeOf(epoch.value); ok && n <= maxLegacyEpoch {
				floor = max(floor, n)
			}
		}
	}
	return floor
}
