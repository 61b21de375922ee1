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

// maxLegacyEpoch leaves room above an epoch that nothing but a file claims, so
// that counting on from it stays exact in JSON.
const maxLegacyEpoch = 1 << 52

// ErrNotLegacy: the file is well-formed but not one of the software without a
// journal.
var ErrNotLegacy = errors.New("not a fingerprint file of the journal-less software")

// Legacy is what a fingerprint file of the journal-less software says.
type Legacy struct {
	CompositeHash string // short, printable ASCII
	OSRelease     string
	UnameRelease  string
	BootEpoch     uint64
	CapturedAt    time.Time
}

// claims are the members of a fingerprint file that it has, with their types
// checked and nothing believed.
type claims struct {
	Legacy
	epoch *uint64
}

// knownMembers are those of a fingerprint file beside journal.
var knownMembers = [...]string{"composite_hash", "os_release", memberTruncated, "uname_release", "boot_epoch", "captured_at"}

// ParseLegacy reads a fingerprint file without member journal. Of its members
// composite_hash and boot_epoch are needed, the others may be absent and must
// have their types. Errors are [ErrUnparseable] and [ErrNotLegacy].
func ParseLegacy(data []byte) (Legacy, error) {
	if len(data) > LegacyLimit {
		return Legacy{}, fmt.Errorf("%w: %d bytes, at most %d can be adopted", ErrNotLegacy, len(data), LegacyLimit)
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
				return Legacy{}, fmt.Errorf("%w: member %q differs from %q in case only", ErrNotLegacy, m.name, known)
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
		return Legacy{}, fmt.Errorf("%w: boot_epoch %d is beyond any that was ever reached", ErrNotLegacy, *c.epoch)
	}
	return c.Legacy, nil
}

// claims reads the known members. On an error it holds what could be read.
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

// Class is what the files say where the journal has no baseline.
type Class string

// Classes of files without a baseline.
const (
	// ClassAbsent: no fingerprint file, and no evidence speaks of a journal.
	ClassAbsent Class = "absent"
	// ClassLegacy: the journal-less software left them; they can be adopted.
	ClassLegacy Class = "legacy"
	// ClassUnparseable: there is something that can be neither ignored nor
	// adopted: the fail-closed class of everything that is not one of the others.
	ClassUnparseable Class = "unparseable"
)

// Classify tells a first run from legacy state and from files that nobody can
// vouch for, where the journal has no baseline. References were resolved
// before: one that resolves here, where no fingerprint was ever projected, was
// made up.
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

// EvidenceEpochFloor is the highest boot_epoch that the evidence found claims,
// 0 where none does. It is asked for only when the fingerprint file of a first
// run cannot be read: an epoch must not go back.
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
		parts, err := split(m.value)
		if err != nil {
			continue
		}
		if epoch, ok := find(parts, "boot_epoch"); ok {
			if n, ok := wholeOf(epoch.value); ok && n <= maxLegacyEpoch {
				floor = max(floor, n)
			}
		}
	}
	return floor
}
