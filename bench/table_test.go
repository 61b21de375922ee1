package main

import (
	"errors"
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		limit    limit
		seen     float64
		required string
		want     string
	}{
		{atMost(1.3, "× P"), 1.3, "≤ 1.30 × P", "met"},
		{atMost(1.3, "× P"), 1.43, "≤ 1.30 × P", "missed by 10 %"},
		{atMost(14, ""), 9, "≤ 14", "met"},
		{atLeast(1_000_000, "records/s"), 1_000_000, "≥ 1,000,000 records/s", "met"},
		{atLeast(1_000_000, "records/s"), 750_000, "≥ 1,000,000 records/s", "missed by 25 %"},
		{limit{}, 5, "–", "–"},
		{none(), 0, "0", "met"},
		{none(), 1, "0", "missed"},
	} {
		if got := tt.limit.String(); got != tt.required {
			t.Errorf("required %q, want %q", got, tt.required)
		}
		if got := tt.limit.verdict(tt.seen); got != tt.want {
			t.Errorf("%v of %v: %q, want %q", tt.seen, tt.limit, got, tt.want)
		}
	}
}

func TestFigure(t *testing.T) {
	for _, tt := range []struct {
		v    float64
		unit string
		want string
	}{
		{0.128, "", "0.13"}, {9, "", "9"}, {12.345, "ms", "12.3 ms"}, {123.4, "MiB", "123 MiB"},
		{999.6, "", "1000"}, {1234567.8, "records/s", "1,234,568 records/s"},
	} {
		if got := figure(tt.v, tt.unit); got != tt.want {
			t.Errorf("%v is written %q, want %q", tt.v, got, tt.want)
		}
	}
}

func TestPrintTable(t *testing.T) {
	var b strings.Builder
	err := printTable(&b, []row{
		measured("a|b", atMost(2, "× P"), 1.5, "two\nlines"),
		skipped("peer", limit{}, "journalctl is not installed"),
		broken("gone", errors.New("no such file")),
	})
	want := `| measure | required | seen | verdict | how |
|---|---|---|---|---|
| a\|b | ≤ 2 × P | 1.50 × P | met | two lines |
| peer | – | – | skipped | journalctl is not installed |
| gone |  | – | could not be measured | no such file |
`
	if err != nil || b.String() != want {
		t.Errorf("%v\n%s", err, b.String())
	}
}
