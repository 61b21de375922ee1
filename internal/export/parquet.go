package export

import (
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	parquetzstd "github.com/parquet-go/parquet-go/compress/zstd"
)

// A row group is what a reader takes at once and what is held in memory before
// it is written: at most so many rows, or so many bytes before compression.
const (
	groupRows       = 65536
	groupBytes      = 16 << 20
	pageBytes       = 128 << 10
	dictionaryBytes = 256 << 10
)

// parquetRow is the schema: names, types and order of the columns. Rows are
// written column by column and never as this struct.
type parquetRow struct {
	V              int32   `parquet:"v,dict"`
	Journal        string  `parquet:"journal,dict"`
	Seq            uint64  `parquet:"seq,delta"`
	ID             string  `parquet:"id"`
	Type           string  `parquet:"type,dict"`
	Crit           bool    `parquet:"crit"`
	Time           int64   `parquet:"time,timestamp(microsecond),delta"`
	TimeNanos      int32   `parquet:"time_nanos"`
	BootID         string  `parquet:"boot_id"`
	UptimeMS       int64   `parquet:"uptime_ms,delta"`
	Run            string  `parquet:"run"`
	Node           string  `parquet:"node,dict"`
	Epoch          uint64  `parquet:"epoch,delta"`
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

// parquetEncoder writes Apache Parquet, column by column, a row group at a
// time. Nothing is written back to: it streams.
type parquetEncoder struct {
	w     *parquet.GenericWriter[parquetRow]
	group *parquet.ConcurrentRowGroupWriter
	nulls []parquet.Value // a batch of them
	rows  int             // in group
	bytes int             // of the records in group
}

func newParquet(w io.Writer) (encoder, error) {
	codec, err := newPageCodec()
	if err != nil {
		return nil, err
	}
	pw := parquet.NewGenericWriter[parquetRow](w,
		parquet.Compression(codec),
		parquet.PageBufferSize(pageBytes),
		parquet.DictionaryMaxBytes(dictionaryBytes),
		parquet.DataPageStatistics(false), // the column index has them
		parquet.CreatedBy("edgectl", "1", "0"))
	return &parquetEncoder{w: pw, group: pw.BeginRowGroup(), nulls: make([]parquet.Value, batchRecords)}, nil
}

// pageCodec is Zstandard at its quickest: half the size of Snappy here, and
// every reader has it. One encoder, and a window not much longer than a page:
// parquet-go's own makes encoders again after each garbage collection, each
// with a window of megabytes.
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

// prepare lays the values of a batch out by column.
func (e *parquetEncoder) prepare(b *batch) { b.columns.fill(b.recs) }

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

// end writes the footer, without which no reader takes the file. A part of an
// export gets none.
func (e *parquetEncoder) end(whole bool) error {
	if !whole {
		return nil
	}
	if err := e.commit(); err != nil {
		return err
	}
	return e.w.Close()
}
