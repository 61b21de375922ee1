package ship

import (
	"testing"

	"github.com/autonomyops/edged/internal/history"
)

// The oldest record that nobody else has seen is the one after the newest that a
// witness has signed.
func TestUnseen(t *testing.T) {
	src, err := history.Open("../../fixtures/twoyears/depot-07.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close() //nolint:errcheck // read-only
	n, w, away := newNode(t), newWitness(t, "w.test"), newWitness(t, "away.test")
	c := n.config(w, away)
	away.Close()
	for _, tt := range []struct {
		shipped uint64
		want    Unseen
		text    string
	}{
		{0, Unseen{Witnesses: 2, Seq: 1}, "have signed nothing; nobody else has seen record 1, since 2024-02-19T07:12:00Z"},
		{100, Unseen{Witnesses: 2, Seen: 100, Seq: 101}, "have signed records 1 to 100; nobody else has seen record 101, since 2024-08-08T03:10:00Z"},
		{463, Unseen{Witnesses: 2, Seen: 463}, "have signed records 1 to 463"},
	} {
		if tt.shipped > 0 {
			n.shipSource(src, tt.shipped, c)
		}
		got, err := c.Unseen(src)
		if err != nil || got.String() != tt.text {
			t.Errorf("%d shipped: %s, %v", tt.shipped, got, err)
		}
		got.Since = nil
		if got != tt.want {
			t.Errorf("%d shipped: %+v", tt.shipped, got)
		}
	}
	none, err := (*Config)(nil).Unseen(src)
	if err != nil || none.String() != "none configured; nobody else has seen record 1, since 2024-02-19T07:12:00Z" {
		t.Errorf("%s, %v", none, err)
	}
}
