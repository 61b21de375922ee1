package e2e

import "testing"

// Prometheus reads the file that the gate writes for node_exporter, and what
// edgectl prints has the same metrics.
func TestE2E_Metrics(t *testing.T) {
	h := newHost(t, "promtool", "setarch")
	h.Sh(`sed -i "s|metrics_file: .*|metrics_file: $DIR/edged.prom|" $EDGE_CONFIG`)
	for _, boot := range []string{"", "setarch --uname-2.6"} {
		h.boot(boot, 0)
		h.Sh(`promtool check metrics <$DIR/edged.prom`)
	}
	h.contains(h.Sh(`cat $DIR/edged.prom`), "edged_boot_epoch 1", "edged_precheck_last_exit_code 0", "edged_certificate_remaining_seconds ")
	same := func() {
		t.Helper()
		h.Sh(`edgectl metrics | promtool check metrics`)
		const names = ` | grep -v '^#' | cut -d' ' -f1`
		if gate, now := h.Sh(`cat $DIR/edged.prom`+names), h.Sh(`edgectl metrics`+names); gate != now {
			t.Errorf("the gate writes\n%s, edgectl prints\n%s", gate, now)
		}
		const values = ` | grep -E 'epoch|events|attempts|tail|unsettled|exit_code'`
		if gate, now := h.Sh(`cat $DIR/edged.prom`+values), h.Sh(`edgectl metrics`+values); gate != now {
			t.Errorf("the gate writes\n%s, edgectl prints\n%s", gate, now)
		}
	}
	same()
	h.Sh(`rm $STATE/runtime/manifest.json.sig`)
	h.boot("", 5)
	h.Sh(`promtool check metrics <$DIR/edged.prom`)
	h.contains(h.Sh(`cat $DIR/edged.prom`), "edged_precheck_last_exit_code 5", "edged_reconstruction_attempts 1")
	same()
}
