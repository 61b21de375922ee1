package store

import (
	"github.com/cockroachdb/pebble/v2"
)

// Sizes in bytes. A settling writes what a tail holds and closes, so
// everything is small; a table of 2 MiB is the most that one compaction
// rewrites.
const (
	memTableSize = 1 << 20
	cacheSize    = 4 << 20
	tableSize    = 2 << 20
	blockSize    = 32 << 10
)

// maxL0 is the number of level-0 tables (one a settling) from which a settling
// compacts them.
const maxL0 = 12

// formatVersion is pinned: ratchets are one-way, and after an OS rollback the
// older binary must still read the journal.
const formatVersion = pebble.FormatTableFormatV6

// options returns Pebble's options.
func options(s *files) *pebble.Options {
	o := &pebble.Options{
		FS:                          s,
		Logger:                      s.fault,
		EventListener:               s.fault.listener(),
		ReadOnly:                    s.ro,
		FormatMajorVersion:          formatVersion,
		DisableWAL:                  true, // the tail is the log
		MemTableSize:                memTableSize,
		MemTableStopWritesThreshold: 4,
		CacheSize:                   cacheSize,
		MaxOpenFiles:                512,
		// A compaction runs at the end of a settling, on the caller's time,
		// and nowhere else; so writes never stall for one.
		DisableAutomaticCompactions: true,
		L0StopWritesThreshold:       1 << 20,
		L0CompactionFileThreshold:   1 << 20,
		// One level below L0: tables there do not overlap, and only the last
		// of them overlaps what is new (see the key layout).
		LBaseMaxBytes:     1 << 40,
		DisableTableStats: true,
		// No background flushing of half-written files.
		BytesPerSync: 1 << 30,
	}
	o.Experimental.FileCacheShards = 1
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = tableSize
	}
	for i := range o.Levels {
		o.Levels[i].BlockSize = blockSize
	}
	return o
}
