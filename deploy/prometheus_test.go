package deploy

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"
)

const (
	rules     = "prometheus/edged.rules.yml"
	ruleTests = "prometheus/edged.rules.test.yml"
)

// matches returns all first groups of a pattern in a file, each once, in alphabetical order.
func matches(t *testing.T, file, pattern string) (all []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(data), -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestAlertsAreTested: each alert has a test, and a row in the guide that says what to do.
func TestAlertsAreTested(t *testing.T) {
	alerts := matches(t, rules, `alert: (\w+)`)
	if tested := matches(t, ruleTests, `alertname: (\w+)`); len(alerts) < 10 || !slices.Equal(alerts, tested) {
		t.Errorf("alerts %q, tested %q", alerts, tested)
	}
	if told := matches(t, "../docs/hub.md", `(?m)^\| `+"`"+`(Edg\w+)`+"`"+``); !slices.Equal(alerts, told) {
		t.Errorf("alerts %q, in docs/hub.md %q", alerts, told)
	}
}

// TestAlertsNameMetrics: each metric of an alert is one that hub or gate write.
func TestAlertsNameMetrics(t *testing.T) {
	written := slices.Concat(matches(t, "../internal/hub/metrics.go", `"(edgehub_\w+)"`), matches(t, "../docs/operations.md", "(?m)^\\| `(edged_\\w+)`"))
	for _, m := range matches(t, rules, `\b((?:edgehub|edged)_\w+)`) {
		if !slices.Contains(written, m) {
			t.Errorf("%s names %s, which is none of %q", rules, m, written)
		}
	}
}

// TestAlertsE2E: promtool reads the rules and runs their tests.
func TestAlertsE2E(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	for _, args := range [][]string{{"check", "rules", rules}, {"test", "rules", ruleTests}} {
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
}
