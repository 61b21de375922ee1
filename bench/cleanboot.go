package main

import (
	"fmt"
	"os/exec"
)

// cleanBoot measures a boot whose fingerprint matches against P, B, S, F0 and
// F1. The node goes on from round to round, as nodes do, so that the
// compactions that its boots share are in the figure.
func (b *bench) cleanBoot() ([]row, error) {
	n, err := b.bootedNode("clean", storeBoots)
	if err != nil {
		return nil, err
	}
	subjects := []subject{{"boot", always(n.boot())}}
	for _, s := range []struct {
		name  string
		store store
	}{
		{"P", store{b, "pebble", "store"}},
		{"B", store{b, "bbolt", "store.db"}},
		{"S", store{b, "sqlite", "store.db"}},
		{"F1", store{b, "f1", "log"}},
	} {
		c, err := s.store.fresh("clean", b.runs)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, subject{s.name, c})
	}
	subjects = append(subjects, subject{"F0", always(command{args: []string{b.reference("f0")}})})
	took, err := interleave(b.runs, subjects...)
	if err != nil {
		return nil, err
	}
	boot, p := took["boot"], took["P"]
	how := fmt.Sprintf("medians: boot %.1f ms · P %.1f · S %.1f · B %.1f · F1 %.1f · F0 %.1f; P, B, S each on a copy, made and flushed beforehand, of a store that %d runs left",
		boot.ms(), p.ms(), took["S"].ms(), took["B"].ms(), took["F1"].ms(), took["F0"].ms(), storeBoots)
	rows := []row{measured("clean boot, time", atMost(1.3, "× P"), boot.over(p), how)}
	// Round 0 was a warm-up: its copy has had one run more than the origin.
	again, err := subjects[1].command(0)
	if err != nil {
		return rows, err
	}
	for _, more := range []func(boot, p command) (row, error){b.cleanSyncs, b.cleanMemory} {
		r, err := more(n.boot(), again)
		if err != nil {
			return rows, err
		}
		rows = append(rows, r)
	}
	return rows, n.remove()
}

// traceBoots are the boots watched for syncs and memory: more than lie between
// two compactions of the journal's newest tables.
const traceBoots = 16

// cleanSyncs counts the sync calls of the boot that makes the most of them.
func (b *bench) cleanSyncs(boot, p command) (row, error) {
	const measure = "clean boot, sync calls"
	if _, err := exec.LookPath("strace"); err != nil {
		return skipped(measure, atMost(14, ""), "strace is not installed"), nil
	}
	var all []float64
	most, text := 0, ""
	for range traceBoots {
		calls, err := b.countSyncs(boot)
		if err != nil {
			return row{}, err
		}
		count, names := total(calls)
		all = append(all, float64(count))
		if count > most {
			most, text = count, names
		}
	}
	calls, err := b.countSyncs(p)
	if err != nil {
		return row{}, err
	}
	bare, _ := total(calls)
	return measured(measure, atMost(14, ""), float64(most),
		fmt.Sprintf("strace, the most of %d boots (%s); median %.0f; P %d", traceBoots, text, median(all), bare)), nil
}

// cleanMemory takes the peak of the boot that needs the most.
func (b *bench) cleanMemory(boot, p command) (row, error) {
	var all []float64
	most := 0.0
	for range traceBoots {
		u, err := b.peak(boot)
		if err != nil {
			return row{}, err
		}
		all = append(all, u.mib)
		most = max(most, u.mib)
	}
	bare, err := b.peak(p)
	if err != nil {
		return row{}, err
	}
	return measured("clean boot, peak memory", atMost(32, "MiB"), most,
		fmt.Sprintf("rusage maxrss under a small parent, the most of %d boots; median %.1f MiB; P %.1f MiB", traceBoots, median(all), bare.mib)), nil
}
