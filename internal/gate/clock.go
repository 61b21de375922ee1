package gate

import (
	"log/slog"
	"time"

	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// clock holds the times that this run uses. Boards without a battery-backed
// clock boot in 1970: the time used is never earlier than the
// floor.
type clock struct {
	wall, floor, used time.Time
}

// readClock reads the wall clock once and compares it with the floor.
func (r *run) readClock() {
	wall := r.host.Now().UTC()
	floor := r.history.state.TimeFloor(r.id).UTC()
	if r.BuildTime.After(floor) {
		floor = r.BuildTime.UTC()
	}
	r.clock = clock{wall: wall, floor: floor, used: wall}
	if wall.Before(floor) {
		r.clock.used = floor
		r.log.Warn("edge.clock.below_floor", slog.Time("wall", wall), slog.Time("floor", floor),
			slog.String("next", "validity is judged at the floor; set the clock, or run `edgectl clock reset --reason TEXT` if the floor is wrong"))
	}
}

// knownBefore returns the newest time that was known before this boot: the floor
// without the times of earlier runs of the same boot.
func (r *run) knownBefore() (time.Time, *Failure) {
	known := r.history.state.TimeFloor(r.id)
	if r.history.view != nil && r.history.state.Run.BootID == r.bootID {
		before, err := r.floorBefore(r.history.view)
		if err != nil {
			return known, r.unusable(err, "precheck: journal unusable", salvageAdvice)
		}
		if before.Before(known) { // otherwise it was lowered meanwhile
			known = before
		}
	}
	if r.BuildTime.After(known) {
		known = r.BuildTime
	}
	return known.UTC(), nil
}

// floorBefore returns the floor before the first record of this boot.
func (r *run) floorBefore(view *journal.View) (time.Time, error) {
	first := view.Tip().Seq
	for first > 1 {
		rec, err := view.Record(first - 1)
		if err != nil {
			return time.Time{}, err
		}
		if rec.BootID != r.bootID {
			break
		}
		first--
	}
	s, _, err := replay.State(view, first)
	return s.Clock.Floor, err // the first record of a run shows how the run before it ended
}

func (c clock) event() machine.Clock {
	return machine.Clock{Wall: c.wall, Floor: c.floor, Used: c.used}
}
