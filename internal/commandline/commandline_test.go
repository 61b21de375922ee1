package commandline

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"log", "head", "show", "verify", "export", "checkpoint", "rename-node"}
	for word, want := range map[string]string{
		"lgo": "log", "logs": "log", "LOG": "log", "hed": "head", "expotr": "export", "verfy": "verify",
		"check": "checkpoint", "renamenode": "rename-node", "rename-nodes": "rename-node",
		"": "", "l": "", "xx": "", "frobnicate": "", "zebra": "",
	} {
		if got := nearest(word, names); got != want {
			t.Errorf("%q is taken for %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "ab", 2}, {"ab", "", 2}, {"ab", "ab", 0}, {"ab", "ba", 1}, {"abc", "abd", 1}, {"ab", "axb", 1}, {"kitten", "sitting", 3},
	} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%s to %s is %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
