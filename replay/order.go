package replay

// Order checks the sequence of the records' own numbers. The place of a line in an
// export proves nothing after a line that is missing or repeated.
type Order struct {
	due  uint64 // one more than the largest number so far
	last uint64 // the number before, 0 if it is not known
}

// NewOrder returns an Order in which record due comes first.
func NewOrder(due uint64) *Order { return &Order{due: due} }

// Due returns the number that should come next.
func (o *Order) Due() uint64 { return o.due }

// Take accepts seq as the next record and reports whether it is in order. A record
// out of its place is reported once, and not again with every record that follows it
// in order.
func (o *Order) Take(seq uint64) (inOrder bool) {
	inOrder = seq == o.due || o.last != 0 && seq == o.last+1
	o.due, o.last = max(o.due, seq+1), seq
	return inOrder
}

// Skip records that the records up to last cannot be read.
func (o *Order) Skip(last uint64) { o.due, o.last = max(o.due, last+1), 0 }
