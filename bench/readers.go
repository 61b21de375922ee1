package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// readers measures the other commands that read a whole history. One that this
// edgectl does not have is skipped by name.
func (h *longHistory) readers() ([]row, error) {
	last := "seq:" + strconv.Itoa(int(h.records))
	var rows []row
	for _, r := range []struct {
		name    string
		command command
		limit   limit
	}{
		{"journal export --format csv", h.node.edgectl("journal", "export", "--format", "csv", "--out", "-"), atLeast(4e5, "records/s")},
		{"journal export --format parquet", h.node.edgectl("journal", "export", "--format", "parquet", "--out", "-"), atLeast(4e5, "records/s")},
		{"journal export --format journald", h.node.edgectl("journal", "export", "--format", "journald", "--out", "-"), atLeast(4e5, "records/s")},
		{"replay --at the end, no snapshot", command{args: []string{h.edgectl, "replay", "--at", last, "--journal", h.lines}}, atLeast(4e5, "records/s")},
		{"journal checkpoint (Merkle root of all records)", h.node.edgectl("journal", "checkpoint"), within(time.Second)},
	} {
		h.say("measuring: %s", r.name)
		if why := refused(r.command); why != "" {
			rows = append(rows, skipped(r.name, r.limit, why))
			continue
		}
		took, err := h.once(r.command)
		if err != nil {
			return rows, err
		}
		seen := h.perSecond(took)
		if r.limit.unit == "ms" {
			seen = took.ms()
		}
		m, err := h.memory(r.name, r.command)
		if err != nil {
			return rows, err
		}
		rows = append(rows, measured(r.name, r.limit, seen, fmt.Sprintf("whole process, %.2f s", took.seconds())), m)
	}
	r, err := h.replayAnywhere()
	return append(rows, r), err
}

// replayAnywhere measures the slowest of points spread over the history.
func (h *longHistory) replayAnywhere() (row, error) {
	const measure = "replay --at with snapshots, the slowest of 7 points"
	limit := within(50 * time.Millisecond)
	slowest, where := 0.0, 0
	for i := 1; i <= 7; i++ {
		at := max(1, int(h.records)*i/7-i*137)
		c := h.node.edgectl("replay", "--at", "seq:"+strconv.Itoa(at))
		if i == 1 {
			if why := refused(c); why != "" {
				return skipped(measure, limit, why), nil
			}
		}
		took, err := h.once(c)
		if err != nil {
			return row{}, err
		}
		if ms := took.ms(); ms > slowest {
			slowest, where = ms, at
		}
	}
	return measured(measure, limit, slowest, fmt.Sprintf("whole process, at record %d", where)), nil
}

// refused returns why a command cannot be run, for example because this edgectl does not have it.
func refused(c command) string {
	_, err := c.run()
	if err == nil {
		return ""
	}
	_, said, ok := strings.Cut(err.Error(), "exit status ")
	if !ok {
		return err.Error()
	}
	return "edgectl: exit status " + strings.SplitN(said, "\n", 2)[0]
}
