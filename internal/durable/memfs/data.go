package memfs

// dataOp is a change of a file's bytes, size, mode or owner that is not durable yet.
type dataOp struct {
	kind  dataKind
	off   int
	bytes []byte // of a write
	size  int    // of a truncation; of an extension the least size
	perm  uint32 // of a chmod
	owner owner  // of a chown
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
	dataChown
)

// metadata: a Datasync leaves it alone, and a flush that fails takes none of it.
func (d *dataOp) metadata() bool { return d.kind == dataChmod || d.kind == dataChown }

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
	case dataChown:
		n.durOwner = d.owner
	}
}

// flush makes what is pending durable; without metadata it leaves changes of
// mode and owner alone.
func (n *inode) flush(metadata bool) {
	left := n.pending[:0:0]
	behind := false // a doomed operation was passed
	for _, d := range n.pending {
		switch {
		case d.doomed:
			behind = true
			left = append(left, d)
		case d.metadata() && !metadata:
			left = append(left, d)
		case behind && !d.metadata():
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
		if !n.pending[i].flushed && !n.pending[i].metadata() {
			n.pending[i].doomed = true
		}
	}
}
