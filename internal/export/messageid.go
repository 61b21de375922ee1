package export

import (
	"github.com/autonomyops/edged/internal/journald"
	"github.com/autonomyops/edged/machine"
)

// MessageID returns the MESSAGE_ID of a kind, as [journald.MessageID] does.
func MessageID(kind string) string {
	return journald.MessageID(kind)
}

// Priorities of syslog.
const (
	priorityError   = 3
	priorityWarning = 4
	priorityNotice  = 5
	priorityInfo    = 6
)

// priority returns the priority of a kind: error for a failure, warning for an
// event to look at, notice for a change of the node, info for the others.
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
