package memfs

// dataOp is a change of a file's bytes, size, mode or owner that is not durable yet.
type dataOp struct {
	kind  dataKind
	off   int
	bytes []byte // of a write
	size  int    // of a truncation; of an extension the smallest size
	perm  uint32 // of a chmod
	owner owner  // of a chown
	// doomed: a flush that should have written it failed. A later flush skips it,
	// as Linux marks pages clean that it could not write.
	doomed bool
	// flushed: it is durable, but waits here after a doomed one, so that they apply
	// in order.
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

// metadata reports whether d changes only metadata: a Datasync ignores it, and a flush that fails writes none of it.
func (d *dataOp) metadata() bool { return d.kind == dataChmod || d.kind == dataChown }

// apply applies d to the durable state.
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

// flush makes pending changes durable. Without metadata it skips changes of mode and
// owner.
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

// failFlush is a flush that fails.
func (n *inode) failFlush() {
	for i := range n.pending {
		if !n.pending[i].flushed && !n.pending[i].metadata() {
			n.pending[i].doomed = true
		}
	}
}
