package journal

import (
	"encoding/binary"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/wal"
)

// maxLogged bounds the bytes of records that are kept from logs: a log is of
// one run of the gate, which appends a few.
const maxLogged = 64 << 20

// batchHeader is what a batch in a log begins with: a sequence number of
// Pebble's own and a count.
const batchHeader = 12

// readLogs collects the records in the logs. Where a log breaks off, what came
// before is kept; the audit has told why.
func (s *store) readLogs(dir string) (found map[uint64][]byte, err error) {
	defer told("read the journal's logs", dir, &err)
	logs, err := wal.Scan(wal.Dir{FS: s, Dirname: dir})
	if err != nil {
		return nil, corrupt(dir, 0, err, "read the journal's logs")
	}
	found = map[uint64][]byte{}
	size := 0
	for _, l := range logs {
		if size, err := l.PhysicalSize(); err != nil || size > maxLog {
			continue // none that was written here
		}
		r := l.OpenForRead()
		for size <= maxLogged {
			rec, _, err := r.NextRecord()
			if err != nil {
				break // the end, or where it breaks off
			}
			batch, err := io.ReadAll(io.LimitReader(rec, maxLogged+1))
			if err != nil {
				break
			}
			size += len(batch)
			recordsOf(batch, func(seq uint64, raw []byte) { found[seq] = raw })
		}
		if err := r.Close(); err != nil {
			return found, ioError("read the journal's logs", dir, err)
		}
	}
	return found, nil
}

// recordsOf gives the records that a batch sets, up to where it is not one.
func recordsOf(batch []byte, each func(seq uint64, raw []byte)) {
	if len(batch) < batchHeader {
		return
	}
	text := func() []byte {
		n, used := binary.Uvarint(batch)
		if used <= 0 || n > uint64(len(batch)-used) {
			batch = nil
			return nil
		}
		t := batch[used : used+int(n) : used+int(n)]
		batch = batch[used+int(n):]
		return t
	}
	for batch = batch[batchHeader:]; len(batch) > 0; {
		kind := batch[0]
		batch = batch[1:]
		key := text()
		if pebble.InternalKeyKind(kind) != pebble.InternalKeyKindSet || batch == nil {
			return // the journal's log holds nothing else
		}
		val := text()
		if val != nil && len(key) == 8 {
			each(binary.BigEndian.Uint64(key), val)
		}
	}
}
