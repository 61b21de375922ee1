// P opens Pebble in the directory it is given, appends one synced record of 300 bytes, and closes. It makes the store
// if there is none. Its options are a copy of those with which the product once opened Pebble at every boot. They are
// kept here so that the peer stays the same whatever the product does.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string) error {
	o := options()
	db, err := pebble.Open(dir, o)
	if err != nil {
		return err
	}
	key := binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixNano()))
	if err := db.Set(key, make([]byte, 300), pebble.Sync); err != nil {
		return err
	}
	return db.Close()
}

// options returns small sizes: one boot appends a few records of some hundred bytes.
func options() *pebble.Options {
	o := &pebble.Options{
		Logger:                      silent{},
		FormatMajorVersion:          pebble.FormatTableFormatV6,
		MemTableSize:                1 << 20,
		MemTableStopWritesThreshold: 4,
		CacheSize:                   4 << 20,
		MaxOpenFiles:                512,
		DisableAutomaticCompactions: true,
		L0StopWritesThreshold:       1 << 20,
		L0CompactionFileThreshold:   1 << 20,
		LBaseMaxBytes:               1 << 40,
		DisableTableStats:           true,
		BytesPerSync:                1 << 30,
	}
	o.Experimental.FileCacheShards = 1
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = 2 << 20
	}
	for i := range o.Levels {
		o.Levels[i].BlockSize = 32 << 10
	}
	return o
}

// silent drops the log lines of Pebble.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(f string, args ...any) {
	fmt.Fprintf(os.Stderr, f+"\n", args...)
	os.Exit(1)
}
