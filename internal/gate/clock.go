package gate

import (
	"log/slog"
	"time"

	"github.com/autonomyops/edged/machine"
)

// clock is what this run believes of the time. Boards without a battery-backed
// clock boot in 1970: the wall clock is never believed to be earlier than the
// floor.
type clock struct {
	wall, floor, used time.Time
}

// readClock takes the wall clock once and judges it against the floor.
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
			slog.String("next", "validity is judged at the floor; set the clock, or run `edgectl clock reset --reason …` if the floor is wrong"))
	}
}

func (c clock) event() machine.Clock {
	return machine.Clock{Wall: c.wall, Floor: c.floor, Used: c.used}
}
