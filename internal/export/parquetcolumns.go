package export

import "github.com/parquet-go/parquet-go"

// Indexes of the columns of the envelope in parquetRow. The columns of data
// follow, then data.
const (
	pqV = iota
	pqJournal
	pqSeq
	pqID
	pqType
	pqCrit
	pqTime
	pqTimeNanos
	pqBootID
	pqUptimeMS
	pqRun
	pqNode
	pqEpoch
	pqPrev
	pqHash
	pqColumns
	pqData     = pqColumns + int(columns)
	pqReceived = pqData + 1 // of a hub's export
)

// parquetColumns are the values of a batch, by column. A column of data that no
// record of the batch has is empty.
type parquetColumns struct {
	values [pqReceived + 1][]parquet.Value
	texts  []byte // the texts of values that are not in a record's bytes
}

func (p *parquetColumns) fill(recs []row, received bool) {
	p.texts = p.texts[:0]
	for i := range p.values {
		p.values[i] = p.values[i][:0]
	}
	for i := range recs {
		p.envelope(&recs[i])
		if received {
			p.put(pqReceived, parquet.Int64Value(recs[i].received.UnixMicro()))
		}
	}
	for c := range columns {
		p.column(c, recs)
	}
}

func (p *parquetColumns) envelope(r *row) {
	p.put(pqV, parquet.Int32Value(int32(r.V)))
	p.put(pqJournal, p.text(r.Journal))
	p.put(pqSeq, parquet.Int64Value(int64(r.Seq)))
	p.put(pqID, p.text(r.ID))
	p.put(pqType, p.text(r.Type))
	p.put(pqCrit, parquet.BooleanValue(r.Crit))
	p.put(pqTime, parquet.Int64Value(r.Time.UnixMicro()))
	p.put(pqTimeNanos, parquet.Int32Value(int32(r.Time.Nanosecond()%1000)))
	p.put(pqBootID, p.text(r.BootID))
	p.put(pqUptimeMS, parquet.Int64Value(r.UptimeMS))
	p.put(pqRun, p.text(r.Run))
	p.put(pqNode, p.text(r.Node))
	p.put(pqEpoch, parquet.Int64Value(int64(r.Epoch)))
	p.put(pqPrev, p.hash(r.Prev[:]))
	p.put(pqHash, p.hash(r.Hash[:]))
	p.put(pqData, parquet.ByteArrayValue(r.Data))
}

func (p *parquetColumns) put(index int, v parquet.Value) {
	p.values[index] = append(p.values[index], v)
}

func (p *parquetColumns) column(c column, recs []row) {
	index := pqColumns + int(c)
	for i := range recs {
		v := &recs[i].cells[c]
		if !v.set {
			if len(p.values[index]) > 0 {
				p.put(index, parquet.Value{})
			}
			continue
		}
		for len(p.values[index]) < i {
			p.put(index, parquet.Value{})
		}
		if c.whole() {
			p.put(index, parquet.Int64Value(v.n).Level(0, 1, index))
		} else {
			p.put(index, parquet.ByteArrayValue(v.text).Level(0, 1, index))
		}
	}
}

// text copies s to texts and returns it as a value.
func (p *parquetColumns) text(s string) parquet.Value {
	from := len(p.texts)
	p.texts = append(p.texts, s...)
	return parquet.ByteArrayValue(p.texts[from:])
}

func (p *parquetColumns) hash(sum []byte) parquet.Value {
	from := len(p.texts)
	p.texts = appendHex(p.texts, sum)
	return parquet.ByteArrayValue(p.texts[from:])
}
