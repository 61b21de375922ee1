package journal

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

// The form of Pebble's logs and manifests, little-endian: blocks of 32 KiB,
// in which chunks are packed; a record is one full chunk, or a first, any
// number of middle and a last one.
//
//	0 4  checksum of what follows the size (masked CRC-32C)
//	4 2  size of the payload
//	6 1  type: position 1 full, 2 first, 3 middle, 4 last;
//	     plus 4 in the recyclable form, plus 8 in the WAL-sync form
//	7 4  number of the log (recyclable and WAL-sync form)
//	11 8 offset up to which the log was synced (WAL-sync form)
//
// A log that was closed ends in a recyclable full chunk of size 0, without a
// checksum, that names the log's number plus one.
const (
	logBlock  = 32 << 10
	minHeader = 7
	maxHeader = 19
)

type position byte

const (
	posFull   position = 1
	posFirst  position = 2
	posMiddle position = 3
	posLast   position = 4
)

// chunk is what stands at one place of a log.
type chunk struct {
	pos    position
	size   int  // with the header
	end    bool // the mark of a closed log
	nearly bool // all but the checksum is right
}

// logForm tells the chunks of one log from other bytes.
type logForm struct {
	num      uint32
	numbered bool // a WAL; a manifest's chunks bear no number
}

// parse reads the chunk that block begins with.
func (f logForm) parse(block []byte) (chunk, bool) {
	if len(block) < minHeader {
		return chunk{}, false
	}
	sum := binary.LittleEndian.Uint32(block)
	size := int(binary.LittleEndian.Uint16(block[4:]))
	typ := block[6]
	if typ < 1 || typ > 12 {
		return chunk{}, false
	}
	c := chunk{pos: position((typ-1)%4 + 1)}
	header := [...]int{minHeader, 11, maxHeader}[(typ-1)/4]
	if (header != minHeader) != f.numbered || len(block) < header {
		return chunk{}, false
	}
	c.size = header + size
	if f.numbered {
		switch num := binary.LittleEndian.Uint32(block[7:]); {
		case num == f.num+1 && sum == 0 && size == 0 && typ == 5:
			c.end = true
			return c, true
		case num != f.num:
			return chunk{}, false
		}
	}
	if c.size > len(block) {
		return chunk{}, false
	}
	if maskedCRC(block[6:c.size]) != sum {
		c.nearly = true
		return c, false
	}
	return c, true
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func maskedCRC(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// maxLog is far more than a log or manifest ever holds, in bytes: a log is left
// behind once its memtable is full.
const maxLog = 64 << 20

// auditLog reads a log or manifest chunk by chunk. It accepts a clean end and
// a torn tail: at most the last record was not synced when the power went, so
// a tail is torn only if no record begins behind the place where it breaks
// off, and if no single bit explains the break. Anything else is ErrCorrupt.
func (s *store) auditLog(path string, num uint32, numbered bool) error {
	file, err := s.Open(path)
	if err != nil {
		return ioError("open a log of the journal", path, err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	if info, err := file.Stat(); err != nil {
		return ioError("open a log of the journal", path, err)
	} else if info.Size() > maxLog {
		return corrupt(path, 0, nil, "open the journal: the log has %d bytes, at most %d are ever written", info.Size(), int64(maxLog))
	}
	form := logForm{num, numbered}
	var (
		buf    [logBlock]byte
		inside bool // a record has begun and not ended
		broken = -1 // where it breaks off
		base   int  // offset of the block in the file
		closed bool
	)
	for {
		n, err := io.ReadFull(file, buf[:])
		if err == io.EOF {
			break
		}
		if err != nil && err != io.ErrUnexpectedEOF {
			return ioError("read a log of the journal", path, err)
		}
		block := buf[:n]
		at := 0
		for broken < 0 && !closed && at < n {
			if padding(block[at:]) {
				if n-at >= form.longest() {
					broken = base + at
				}
				break
			}
			c, ok := form.parse(block[at:])
			begins := c.pos == posFull || c.pos == posFirst
			switch {
			case ok && c.end && !inside:
				closed = true
			case !ok || c.end || begins == inside:
				broken = base + at
				if !ok && flipped(form, block[at:]) {
					return corrupt(path, 0, nil, "audit a log of the journal: a bit is flipped near byte %d", broken)
				}
			default:
				inside = c.pos == posFirst || c.pos == posMiddle
				at += c.size
			}
		}
		if broken >= 0 {
			from := max(broken-base+1, 0)
			if i, found := form.begins(block, from); found {
				return corrupt(path, 0, nil, "audit a log of the journal: it breaks off at byte %d, but goes on at byte %d", broken, base+i)
			}
		}
		base += n
	}
	if broken >= 0 || inside {
		s.torn = path
	}
	return nil
}

// longest is the length of the longest header of the form. Where a block has
// less left, the writer fills it with zeros; zeros before that are a tail that
// never reached the disk.
func (f logForm) longest() int {
	if f.numbered {
		return maxHeader
	}
	return minHeader
}

// padding reports whether b is all zeros.
func padding(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// begins looks for a chunk that begins a record, or ends a log, anywhere in
// block[from:].
func (f logForm) begins(block []byte, from int) (int, bool) {
	for i := from; i+minHeader <= len(block); i++ {
		if t := block[i+6]; t < 1 || t > 12 {
			continue
		}
		if c, ok := f.parse(block[i:]); ok && (c.end || c.pos == posFull || c.pos == posFirst) {
			return i, true
		}
	}
	return 0, false
}

// flipped reports whether one flipped bit explains why block begins with no
// chunk. A write that was cut short leaves zeros; so a bit that is 0 and has
// nothing but zeros behind it proves nothing.
func flipped(form logForm, block []byte) bool {
	data := len(block)
	for data > 0 && block[data-1] == 0 {
		data--
	}
	tries := append([]byte(nil), block...)
	for i := 0; i < min(maxHeader, data); i++ {
		for bit := byte(1); bit != 0; bit <<= 1 {
			tries[i] ^= bit
			c, ok := form.parse(tries)
			tries[i] ^= bit
			if ok && !c.end && proves(block, i, bit, c.size) {
				return true
			}
		}
	}
	c, _ := form.parse(block)
	return c.nearly && flippedIn(block[:c.size])
}

// proves reports whether flipping bit back at i means more than a write cut
// short at i.
func proves(block []byte, i int, bit byte, size int) bool {
	return block[i]&bit != 0 || block[i] != 0 || !padding(block[i:min(size, len(block))])
}

// flippedIn looks for a flipped bit behind the header of a chunk whose
// checksum does not match. CRCs are linear: flipping a bit changes the sum by
// a value that depends on its distance from the end alone, so walking back
// from there finds it in one pass.
func flippedIn(c []byte) bool {
	want := binary.LittleEndian.Uint32(c) - 0xa282ead8
	want = want<<15 | want>>17
	diff := crc32.Checksum(c[6:], castagnoli) ^ want
	var delta [8]uint32 // of each bit of the byte at i
	for bit := range delta {
		delta[bit] = castagnoli[1<<bit]
	}
	for i := len(c) - 1; i >= minHeader; i-- {
		for bit, d := range delta {
			if d == diff && proves(c, i, 1<<bit, len(c)) {
				return true
			}
			delta[bit] = castagnoli[d&0xff] ^ d>>8
		}
	}
	return false
}
