package history

import (
	"errors"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// newDamaged is newExport for what must be judged also where it is damaged. It
// takes over f, also where it fails.
func newDamaged(path string, f content, size int64) (e *export, damage, err error) {
	e = &export{path: path, f: f, all: size, size: size, index: []int64{0}}
	damage = e.load()
	switch {
	case damage == nil:
		return e, nil, nil
	case !isDamage(damage) || errors.Is(damage, errs.ErrNewer) || errors.Is(damage, errs.ErrIO):
		err = damage
	default:
		err = e.shorten()
	}
	if err != nil {
		_ = f.Close() // read-only
		return nil, nil, err
	}
	return e, damage, nil
}

// shorten makes of a damaged export one of the records that follow each other
// from its first line on. What is behind them stays in the file, for who
// judges the lines.
func (e *export) shorten() error {
	e.id, e.first, e.tip, e.size = "", 0, record.Tip{}, e.all
	var whole int64
	for line, err := range e.lines(0) {
		if errors.Is(err, ErrUnreadable) {
			return err
		}
		rec, bad := record.Decode(line)
		if err != nil || bad != nil {
			break
		}
		if e.first == 0 {
			e.id, e.first = rec.Journal, rec.Seq
		} else if rec.Journal != e.id || rec.Seq != e.tip.Seq+1 || rec.Prev != e.tip.Hash {
			break
		}
		e.tip = record.Tip{Seq: rec.Seq, Hash: rec.Hash}
		whole = min(whole+int64(len(line))+1, e.all)
	}
	e.size = whole
	return nil
}
