package ship

import (
	"fmt"
	"time"

	"github.com/autonomyops/edged/internal/history"
)

// ConfigPath is the path of the config on a node, relative to the system's root.
const ConfigPath = "etc/edged/ship.yaml"

// Unseen is what nobody else has seen of a journal.
type Unseen struct {
	Witnesses int    `json:"witnesses"` // that are configured, the hub too; 0 if ship is not
	Seen      uint64 `json:"seen"`      // the number of records that a witness has signed
	// Seq and Since are the oldest record that no witness has signed; 0 and nil if
	// there is none.
	Seq   uint64     `json:"seq"`
	Since *time.Time `json:"since"`
}

// Unseen returns what nobody else has seen of a history. c may be nil: nobody is
// configured then. The error is that of the directory of checkpoints, or of the
// history.
func (c *Config) Unseen(src *history.Source) (u Unseen, err error) {
	if c != nil {
		others := c.others()
		u.Witnesses = len(others)
		kept, err := OpenKept(c.Checkpoints, src.ID())
		if err != nil {
			return u, err
		}
		defer kept.Close() //nolint:errcheck // it was only read
		for _, w := range others {
			seen, err := kept.Seen(w)
			if err != nil {
				return u, err
			}
			u.Seen = max(u.Seen, seen.Size)
		}
	}
	if tip := src.Tip().Seq; u.Seen < tip {
		rec, err := src.Record(u.Seen + 1)
		if err != nil {
			return u, fmt.Errorf("the oldest record that nobody else has seen: %w", err)
		}
		u.Seq, u.Since = rec.Seq, &rec.Time
	}
	return u, nil
}

// String returns the facts as a sentence.
func (u Unseen) String() string {
	text := fmt.Sprintf("have signed records 1 to %d", u.Seen)
	switch {
	case u.Witnesses == 0:
		text = "none configured"
	case u.Seen == 0:
		text = "have signed nothing"
	}
	if u.Seq > 0 {
		text += fmt.Sprintf("; nobody else has seen record %d, since %s", u.Seq, u.Since.UTC().Format("2006-01-02T15:04:05Z"))
	}
	return text
}
