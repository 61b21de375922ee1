package machine

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
)

var (
	// ErrNewer: the event is critical and has a kind or data version that this
	// binary does not know. A newer version wrote it; it is not corruption.
	ErrNewer = errors.New("written by a newer version than this binary")
	// ErrPayload: the payload does not have the form of its kind.
	ErrPayload = errors.New("malformed payload")
)

// spec is what this binary knows about one kind.
type spec struct {
	crit   bool
	decode func([]byte) (Payload, error)
}

// dataVersion is the newest payload version known; every kind is at 1.
const dataVersion = 1

// currentVersion ends every canonical payload of that version, because v sorts
// after all other members. It saves a second pass over nearly every record.
var currentVersion = []byte(`"v":1}`)

// kinds is the sealed set, with crit as in the table of kinds in the journal format.
var kinds = map[Kind]spec{
	KindFingerprintCaptured: {true, decode[FingerprintCaptured]},
	KindUpdateDetected:      {true, decode[UpdateDetected]},
	KindManifestVerified:    {true, decode[ManifestVerified]},
	KindOpApplied:           {true, decode[OpApplied]},
	KindEpochRotated:        {true, decode[EpochRotated]},
	KindPrecheckFailed:      {false, decode[PrecheckFailed]},
	KindUpdateAbandoned:     {true, decode[UpdateAbandoned]},
	KindLegacyStateAdopted:  {true, decode[LegacyStateAdopted]},
	KindSnapshotTaken:       {false, decode[SnapshotTaken]},
	KindProjectionRepaired:  {false, decode[ProjectionRepaired]},
	KindHeadRebuilt:         {false, decode[HeadRebuilt]},
	KindCertificateRotated:  {false, decode[CertificateRotated]},
	KindDrillRequested:      {true, decode[DrillRequested]},
	KindDrillCancelled:      {true, decode[DrillCancelled]},
	KindKeyRotated:          {true, decode[KeyRotated]},
	KindKeyReplaced:         {true, decode[KeyReplaced]},
	KindClockReset:          {true, decode[ClockReset]},
	KindNodeRenamed:         {true, decode[NodeRenamed]},
	KindJournalSalvaged:     {true, decode[JournalSalvaged]},
}

func decode[P Payload](data []byte) (Payload, error) {
	var p P
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, err
	}
	return p, nil
}

// Critical reports whether events of kind k are written with crit true.
func Critical(k Kind) bool { return kinds[k].crit }

// Known reports whether this binary knows kind k.
func Known(k Kind) bool { _, ok := kinds[k]; return ok }

// Kinds returns the sealed set in no particular order.
func Kinds() []Kind {
	all := make([]Kind, 0, len(kinds))
	for k := range kinds {
		all = append(all, k)
	}
	return all
}

// Decode returns a verified record's payload in its typed form. An unknown kind,
// or a newer data version of a known one, is [ErrNewer] if the record is critical
// and [Unknown] if it is not. A payload that does not fit its kind's type is
// [ErrPayload]: not JSON, a repeated member, a member of another type. Unknown
// members are ignored, because payloads grow by them; a member in another letter
// case is an unknown one.
func Decode(kind Kind, crit bool, data []byte) (Payload, error) {
	k, ok := kinds[kind]
	if kind == "" {
		return nil, fmt.Errorf("%w: the kind is empty", ErrPayload)
	}
	if ok && !bytes.HasSuffix(data, currentVersion) {
		var version struct {
			V int `json:"v"`
		}
		if err := json.Unmarshal(data, &version); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrPayload, kind, err)
		}
		if version.V < 1 {
			return nil, fmt.Errorf("%w: %s: data version %d", ErrPayload, kind, version.V)
		}
		ok = version.V <= dataVersion
	}
	if !ok {
		if crit {
			return nil, fmt.Errorf("%w: critical event %s", ErrNewer, kind)
		}
		return Unknown{Name: kind}, nil
	}
	p, err := k.decode(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrPayload, kind, err)
	}
	return p, nil
}
