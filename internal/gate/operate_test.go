package gate

import (
	"context"
	"errors"
	"testing"

	"github.com/autonomyops/edged/machine"
)

func TestOperate_DrillIsAnsweredByTheNextBoot(t *testing.T) {
	n := newNode(t)
	drill := func(machine.State) (machine.Payload, error) {
		return machine.DrillRequested{V: 1, By: "op", Reason: "quarterly"}, nil
	}
	if _, err := Operate(context.Background(), n.root, LinuxHost(), drill); !errors.Is(err, ErrNoHistory) {
		t.Fatalf("without a journal: %v", err)
	}
	n.boot(ExitOK)
	n.deploy(emptyManifest)
	if _, err := Operate(context.Background(), n.root, LinuxHost(), drill); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	if _, err := Operate(context.Background(), n.root, LinuxHost(), func(machine.State) (machine.Payload, error) { return nil, refused }); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	n.boot(ExitOK)
	n.logged("edge.os.update_detected", "cause=drill")
	if got := n.kinds(1); got != "DrillRequested FingerprintCaptured:match UpdateDetected:[drill]#1 ManifestVerified EpochRotated" {
		t.Errorf("events %s", got)
	}
	n.silent()
}
