package main

import (
	"math"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{7}, 7},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 2}, 2.5},
		{[]float64{1, 1, 1, 1000}, 1},
	} {
		given := append([]float64(nil), tt.values...)
		if got := median(tt.values); got != tt.want {
			t.Errorf("median of %v is %v, want %v", tt.values, got, tt.want)
		}
		for i := range given {
			if given[i] != tt.values[i] {
				t.Errorf("median reordered its argument to %v", tt.values)
			}
		}
	}
}

// A machine that is slow in some rounds slows both sides of the pair: the
// ratio of the medians would be 1.5 here.
func TestOverIsPairwise(t *testing.T) {
	ms := func(v ...int) (s series) {
		for _, n := range v {
			s = append(s, time.Duration(n)*time.Millisecond)
		}
		return s
	}
	a, b := ms(20, 200, 30, 300, 24), ms(10, 100, 15, 150, 12)
	if got := a.over(b); math.Abs(got-2) > 1e-9 {
		t.Errorf("ratio %v, want 2", got)
	}
	if got := ms(1, 2).over(nil); got != 0 {
		t.Errorf("ratio to nothing is %v", got)
	}
	if got := ms(4, 8, 6).ms(); got != 6 {
		t.Errorf("median %v ms, want 6", got)
	}
}
