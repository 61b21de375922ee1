package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// maxHistoryMiB is the most memory that a reader of a journal of any length may use.
const maxHistoryMiB = 128

// history measures the readers of a long journal.
func (b *bench) history() ([]row, error) {
	h, err := b.longHistory()
	if err != nil {
		return nil, err
	}
	rows, err := h.verifyAndExport()
	if err != nil {
		return rows, err
	}
	more, err := h.readers()
	return append(rows, more...), errors.Join(err, h.node.remove())
}

// longHistory is a node with a long journal, and an export of it.
type longHistory struct {
	*bench
	node    *node
	lines   string
	records float64 // their number
	size    float64 // bytes a record, on average
}

func (b *bench) longHistory() (*longHistory, error) {
	n, err := b.bootedNode("history", 1)
	if err != nil {
		return nil, err
	}
	b.say("making a journal of %d records", b.records)
	entry, err := shortEntry(n.dir)
	if err != nil {
		return nil, err
	}
	if err := extend(n.dir, b.records, pace{fold: true}, entry); err != nil {
		return nil, err
	}
	h := &longHistory{bench: b, node: n, lines: filepath.Join(b.dir, "history.jsonl"), records: float64(b.records)}
	if _, err := n.edgectl("journal", "export", "--format", "jsonl", "--out", h.lines).run(); err != nil {
		return nil, err
	}
	info, err := os.Stat(h.lines)
	if err != nil {
		return nil, err
	}
	h.size = float64(info.Size()) / h.records
	return h, flush(b.dir)
}

// shortEntry returns an entry whose record has about 500 bytes, mostly of the envelope.
func shortEntry(dir string) (record.Entry, error) {
	entry, err := newestEntry(dir)
	if err != nil {
		return entry, err
	}
	p := machine.PrecheckFailed{V: 1, ExitCode: 3, Stage: "cert", Path: "node.crt", Reason: "expired"}
	entry.Type, entry.Crit = string(p.Kind()), machine.Critical(p.Kind())
	entry.Data, err = machine.Encode(p)
	return entry, err
}

// perSecond returns a rate in records per second.
func (h *longHistory) perSecond(s series) float64 { return h.records / s.seconds() }

// verifyAndExport measures both against b3sum of the same bytes and journalctl.
func (h *longHistory) verifyAndExport() ([]row, error) {
	verify := h.node.edgectl("journal", "verify")
	export := h.node.edgectl("journal", "export", "--format", "jsonl", "--out", "-")
	subjects := []subject{{"verify", always(verify)}, {"export", always(export)}}
	b3sum, err := exec.LookPath("b3sum")
	if err == nil {
		subjects = append(subjects, subject{"b3sum", always(command{args: []string{b3sum, h.lines}})})
	}
	file, missing, err := h.journald()
	if err != nil {
		return nil, err
	}
	if missing == "" {
		journalctl, err := exec.LookPath("journalctl")
		if err != nil {
			return nil, err
		}
		subjects = append(subjects,
			subject{"journalctl --verify", always(command{args: []string{journalctl, "--file", file, "--verify"}})},
			subject{"journalctl -o json", always(command{args: []string{journalctl, "--file", file, "-o", "json", "--no-pager"}})})
	}
	took, err := interleave(h.historyRuns, subjects...)
	if err != nil {
		return nil, err
	}
	about := fmt.Sprintf("%s records of %.0f bytes", figure(h.records, ""), h.size)
	v, e := took["verify"], took["export"]
	limitText := "b3sum is not installed: skipped"
	if s := took["b3sum"]; s != nil {
		limitText = fmt.Sprintf("b3sum of the same bytes %.2f s, %s records/s", s.seconds(), figure(h.perSecond(s), ""))
	}
	rows := []row{
		measured("journal verify", atLeast(1.2e6, "records/s"), h.perSecond(v), fmt.Sprintf("%s in %.2f s; %s", about, v.seconds(), limitText)),
		h.against("… ÷ journalctl --verify, per entry", 4, v, took["journalctl --verify"], missing),
		measured("journal export --format jsonl", atLeast(2e6, "records/s"), h.perSecond(e), fmt.Sprintf("%s in %.2f s, into /dev/null", about, e.seconds())),
		h.against("… ÷ journalctl -o json, per entry", 15, e, took["journalctl -o json"], missing),
	}
	for _, m := range []struct {
		name string
		c    command
	}{{"journal verify", verify}, {"journal export --format jsonl", export}} {
		r, err := h.memory(m.name, m.c)
		if err != nil {
			return rows, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// against compares the cost of one record with that of one of journald's entries.
func (h *longHistory) against(measure string, times float64, ours, theirs series, missing string) row {
	l := atLeast(times, "×")
	if missing != "" {
		return skipped(measure, l, missing)
	}
	each := float64(h.journaldEntries()) / h.records
	return measured(measure, l, theirs.over(ours)/each,
		fmt.Sprintf("journald: %s entries in %.2f s, %s entries/s", figure(float64(h.journaldEntries()), ""), theirs.seconds(),
			figure(float64(h.journaldEntries())/theirs.seconds(), "")))
}

func (h *longHistory) memory(name string, c command) (row, error) {
	u, err := h.peak(c)
	if err != nil {
		return row{}, err
	}
	return measured("… memory of "+name, atMost(maxHistoryMiB, "MiB"), u.mib,
		fmt.Sprintf("rusage maxrss under a small parent; %.2f s of CPU time, %s records per second of it", u.cpu, figure(h.records/max(u.cpu, 0.001), ""))), nil
}

// once measures a command that is slow enough for few runs.
func (h *longHistory) once(c command) (series, error) {
	took, err := interleave(h.historyRuns, subject{"it", always(c)})
	return took["it"], err
}

// within returns a limit in time.
func within(d time.Duration) limit { return atMost(float64(d.Milliseconds()), "ms") }
