package store

import (
	"github.com/cockroachdb/pebble/v2"
)

// Sizes in bytes. They are small because a settling writes the records of one
// tail and closes. One compaction rewrites at most one table of 2 MiB.
const (
	memTableSize = 1 << 20
	cacheSize    = 4 << 20
	tableSize    = 2 << 20
	blockSize    = 32 << 10
)

// maxL0 is the number of level-0 tables (one a settling) from which a settling
// compacts them.
const maxL0 = 12

// formatVersion is pinned: Pebble never lowers a format, and after an OS rollback
// the older binary must still read the journal.
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
		// A compaction runs only at the end of a settling, in the caller's
		// goroutine, so writes never stall for one.
		DisableAutomaticCompactions: true,
		L0StopWritesThreshold:       1 << 20,
		L0CompactionFileThreshold:   1 << 20,
		// There is one level below L0: its tables do not overlap, and only the
		// last of them overlaps new ones (see the key layout).
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
