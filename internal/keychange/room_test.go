package keychange

import (
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/machine"
)

// A change of the manifest key that the machine would refuse is refused before
// it, with what to do.
func TestRoomForKey(t *testing.T) {
	var s machine.State
	for len(s.Keys.Successors) < machine.MaxSuccessors {
		if err := roomForKey(s); err != nil {
			t.Fatal(len(s.Keys.Successors), err)
		}
		s.Keys.Successors = append(s.Keys.Successors, "key")
	}
	err := roomForKey(s)
	p, ok := err.(*errs.Advised)
	if !ok || !strings.Contains(p.Error(), "1024 times") || !strings.Contains(p.Next, "complete an epoch") {
		t.Error(err)
	}
}
