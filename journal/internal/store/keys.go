package store

import "encoding/binary"

// snapshots begin where no record's key is: a record's seq is below 2^53.
const snapshots = "\xff\xff\xff\xff\xff\xff\xff\xffs"

func firstSnapshot() []byte { return []byte(snapshots) }

// endOfKeys is above every key.
func endOfKeys() []byte { return []byte(snapshots + "\xff\xff\xff\xff\xff\xff\xff\xff\xff") }

func recordKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func snapshotKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(firstSnapshot(), seq) }

// seqOf returns the seq that a record's or a snapshot's key ends in.
func seqOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }
