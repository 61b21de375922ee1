package main

import (
	"fmt"
	"os/exec"
)

// cleanBoot measures a boot whose fingerprint matches, against P, B, S, F0 and F1. The node's history
// grows from round to round, as on real nodes, so one of the boots settles and is in the figure.
func (b *bench) cleanBoot() ([]row, error) {
	n, err := b.bootedNode("clean", storeBoots)
	if err != nil {
		return nil, err
	}
	subjects := []subject{{"boot", n.boots()}}
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
	rows := []row{measured("clean boot, time", atMost(0.85, "× P"), boot.over(p), how)}
	if err := n.remove(); err != nil {
		return rows, err
	}
	// On a young node none of the watched boots settles.
	if n, err = b.bootedNode("watched", 1); err != nil {
		return rows, err
	}
	// Round 0 was a warm-up: its copy has had one run more than the origin.
	again, err := subjects[1].command(0)
	if err != nil {
		return rows, err
	}
	for _, more := range []func(n *node, p command) ([]row, error){b.cleanCalls, b.cleanMemory} {
		r, err := more(n, again)
		if err != nil {
			return rows, err
		}
		rows = append(rows, r...)
	}
	return rows, n.remove()
}

// watchedBoots is the number of boots watched for system calls, and then for memory.
const watchedBoots = 12

// cleanCalls counts the sync calls, and the calls that change names, of the boot with the most of them.
func (b *bench) cleanCalls(n *node, p command) ([]row, error) {
	const syncs, names = "clean boot, sync calls", "… files created, renamed or removed"
	if _, err := exec.LookPath("strace"); err != nil {
		const why = "strace is not installed"
		return []row{skipped(syncs, atMost(2, ""), why), skipped(names, none(), why)}, nil
	}
	var all []float64
	most, changes, text, changed := 0, 0, "", ""
	for range watchedBoots {
		if err := b.newBoot(); err != nil {
			return nil, err
		}
		trace, err := b.trace(n.boot())
		if err != nil {
			return nil, err
		}
		count, calls := total(countCalls(trace))
		all = append(all, float64(count))
		if count > most {
			most, text = count, calls
		}
		if c := nameChanges(trace); len(c) > changes {
			changes, changed = len(c), c[0]
		}
	}
	trace, err := b.trace(p)
	if err != nil {
		return nil, err
	}
	bare, _ := total(countCalls(trace))
	return []row{
		measured(syncs, atMost(2, ""), float64(most), fmt.Sprintf("strace, the most of %d boots (%s); median %.0f; P %d", watchedBoots, text, median(all), bare)),
		measured(names, none(), float64(changes), fmt.Sprintf("the same boots, under the state root; P %d%s", len(nameChanges(trace)), changed)),
	}, nil
}

// cleanMemory measures the peak of the boot that needs the most.
func (b *bench) cleanMemory(n *node, p command) ([]row, error) {
	var all []float64
	most := 0.0
	for range watchedBoots {
		if err := b.newBoot(); err != nil {
			return nil, err
		}
		u, err := b.peak(n.boot())
		if err != nil {
			return nil, err
		}
		all = append(all, u.mib)
		most = max(most, u.mib)
	}
	bare, err := b.peak(p)
	if err != nil {
		return nil, err
	}
	return []row{measured("clean boot, peak memory", atMost(24, "MiB"), most,
		fmt.Sprintf("rusage maxrss under a small parent, the most of %d boots; median %.1f MiB; P %.1f MiB", watchedBoots, median(all), bare.mib))}, nil
}
