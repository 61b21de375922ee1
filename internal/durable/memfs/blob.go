package memfs

import "slices"

// block is the unit of reading and writing. It is never changed once it is in a blob.
type block = [blockSize]byte

// blob is the bytes of a file. Disks share its blocks, and the list of them
// until one of the disks writes, so that a copy of a large file costs little.
type blob struct {
	size   int
	blocks []*block // as many as size needs; nil is a block of zeros, and the bytes after size are zeros
	owned  bool     // no other blob has this list
}

// blocksOf returns how many blocks size bytes need.
func blocksOf(size int) int { return (size + blockSize - 1) / blockSize }

// newBlob takes over data.
func newBlob(data []byte) blob {
	var s blob
	s.write(data, 0)
	return s
}

// share returns a blob with the same bytes; from now on neither owns the list.
func (s *blob) share() blob {
	s.owned = false
	return *s
}

// own makes the list writable.
func (s *blob) own() {
	if !s.owned {
		s.blocks, s.owned = slices.Clone(s.blocks), true
	}
}

// resize cuts the bytes or extends them with zeros.
func (s *blob) resize(size int) {
	s.own()
	need := blocksOf(size)
	if more := need - len(s.blocks); more > 0 {
		s.blocks = append(s.blocks, make([]*block, more)...)
	}
	s.blocks = s.blocks[:need]
	if rest := size % blockSize; size < s.size && rest > 0 && s.blocks[need-1] != nil {
		cut := *s.blocks[need-1]
		clear(cut[rest:])
		s.blocks[need-1] = &cut
	}
	s.size = size
}

// write puts p at off, with zeros before it if the bytes end earlier. It keeps p: the
// caller must not change it afterwards.
func (s *blob) write(p []byte, off int) {
	s.own()
	if end := off + len(p); end > s.size {
		s.resize(end)
	}
	for len(p) > 0 {
		i, at := off/blockSize, off%blockSize
		n := min(len(p), blockSize-at)
		if n == blockSize {
			s.blocks[i] = (*block)(p)
		} else {
			var changed block
			if s.blocks[i] != nil {
				changed = *s.blocks[i]
			}
			copy(changed[at:], p[:n])
			s.blocks[i] = &changed
		}
		p, off = p[n:], off+n
	}
}

// read copies the bytes from off into p and returns their number.
func (s *blob) read(p []byte, off int) int {
	if off >= s.size {
		return 0
	}
	p = p[:min(len(p), s.size-off)]
	for rest := p; len(rest) > 0; {
		i, at := off/blockSize, off%blockSize
		n := min(len(rest), blockSize-at)
		if s.blocks[i] != nil {
			copy(rest[:n], s.blocks[i][at:])
		} else {
			clear(rest[:n])
		}
		rest, off = rest[n:], off+n
	}
	return len(p)
}

// bytes returns a copy of all bytes.
func (s *blob) bytes() []byte {
	b := make([]byte, s.size)
	s.read(b, 0)
	return b
}
