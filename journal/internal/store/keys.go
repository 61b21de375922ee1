package store

import (
	"encoding/binary"

	"github.com/autonomyops/edged/internal/errs"
)

// snapshots is the prefix of their keys. It is above every record's key, whose seq is below 2^53.
const snapshots = "\xff\xff\xff\xff\xff\xff\xff\xffs"

func firstSnapshot() []byte { return []byte(snapshots) }

// endOfKeys returns a key above every key.
func endOfKeys() []byte { return []byte(snapshots + "\xff\xff\xff\xff\xff\xff\xff\xff\xff") }

func recordKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func snapshotKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(firstSnapshot(), seq) }

// seqOf returns the seq of a key of recordKey. For any other key the error is errs.ErrCorrupt.
func seqOf(key []byte) (uint64, error) {
	if len(key) != 8 {
		return 0, errs.Corrupt("", 0, nil, "read the key %.40x: no record has such a key", key)
	}
	return binary.BigEndian.Uint64(key), nil
}
