// P opens Pebble in the directory it is given with the product's own options,
// appends one synced record of 300 bytes, and closes. The store is made when
// there is none.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/autonomyops/edged/journal"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string) error {
	o := journal.PebbleOptions()
	o.Logger = silent{}
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

// silent keeps Pebble's own lines out of the measurement.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(f string, args ...any) {
	fmt.Fprintf(os.Stderr, f+"\n", args...)
	os.Exit(1)
}
