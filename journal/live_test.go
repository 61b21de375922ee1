package journal

import (
	"context"
	"testing"
)

// TestLiveReader: a reader beside a running gate gets some whole history each
// time it looks, and never a finding.
func TestLiveReader(t *testing.T) {
	m := newRoot(t)
	grown(t, m, 2)
	done := make(chan error, 1)
	go func() {
		for range 60 {
			if err := run(m, 2, func(Tip) {}); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	last := uint64(0)
	for looks := 0; ; looks++ {
		v, err := OpenLiveView(m, DefaultLayout())
		noErr(t, err)
		rep := must[Report](t)(Verify(context.Background(), v.Source(), VerifyOptions{}))
		for _, f := range rep.Findings {
			if f.Code != CodeHeadBehind && f.Code != CodeHeadSlot && f.Code != CodeTornTail {
				t.Fatalf("look %d: %+v", looks, f)
			}
		}
		if rep.Head.Seq < last {
			t.Fatalf("the history went from %d to %d", last, rep.Head.Seq)
		}
		last = rep.Head.Seq
		noErr(t, v.Close())
		select {
		case err := <-done:
			noErr(t, err)
			t.Logf("%d looks, %d records", looks, last)
			return
		default:
		}
	}
}
