package journal

import (
	"encoding/binary"
	"fmt"
	"time"
)

// decoder reads records that stand one after another. Most of a record's
// envelope is known from the one before: then it is compared, and not read. A
// record that differs in anything from what is expected is read by scanRecord,
// and scanRecord alone refuses one; so both accept the same records.
type decoder struct {
	// rec is the last record that was read. Of one that was only checked,
	// ID, Run and BootID are those of an earlier one.
	rec Record

	// As they stand in the records around, "" where none was read yet:
	owner string // `,"journal":"…","node":"…","prev":`
	kind  string // `,"type":"…","uptime_ms":`

	day      [11]byte // the date of a time, with its T
	dayStart int64    // Unix seconds
}

// record reads raw. What it gives is valid until the next call, its texts for
// ever. Errors are those of Decode.
func (d *decoder) record(raw []byte) (*Record, error) {
	at, near, err := d.read(raw)
	if err != nil {
		return nil, err
	}
	if near {
		d.texts(raw, at)
	}
	return &d.rec, nil
}

// check is record for one who needs none of ID, Run and BootID.
func (d *decoder) check(raw []byte) (*Record, error) {
	if _, _, err := d.read(raw); err != nil {
		return nil, err
	}
	return &d.rec, nil
}

func (d *decoder) read(raw []byte) (at places, near bool, err error) {
	if len(raw) > MaxRecord {
		return at, false, &Error{Kind: ErrTooLarge, Detail: fmt.Sprintf("decode record: %d bytes, at most %d are allowed", len(raw), MaxRecord), Next: nextSalvage}
	}
	if at, near = d.similar(raw); !near {
		if at, err = scanRecord(raw, &d.rec); err != nil {
			d.owner = "" // rec may hold some of its texts
			return at, false, refusal(raw, err)
		}
		d.learn(raw, at)
	}
	d.rec.Raw = raw
	d.rec.Hash = HashOf(raw)
	return at, near, nil
}

// similar reads a record whose journal, node and kind are those of the last
// one. It sets nothing unless it gives true.
func (d *decoder) similar(raw []byte) (at places, ok bool) {
	if d.owner == "" {
		return at, false
	}
	s := scanner{b: raw}
	at.bootID = s.uuid(`{"boot_id":`, 0)
	crit := s.boolean(`,"crit":`)
	s.lit(`,"data":`)
	from := s.i
	if s.err != "" || s.i >= len(raw) || raw[s.i] != '{' {
		return at, false
	}
	s.object(0)
	to := s.i
	epoch := s.number(`,"epoch":`)
	at.id = s.uuid(`,"id":`, '7')
	s.lit(d.owner)
	prev := s.hash("")
	at.run = s.uuid(`,"run":`, 0)
	seq := s.number(`,"seq":`)
	when := d.time(&s)
	s.lit(d.kind)
	uptime := s.number("")
	s.lit(`,"v":1}`)
	if s.err != "" || s.i != len(raw) || seq == 0 {
		return at, false
	}
	r := &d.rec
	r.V, r.Crit, r.Epoch, r.Seq, r.UptimeMS, r.Time, r.Prev = 1, crit, epoch, seq, int64(uptime), when, prev
	r.Data = raw[from:to:to]
	return at, true
}

// learn takes from a record what the next one is expected to share.
func (d *decoder) learn(raw []byte, at places) {
	owner := raw[at.id.end+1 : at.node.end+len(`","prev":`)]
	if d.owner != string(owner) {
		d.owner = string(owner)
	}
	kind := raw[at.kind.start-len(`,"type":"`) : at.kind.end+len(`","uptime_ms":`)]
	if d.kind != string(kind) {
		d.kind = string(kind)
	}
	copy(d.day[:], raw[at.when.start:])
	y, m, day := d.rec.Time.Date()
	d.dayStart = time.Date(y, m, day, 0, 0, 0, 0, time.UTC).Unix()
}

// time reads a time of the day that is known, as scanner.time would.
func (d *decoder) time(s *scanner) time.Time {
	t, _ := s.fixed(`,"time":`, len(TimeLayout))
	if s.err != "" {
		return time.Time{}
	}
	if [11]byte(t) != d.day || t[19] != '.' || t[29] != 'Z' {
		s.fail("another day")
		return time.Time{}
	}
	// The colons become zeros, and hh:mm:ss one number of eight digits.
	const colons = uint64(':'^'0')<<16 | uint64(':'^'0')<<40
	clock, ok := digitsWord(binary.LittleEndian.Uint64(t[11:]) ^ colons)
	nano, fine := digitsWord(binary.LittleEndian.Uint64(t[20:]))
	last := t[28] - '0'
	hour, minute, sec := clock/1e6, clock/1e3%1000, clock%1000
	if !ok || !fine || last > 9 || t[13] != ':' || t[16] != ':' || hour > 23 || minute > 59 || sec > 59 {
		s.fail("expected a time")
		return time.Time{}
	}
	return time.Unix(d.dayStart+int64(hour*3600+minute*60+sec), int64(nano)*10+int64(last)).UTC()
}

// texts sets the texts that similar left, in one piece of memory.
func (d *decoder) texts(raw []byte, at places) {
	r := &d.rec
	id, run, boot := raw[at.id.start:at.id.end], raw[at.run.start:at.run.end], raw[at.bootID.start:at.bootID.end]
	if r.Run == string(run) && r.BootID == string(boot) {
		r.ID = string(id)
		return
	}
	var b [3 * 36]byte
	copy(b[:], id)
	copy(b[36:], run)
	copy(b[72:], boot)
	all := string(b[:])
	r.ID, r.Run, r.BootID = all[:36], all[36:72], all[72:]
}
