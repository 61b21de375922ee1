package digest

import (
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	// As b3sum prints it.
	if got := Of([]byte("abc")); got != "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85" {
		t.Error(got)
	}
}

func TestValid(t *testing.T) {
	for s, want := range map[string]bool{
		Of(nil): true, strings.Repeat("0a", 32): true, "": false, strings.Repeat("0A", 32): false,
		strings.Repeat("0a", 31): false, strings.Repeat("0a", 33): false, strings.Repeat("0x", 32): false,
	} {
		if Valid(s) != want {
			t.Errorf("Valid(%q) is %t", s, !want)
		}
	}
}
