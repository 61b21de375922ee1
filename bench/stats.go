package main

import (
	"slices"
	"time"
)

// median is the middle value, or the mean of the two in the middle; 0 of none.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	switch n := len(s); {
	case n == 0:
		return 0
	case n%2 == 1:
		return s[n/2]
	default:
		return (s[n/2-1] + s[n/2]) / 2
	}
}

// series is the time of one subject in each round.
type series []time.Duration

// ms returns the median in milliseconds.
func (s series) ms() float64 { return s.seconds() * 1000 }

// seconds returns the median in seconds.
func (s series) seconds() float64 {
	v := make([]float64, len(s))
	for i, d := range s {
		v[i] = d.Seconds()
	}
	return median(v)
}

// over returns the median of the ratios to base, each taken within one round: a slow moment of the machine slows both
// sides of a pair.
func (s series) over(base series) float64 {
	v := make([]float64, 0, len(s))
	for i := range min(len(s), len(base)) {
		if base[i] > 0 {
			v = append(v, s[i].Seconds()/base[i].Seconds())
		}
	}
	return median(v)
}
