package gate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

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

// A drill is accepted only if the reconstruction that it requests would
// pass, and once; it can be withdrawn.
func TestDrill(t *testing.T) {
	n := newNode(t)
	n.boot(ExitOK)
	decided := func(decide func(machine.State) (machine.Payload, error), refusal string) {
		t.Helper()
		host := LinuxHost()
		host.Now = func() time.Time { return n.now }
		_, err := Operate(context.Background(), n.root, host, decide)
		if refusal == "" && err != nil || refusal != "" && (err == nil || !strings.Contains(err.Error(), refusal)) {
			t.Errorf("%v, want %q", err, refusal)
		}
	}
	drill := func() func(machine.State) (machine.Payload, error) { return Drill(n.examine(), "op", "quarterly") }
	decided(CancelDrill("op", "none"), "no drill is pending")
	decided(drill(), "manifest verify key missing")
	n.deploy(emptyManifest)
	n.setConfig("mode: baseline", "mode: strict")
	decided(drill(), "strict")
	n.setConfig("mode: strict", "mode: baseline")
	decided(drill(), "")
	decided(drill(), "a drill is pending since record 2")
	decided(CancelDrill("op", "not now"), "")
	n.write("runtime/manifest.json.sig", make([]byte, 64))
	decided(drill(), "refused, because the drill would end in exit 5")
	if got := n.kinds(1); got != "DrillRequested DrillCancelled" {
		t.Errorf("events %s", got)
	}
}
