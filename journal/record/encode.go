package record

import (
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/errs"
)

// MaxLen is the largest record in bytes: the limit of a tlog tile entry,
// whose length is a 16-bit number.
const MaxLen = 65535

// EnvelopeVersion is the version of the envelope that this package writes.
const EnvelopeVersion = 1

// maxInt is the largest whole number that RFC 8785 (IEEE 754 doubles)
// distinguishes from its neighbours.
const maxInt = 1<<53 - 1

// TimeLayout is the form of a record's time, UTC. It always has nine digits of
// nanoseconds, so that a time has one spelling and records of one kind have the
// same length.
const TimeLayout = "2006-01-02T15:04:05.000000000Z"

// Tip names the newest record of a journal.
type Tip struct {
	Seq  uint64
	Hash Hash
}

// Entry is an event that has no place in a journal yet.
type Entry struct {
	ID       uuid.UUID // version 7
	Type     string    // event kind
	Crit     bool      // a reader that decides must understand Type
	Time     time.Time // wall clock; written in UTC
	BootID   string    // the kernel's boot id
	UptimeMS int64     // CLOCK_BOOTTIME, milliseconds
	Run      string    // id of the gate's run
	Node     string    // edge_domain_id
	Epoch    uint64    // boot epoch in force after this event
	Data     []byte    // any JSON object; made canonical when written
}

// Record is an event with its place in a journal.
type Record struct {
	V        int
	Journal  string
	Seq      uint64
	ID       string
	Type     string
	Crit     bool
	Time     time.Time
	BootID   string
	UptimeMS int64
	Run      string
	Node     string
	Epoch    uint64
	Data     []byte // canonical; shares memory with Raw
	Prev     Hash
	Raw      []byte // the stored bytes: the only thing hashed, exported or signed
	Hash     Hash   // of Raw
}

// Encode returns the record's bytes: RFC 8785 canonical JSON with exactly the
// members of the specification. The error is errs.ErrTooLarge over MaxLen, and
// errs.ErrInvalid if the entry has no faithful canonical form.
func Encode(journalID string, seq uint64, prev Hash, e Entry) ([]byte, error) {
	if seq == 0 || seq > maxInt || e.Epoch > maxInt || e.UptimeMS < 0 || e.UptimeMS > maxInt {
		return nil, errs.Invalid(seq, nil, "encode %s: seq, epoch or uptime_ms is outside 0 to 2^53-1", e.Type)
	}
	if e.ID.Version() != 7 {
		return nil, errs.Invalid(seq, nil, "encode %s: id %s is not a UUID of version 7", e.Type, e.ID)
	}
	t := e.Time.UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return nil, errs.Invalid(seq, nil, "encode %s: year %d has no RFC 3339 form", e.Type, y)
	}
	data := jsontext.Value(append([]byte(nil), e.Data...))
	if err := data.Canonicalize(); err != nil {
		return nil, errs.Invalid(seq, err, "encode %s: data", e.Type)
	}
	if data.Kind() != '{' {
		return nil, errs.Invalid(seq, nil, "encode %s: data is not a JSON object", e.Type)
	}
	b := make([]byte, 0, len(data)+512)
	var err error
	str := func(name, s string) {
		b = append(b, name...)
		if err == nil {
			b, err = jsontext.AppendQuote(b, s)
		}
	}
	// The order of the members is that of RFC 8785: by UTF-16 code units.
	str(`{"boot_id":`, e.BootID)
	b = append(b, `,"crit":`...)
	b = strconv.AppendBool(b, e.Crit)
	b = append(b, `,"data":`...)
	b = append(b, data...)
	b = append(b, `,"epoch":`...)
	b = strconv.AppendUint(b, e.Epoch, 10)
	b = append(b, `,"id":"`...)
	b = append(b, e.ID.String()...)
	str(`","journal":`, journalID)
	str(`,"node":`, e.Node)
	b = append(b, `,"prev":"`...)
	b = append(b, prev.String()...)
	str(`","run":`, e.Run)
	b = append(b, `,"seq":`...)
	b = strconv.AppendUint(b, seq, 10)
	b = append(b, `,"time":"`...)
	b = t.AppendFormat(b, TimeLayout)
	str(`","type":`, e.Type)
	b = append(b, `,"uptime_ms":`...)
	b = strconv.AppendInt(b, e.UptimeMS, 10)
	b = append(b, `,"v":1}`...)
	if err != nil {
		return nil, errs.Invalid(seq, err, "encode %s", e.Type)
	}
	if len(b) > MaxLen {
		return nil, &errs.Error{Kind: errs.ErrTooLarge, Seq: seq, Next: "shorten the event's data",
			Detail: fmt.Sprintf("encode %s: it has %d bytes, at most %d are allowed", e.Type, len(b), MaxLen)}
	}
	// A record that no reader accepts must not be written: for example a fraction in data.
	var r Record
	if err := r.scan(b); err != nil {
		return nil, errs.Invalid(seq, err, "encode %s", e.Type)
	}
	return b, nil
}
