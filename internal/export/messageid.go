package export

import (
	"encoding/hex"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/machine"
)

// MessageID is the MESSAGE_ID of a kind, 32 digits: the UUIDv5 of its name in
// the namespace below, so that a kind that comes later has one too. It never
// changes: catalogues and alerts are written for it.
func MessageID(kind string) string {
	// 3f6d2a52-6a0e-4d3c-9a1b-0c5d1f7be184
	namespace := uuid.UUID{0x3f, 0x6d, 0x2a, 0x52, 0x6a, 0x0e, 0x4d, 0x3c, 0x9a, 0x1b, 0x0c, 0x5d, 0x1f, 0x7b, 0xe1, 0x84}
	id := uuid.NewSHA1(namespace, []byte(kind))
	return hex.EncodeToString(id[:])
}

// Priorities of syslog.
const (
	priorityError   = 3
	priorityWarning = 4
	priorityNotice  = 5
	priorityInfo    = 6
)

// priority says how loud a kind is: what failed, what somebody should look at,
// what changes the node, the rest.
func priority(kind string) int {
	switch machine.Kind(kind) {
	case machine.KindPrecheckFailed:
		return priorityError
	case machine.KindHeadRebuilt, machine.KindProjectionRepaired, machine.KindKeyReplaced, machine.KindJournalSalvaged,
		machine.KindClockReset:
		return priorityWarning
	case machine.KindUpdateDetected, machine.KindEpochRotated, machine.KindUpdateAbandoned, machine.KindLegacyStateAdopted,
		machine.KindDrillRequested, machine.KindDrillCancelled, machine.KindKeyRotated, machine.KindNodeRenamed, machine.KindCertificateRotated:
		return priorityNotice
	}
	return priorityInfo
}
