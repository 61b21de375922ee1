package memfs

// dataOp is a change of a file's bytes, size or mode that is not durable yet.
type dataOp struct {
	kind  dataKind
	off   int
	bytes []byte // of a write
	size  int    // of a truncation; of an extension the least size
	perm  uint32 // of a chmod
	// doomed: a flush that should have taken it failed. A later flush passes
	// it by, as Linux marks pages clean that it could not write.
	doomed bool
	// flushed: it is durable, but waits here behind a doomed one, so that the
	// order in which they apply is kept.
	flushed bool
}

type dataKind uint8

const (
	dataWrite dataKind = iota
	dataTruncate
	dataExtend
	dataChmod
)

// apply carries out d on what is durable.
func (d *dataOp) apply(n *inode) {
	switch d.kind {
	case dataWrite:
		n.durData.write(d.bytes, d.off)
	case dataTruncate:
		n.durData.resize(d.size)
	case dataExtend:
		if d.size > n.durData.size {
			n.durData.resize(d.size)
		}
	case dataChmod:
		n.durMode = n.durMode&^0o777 | modePerm(d.perm)
	}
}

// flush makes what is pending durable; without metadata it leaves changes of
// the mode alone.
func (n *inode) flush(metadata bool) {
	left := n.pending[:0:0]
	behind := false // a doomed operation was passed
	for _, d := range n.pending {
		switch {
		case d.doomed:
			behind = true
			left = append(left, d)
		case d.kind == dataChmod && !metadata:
			left = append(left, d)
		case behind && d.kind != dataChmod:
			d.flushed = true
			left = append(left, d)
		default:
			d.apply(n)
		}
	}
	n.pending = left
}

// failFlush is what a flush that fails does.
func (n *inode) failFlush() {
	for i := range n.pending {
		if !n.pending[i].flushed && n.pending[i].kind != dataChmod {
			n.pending[i].doomed = true
		}
	}
}
