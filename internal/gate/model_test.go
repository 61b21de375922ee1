package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// model is a node as the situations table of the specification describes it,
// and nothing of how the gate works: the state of the disk, and what a boot
// must do about it.
type model struct {
	// The surroundings of the gate.
	os       string // the live operating system
	file     string // fingerprint file: ok, missing, edited, empty, unparseable, reformatted, foreign, legacy
	evidence string // of the running epoch: none, ok, missing, edited
	manifest string // none, good, unsigned
	serial   int64  // of the deployed manifest, 0 for none
	clock    time.Time

	certEnd time.Time

	// What a history means.
	baseline string // "" before a baseline
	adopted  bool   // legacy state of an epoch above 0, not yet reconstructed
	epoch    uint64
	serialAt int64 // serial of the last completed epoch
	floor    time.Time
	drill    bool
	open     *openUpdate
	legacy   uint64 // epoch that a legacy file claims
	legacyOS string // and the operating system it was taken of
	answered string // kind of the file that the last rotation replaced, byte for byte the same each time
}

type openUpdate struct {
	target  string
	causes  []string
	attempt int
	applied bool
	failed  bool
}

// boot answers one boot: the exit code and the events in order.
func (m *model) boot() (exit int, events []string) {
	add := func(format string, args ...any) { events = append(events, fmt.Sprintf(format, args...)) }
	fail := func(code int) (int, []string) {
		add("PrecheckFailed")
		return code, events
	}
	used := m.clock
	if used.Before(m.floor) {
		used = m.floor
	}
	if used.After(m.certEnd.Add(-7 * 24 * time.Hour)) {
		return fail(ExitCertificate)
	}

	fileCause := map[string]string{"edited": "fingerprint_tampered", "empty": "fingerprint_tampered",
		"unparseable": "fingerprint_tampered", "foreign": "foreign_writer"}[m.file]
	if m.baseline != "" && m.file == m.answered {
		fileCause = "" // what was answered is not answered twice
	}
	var causes []string

	// First runs.
	if m.baseline == "" {
		if m.file != "empty" && m.file != "unparseable" {
			switch {
			case m.manifest == "unsigned", m.manifest == "good" && m.refused():
				return fail(ExitReconstruction)
			case m.manifest == "good":
				add("ManifestVerified")
			}
		}
		switch m.file {
		case "legacy":
			add("LegacyStateAdopted")
			m.baseline, m.epoch, m.adopted, m.file = m.legacyOS, m.legacy, m.legacy > 0, "adopted"
			m.answered = "foreign" // stripped of its journal member, the published file is the adopted one again
		case "empty", "unparseable":
			add("FingerprintCaptured:differs")
			causes = []string{"fingerprint_tampered"}
			if m.drill {
				causes = append(causes, "drill")
			}
		default:
			add("FingerprintCaptured:initial")
			m.baseline = m.os
			fileCause = ""
			if m.drill {
				causes = []string{"drill"}
			}
		}
	}

	if m.baseline != "" && !slices.Contains(events, "FingerprintCaptured:initial") {
		if m.os == m.baseline {
			add("FingerprintCaptured:match")
		} else {
			add("FingerprintCaptured:differs")
		}
		repairFile := func() {
			switch m.file {
			case "missing":
				add("ProjectionRepaired:missing")
			case "reformatted":
				add("ProjectionRepaired:reformatted")
			case m.answered:
				add("ProjectionRepaired:answered")
			}
		}
		if m.open == nil {
			repairFile()
		}
		switch m.evidence {
		case "missing", "edited":
			add("ProjectionRepaired:%s", m.evidence)
		}
		if m.open != nil && m.os == m.baseline && !m.open.applied && slices.Equal(m.open.causes, []string{"os_changed"}) {
			add("UpdateAbandoned")
			m.open = nil
			repairFile()
		}
		if m.adopted {
			causes = append(causes, "legacy")
		}
		if m.open == nil && fileCause != "" {
			causes = append(causes, fileCause)
		}
		if m.os != m.baseline {
			causes = append(causes, "os_changed")
		}
		if m.drill {
			causes = append(causes, "drill")
		}
	}

	switch {
	case m.open == nil && len(causes) == 0:
		return m.passed(events)
	case m.open == nil:
		m.open = &openUpdate{target: m.os, causes: causes, attempt: 1}
		add("UpdateDetected:%v#1", causes)
	case m.open.failed || m.open.target != m.os:
		for _, c := range causes {
			if !slices.Contains(m.open.causes, c) {
				m.open.causes = append(m.open.causes, c)
			}
		}
		m.open.attempt++
		m.open.target, m.open.failed = m.os, false
		add("UpdateDetected:%v#%d", m.open.causes, m.open.attempt)
	}
	if m.manifest != "good" || m.refused() {
		m.open.failed = true
		return fail(ExitReconstruction)
	}
	add("ManifestVerified")
	if !m.open.applied {
		add("OpApplied")
	}
	add("EpochRotated")
	m.epoch++
	m.open, m.drill, m.adopted = nil, false, false
	m.baseline, m.evidence = m.os, "ok"
	m.answered = "nothing"
	if m.file == "empty" || m.file == "unparseable" {
		m.answered = m.file
	}
	if m.serial > 0 {
		m.serialAt = m.serial
	}
	return m.passed(events)
}

func (m *model) passed(events []string) (int, []string) {
	if m.clock.After(m.floor) {
		m.floor = m.clock
	}
	if m.evidence != "none" {
		m.evidence = "ok"
	}
	m.file = "ok"
	return ExitOK, events
}

// refused: a lower or missing serial is a rollback.
func (m *model) refused() bool { return m.serialAt > 0 && m.serial < m.serialAt }

func (m *model) String() string {
	return strings.TrimSpace(fmt.Sprintf("%+v", *m))
}
