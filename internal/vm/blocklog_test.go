package vm

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

const (
	sectorSize = 512  // of the disk: written whole or not at all
	blockSize  = 4096 // of the filesystems: may be torn
)

// recorded returns QEMU's options for a disk whose writes are also appended to a log.
func recorded(image, log string) []string {
	return []string{
		"-blockdev", "driver=file,node-name=image,filename=" + image,
		"-blockdev", "driver=file,node-name=log,filename=" + log,
		"-blockdev", fmt.Sprintf("driver=blklogwrites,node-name=disk,file=image,log=log,log-sector-size=%d", sectorSize),
		"-device", "virtio-blk-pci,drive=disk",
	}
}

// A write is one that the guest sent to the disk.
type write struct {
	at   int64 // byte offset
	data []byte
}

// An interval holds the writes between two flushes, in order. After a power cut in it the disk holds
// any of them.
type interval []write

// The log has a superblock and entries, each a sector of numbers and the data. They are little-endian
// and 64 bits long:
//
//	superblock  magic | version | number of entries | sector size (32 bits)
//	entry       first sector | sectors | flags | length of the data
const (
	logMagic  = 0x6a736677736872
	isFlush   = 1
	isFUA     = 2
	isDiscard = 4
)

// readLog returns the intervals of a log. The last one may be followed by no flush.
func readLog(t *testing.T, path string) []interval {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	sector := make([]byte, sectorSize)
	number := func(i int) uint64 { return binary.LittleEndian.Uint64(sector[8*i:]) }
	next := func(into []byte) {
		if _, err := io.ReadFull(f, into); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	next(sector)
	if number(0) != logMagic || number(1) != 1 || binary.LittleEndian.Uint32(sector[24:]) != sectorSize {
		t.Fatalf("%s is not a log of sectors of %d bytes", path, sectorSize)
	}
	all := []interval{nil}
	for range number(2) {
		next(sector)
		at, length, flags := int64(number(0))*sectorSize, number(1)*sectorSize, number(2) //nolint:gosec // within the image
		if flags&isFlush != 0 && len(all[len(all)-1]) > 0 {
			all = append(all, nil)
		}
		w := write{at: at, data: make([]byte, length)}
		if flags&isDiscard == 0 {
			next(w.data)
		}
		if length > 0 {
			all[len(all)-1] = append(all[len(all)-1], w)
		}
		if flags&isFUA != 0 {
			all = append(all, nil)
		}
	}
	return all
}

// apply writes to an image.
func (i interval) apply(t *testing.T, image string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Clean(image), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range i {
		if _, err := f.WriteAt(w.data, w.at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// neverTorn is the offset of a filesystem's superblock if its checksum covers several sectors: the
// filesystem relies on the disk to write it whole, and does not mount with a torn one.
var neverTorn = map[string]int64{"ext4": 1 << 10, "btrfs": 64 << 10}

// subset returns what a power cut may leave of the interval on a filesystem: any of its writes, and of
// some only a part of the sectors of each block.
func (i interval) subset(rng *rand.Rand, fs string) (left interval) {
	keep, tear := rng.Float64(), rng.IntN(2) == 0
	whole, exists := neverTorn[fs]
	for _, w := range i {
		holds := exists && w.at <= whole && whole < w.at+int64(len(w.data))
		switch {
		case rng.Float64() >= keep:
		case tear && !holds && rng.IntN(2) == 0:
			left = append(left, w.torn(rng)...)
		default:
			left = append(left, w)
		}
	}
	return left
}

// torn returns some of a write's sectors: of each block all, none, the first few, the last few, or any.
func (w write) torn(rng *rand.Rand) (left interval) {
	for from := 0; from < len(w.data); from += blockSize {
		sectors := (min(from+blockSize, len(w.data)) - from) / sectorSize
		how, some := rng.IntN(5), rng.IntN(sectors+1)
		for n := range sectors {
			if how == 0 || how == 2 && n < some || how == 3 && n >= some || how == 4 && rng.IntN(2) == 0 {
				at := from + n*sectorSize
				left = append(left, write{w.at + int64(at), w.data[at : at+sectorSize]})
			}
		}
	}
	return left
}
