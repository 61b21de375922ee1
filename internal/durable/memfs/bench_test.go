package memfs_test

import (
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
)

// BenchmarkCrash copies a disk with a file of 600 KiB, overwrites one block of it in
// place, flushes that and cuts the power. A test that crashes at each operation does
// this many thousand times.
func BenchmarkCrash(b *testing.B) {
	disk := memfs.New()
	tail := put(b, disk, "tail", string(make([]byte, 600<<10)))
	must(b, tail.Sync(), disk.SyncDir("."))
	block := make([]byte, 4096)
	b.ReportAllocs()
	for seed := range uint64(b.N) {
		m := disk.Clone()
		f, err := m.OpenWrite("tail")
		must(b, err)
		for _, off := range []int64{4096, 8192} {
			_, err = f.WriteAt(block, off)
			must(b, err, f.Datasync())
		}
		_, err = f.WriteAt(block, 12288)
		must(b, err)
		disk = m.Crash(memfs.Crash{Keep: memfs.Random, Seed: seed})
	}
}
