package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// snapshotAge is how many records the long history's newest snapshot is old
// when the measurement begins. The gate takes one each 16 records and folds what
// came after it, so a boot in the middle of that is the typical one.
const snapshotAge = 8

// growth compares boots on a long history with boots on a short one. The long
// one is made through the journal's own writer: at first many boots a table,
// and at the end one by one, so that the tables at its tail are those that real
// boots leave.
func (b *bench) growth() ([]row, error) {
	short, err := b.bootedNode("short", 10)
	if err != nil {
		return nil, err
	}
	long, err := b.bootedNode("long", 2)
	if err != nil {
		return nil, err
	}
	b.say("making a history of %d boots", b.boots)
	entry, err := newestEntry(long.dir)
	if err != nil {
		return nil, err
	}
	if err := extend(long.dir, b.boots, pace{together: 256, session: 256, singly: 512, fold: true, snapshot: snapshotAge}, entry); err != nil {
		return nil, err
	}
	if err := flush(b.dir); err != nil {
		return nil, err
	}
	took, err := interleave(b.runs, subject{"short", always(short.boot())}, subject{"long", always(long.boot())})
	if err != nil {
		return nil, err
	}
	files, size, err := measureTree(filepath.Join(long.dir, "journal"))
	if err != nil {
		return nil, err
	}
	s, l := took["short"], took["long"]
	rows := []row{measured(fmt.Sprintf("clean boot after %s boots ÷ after 10", figure(float64(b.boots), "")), atMost(1.2, ""), l.over(s),
		fmt.Sprintf("medians: %.1f ms and %.1f ms; the journal is %d files, %.1f MiB", l.ms(), s.ms(), files, float64(size)/(1<<20)))}
	// The first boots after the bulk may compact what it left: so the memory
	// is that of settled ones.
	most := 0.0
	for range traceBoots {
		u, err := b.peak(long.boot())
		if err != nil {
			return rows, err
		}
		most = max(most, u.mib)
	}
	rows = append(rows, measured("… its peak memory", atMost(32, "MiB"), most, fmt.Sprintf("the most of %d boots", traceBoots)))
	if err := short.remove(); err != nil {
		return rows, err
	}
	return rows, long.remove()
}

// measureTree counts the files of a directory and their bytes.
func measureTree(dir string) (files int, size int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, 0, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return 0, 0, err
		}
		files++
		size += info.Size()
	}
	return files, size, nil
}
