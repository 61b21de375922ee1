package journal

import (
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
)

// Keys in Pebble sort so that whatever an append writes lies behind all older
// records: a new table overlaps only the last of the old ones.
//
//	record    seq, 8 bytes big-endian
//	snapshot  seq, 8 bytes big-endian, then 's': right behind its record
//	ladder    8 × 0xff, "ladder": where the snapshots are
//	head      8 × 0xff, "head": the newest record
const (
	headKey     = "\xff\xff\xff\xff\xff\xff\xff\xffhead"
	ladderKey   = "\xff\xff\xff\xff\xff\xff\xff\xffladder"
	endOfKeys   = "\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	snapshotTag = 's'
)

// firstMeta is above every record and snapshot key and below head and ladder.
func firstMeta() []byte { return []byte("\xff\xff\xff\xff\xff\xff\xff\xff") }

func recordKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func snapshotKey(seq uint64) []byte { return append(recordKey(seq), snapshotTag) }

// The head value, big-endian:
//
//	 0  1  version, 1
//	 1 16  journal id
//	17  8  seq
//	25 32  hash
const headValueLen = 57

func appendHeadValue(b []byte, id uuid.UUID, t Tip) []byte {
	b = append(b, 1)
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint64(b, t.Seq)
	return append(b, t.Hash[:]...)
}

func parseHeadValue(b []byte) (id uuid.UUID, t Tip, err error) {
	if len(b) > 0 && b[0] > 1 {
		return id, t, &Error{Kind: ErrNewer, Detail: fmt.Sprintf("read the journal's head: version %d", b[0]), Next: nextUpgrade}
	}
	if len(b) != headValueLen || b[0] != 1 {
		return id, t, fmt.Errorf("head value of %d bytes is not of version 1", len(b))
	}
	copy(id[:], b[1:17])
	t.Seq = binary.BigEndian.Uint64(b[17:25])
	copy(t.Hash[:], b[25:57])
	return id, t, nil
}

// Tip is the newest record of a journal.
type Tip struct {
	Seq  uint64
	Hash Hash
}
