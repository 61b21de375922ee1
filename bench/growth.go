package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// growth compares boots on a long history with boots on a short one whose tail holds the same number of
// records, so that they settle in the same rounds. The journal's own writer makes the long one.
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
	use, err := tailOf(short.dir)
	if err != nil {
		return nil, err
	}
	if err := extend(long.dir, b.boots, pace{fold: true, tail: use.Records}, entry); err != nil {
		return nil, err
	}
	if err := flush(b.dir); err != nil {
		return nil, err
	}
	took, err := interleave(b.runs, subject{"short", short.boots()}, subject{"long", long.boots()})
	if err != nil {
		return nil, err
	}
	files, size, err := measureTree(filepath.Join(long.dir, "journal"))
	if err != nil {
		return nil, err
	}
	s, l := took["short"], took["long"]
	rows := []row{measured(fmt.Sprintf("clean boot after %s boots ÷ after 10", figure(float64(b.boots), "")), atMost(1.1, ""), l.over(s),
		fmt.Sprintf("medians: %.1f ms and %.1f ms; the journal is %d files, %.1f MiB", l.ms(), s.ms(), files, float64(size)/(1<<20)))}
	most := 0.0
	for range 40 { // one of them settles
		if err := b.newBoot(); err != nil {
			return rows, err
		}
		u, err := b.peak(long.boot())
		if err != nil {
			return rows, err
		}
		most = max(most, u.mib)
	}
	rows = append(rows, measured("… its peak memory", atMost(32, "MiB"), most, "the most of 40 boots, of which at least one settles"))
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
