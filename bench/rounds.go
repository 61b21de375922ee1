package main

import (
	"fmt"
	"runtime/debug"
)

// subject is one thing to be measured.
type subject struct {
	name string
	// command returns the process of a round. Its own preparation is not timed.
	command func(round int) (command, error)
}

// always returns the same command in every round.
func always(c command) func(int) (command, error) {
	return func(int) (command, error) { return c, nil }
}

// warmUps is the number of rounds at the start that do not count: they bring binaries and directories into the page
// cache.
const warmUps = 2

// interleave runs all subjects in turn, A B C A B C …, and returns their times in the rounds that count. It numbers the
// rounds from 0, warm-ups included.
func interleave(rounds int, subjects ...subject) (map[string]series, error) {
	debug.FreeOSMemory() // not while the clock runs
	took := map[string]series{}
	for round := range rounds + warmUps {
		for _, s := range subjects {
			c, err := s.command(round)
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", s.name, round, err)
			}
			d, err := c.run()
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", s.name, round, err)
			}
			if round >= warmUps {
				took[s.name] = append(took[s.name], d)
			}
		}
	}
	return took, nil
}
