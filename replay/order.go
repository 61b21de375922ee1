package replay

// Order follows the numbers that records give themselves. The place of a line
// says nothing behind one that is missing or stands there twice.
type Order struct {
	due  uint64 // behind the largest number until now
	last uint64 // the number before, 0 where that is not known
}

// NewOrder begins where record due should stand.
func NewOrder(due uint64) *Order { return &Order{due: due} }

// Due is the number that should come next.
func (o *Order) Due() uint64 { return o.due }

// Take notes that record seq comes next, and reports whether it should: a
// record that is out of its place is told once, and not with every record that
// follows it in order.
func (o *Order) Take(seq uint64) (inOrder bool) {
	inOrder = seq == o.due || o.last != 0 && seq == o.last+1
	o.due, o.last = max(o.due, seq+1), seq
	return inOrder
}

// Skip notes that what should come next, up to record last, cannot be read.
func (o *Order) Skip(last uint64) { o.due, o.last = max(o.due, last+1), 0 }
