package main

import "testing"

func TestParseUsage(t *testing.T) {
	for _, tt := range []struct {
		text string
		want usage
		ok   bool
	}{
		{"20480 0.0125\n", usage{20, 0.0125}, true},
		{"1024 2\n", usage{1, 2}, true},
		{"", usage{}, false},
		{"1024\n", usage{}, false},
		{"edged: no config\n", usage{}, false},
	} {
		got, err := parseUsage(tt.text)
		if (err == nil) != tt.ok || got != tt.want {
			t.Errorf("%q: %+v, %v", tt.text, got, err)
		}
	}
}

func TestLoadAverage(t *testing.T) {
	if load := loadAverage(); load == "" {
		t.Error("the load average is empty")
	}
}
