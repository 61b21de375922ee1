package export

import (
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	parquetzstd "github.com/parquet-go/parquet-go/compress/zstd"
)

// A row group is held in memory until it is written, and is read at once. It has
// at most groupRows rows, or groupBytes before compression and one batch more.
const (
	groupRows       = 65536
	groupBytes      = 16 << 20
	pageBytes       = 128 << 10
	dictionaryBytes = 256 << 10
)

// parquetRow is the schema: names, types and order of the columns. No value of
// this type is written; rows are written column by column.
type parquetRow struct {
	V              int32   `parquet:"v,dict"`
	Journal        string  `parquet:"journal,dict"`
	Seq            int64   `parquet:"seq,delta"`
	ID             string  `parquet:"id"`
	Type           string  `parquet:"type,dict"`
	Crit           bool    `parquet:"crit"`
	Time           int64   `parquet:"time,timestamp(microsecond),delta"`
	TimeNanos      int32   `parquet:"time_nanos"`
	BootID         string  `parquet:"boot_id"`
	UptimeMS       int64   `parquet:"uptime_ms,delta"`
	Run            string  `parquet:"run"`
	Node           string  `parquet:"node,dict"`
	Epoch          int64   `parquet:"epoch,delta"`
	Prev           string  `parquet:"prev"`
	Hash           string  `parquet:"hash"`
	Role           *string `parquet:"role,optional,dict"`
	Cause          *string `parquet:"cause,optional,dict"`
	Attempt        *int64  `parquet:"attempt,optional"`
	CompositeHash  *string `parquet:"composite_hash,optional,dict"`
	UnameRelease   *string `parquet:"uname_release,optional,dict"`
	ManifestHash   *string `parquet:"manifest_hash,optional,dict"`
	ManifestSerial *int64  `parquet:"manifest_serial,optional"`
	Op             *string `parquet:"op,optional,dict"`
	Dst            *string `parquet:"dst,optional,dict"`
	Bytes          *int64  `parquet:"bytes,optional"`
	BLAKE3         *string `parquet:"blake3,optional,dict"`
	DurationMS     *int64  `parquet:"duration_ms,optional"`
	ExitCode       *int64  `parquet:"exit_code,optional"`
	Stage          *string `parquet:"stage,optional,dict"`
	Path           *string `parquet:"path,optional,dict"`
	Reason         *string `parquet:"reason,optional,dict"`
	Data           string  `parquet:"data,json"`
}

// receivedRow is the schema of a hub's export.
type receivedRow struct {
	parquetRow
	ReceivedAt int64 `parquet:"received_at,timestamp(microsecond),delta"`
}

// parquetEncoder writes Apache Parquet, column by column, one row group after the
// other.
type parquetEncoder struct {
	w        io.Closer
	group    *parquet.ConcurrentRowGroupWriter
	received bool
	nulls    []parquet.Value // a batch of nulls
	rows     int             // in group
	bytes    int             // of the records in group
}

func newParquet(w io.Writer) (encoder, error) { return parquetOf[parquetRow](w, false) }

func newReceivedParquet(w io.Writer) (encoder, error) { return parquetOf[receivedRow](w, true) }

func parquetOf[Row any](w io.Writer, received bool) (encoder, error) {
	codec, err := newPageCodec()
	if err != nil {
		return nil, err
	}
	pw := parquet.NewGenericWriter[Row](w,
		parquet.Compression(codec),
		parquet.PageBufferSize(pageBytes),
		parquet.DictionaryMaxBytes(dictionaryBytes),
		parquet.DataPageStatistics(false), // the column index has them
		parquet.CreatedBy("edgectl", "1", "0"))
	return &parquetEncoder{w: pw, group: pw.BeginRowGroup(), received: received, nulls: make([]parquet.Value, batchRecords)}, nil
}

// pageCodec is Zstandard at its fastest level, which every reader supports; its
// output is half the size of Snappy's. It has one encoder, with a window little
// longer than a page: parquet-go's own codec creates encoders with windows of
// megabytes after each garbage collection.
type pageCodec struct {
	parquetzstd.Codec
	encoder *zstd.Encoder
}

func newPageCodec() (*pageCodec, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(2*pageBytes), zstd.WithZeroFrames(true), zstd.WithEncoderCRC(false))
	return &pageCodec{encoder: e}, err
}

// Encode compresses a page.
func (c *pageCodec) Encode(dst, src []byte) ([]byte, error) {
	return c.encoder.EncodeAll(src, dst[:0]), nil
}

// prepare sets the values of a batch by column.
func (e *parquetEncoder) prepare(b *batch) { b.columns.fill(b.recs, e.received) }

func (e *parquetEncoder) write(b *batch) error {
	if len(b.recs) == 0 {
		return nil
	}
	for i, w := range e.group.ColumnWriters() {
		values := b.columns.values[i]
		if len(values) == 0 {
			values = e.nulls[:len(b.recs)]
		}
		if _, err := w.WriteRowValues(values); err != nil {
			return err
		}
	}
	e.rows += len(b.recs)
	if e.bytes += len(b.raw); e.rows >= groupRows || e.bytes >= groupBytes {
		return e.commit()
	}
	return nil
}

func (e *parquetEncoder) commit() error {
	e.rows, e.bytes = 0, 0
	_, err := e.group.Commit()
	return err
}

// end writes the footer if the export is whole. No reader accepts a file without
// a footer.
func (e *parquetEncoder) end(whole bool) error {
	if !whole {
		return nil
	}
	if err := e.commit(); err != nil {
		return err
	}
	return e.w.Close()
}
