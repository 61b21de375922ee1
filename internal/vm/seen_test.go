package vm

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// seen is what the collector has written of a boot.
type seen struct {
	*testing.T
	dir string
}

// text returns a file of the collector, "" if there is none.
func (s seen) text(name string) string {
	s.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil && !os.IsNotExist(err) {
		s.Fatal(err)
	}
	return string(data)
}

// property returns one that systemctl shows of a unit.
func (s seen) property(unit, name string) string {
	s.Helper()
	for shown := range strings.SplitSeq(s.text("units"), "\n\n") {
		if lines := "\n" + shown + "\n"; strings.Contains(lines, "\nId="+unit+"\n") {
			_, value, _ := strings.Cut(lines, "\n"+name+"=")
			value, _, _ = strings.Cut(value, "\n")
			return value
		}
	}
	s.Fatalf("systemctl shows nothing of %s", unit)
	return ""
}

// at returns the time of a property in microseconds of the boot, 0 if it did not happen.
func (s seen) at(unit, name string) int {
	s.Helper()
	at, err := strconv.Atoi(s.property(unit, name+"Monotonic"))
	if err != nil {
		s.Fatalf("%s of %s: %v", name, unit, err)
	}
	return at
}

// blame returns the time that systemd-analyze blames on a unit, "none" if it does not list it.
func (s seen) blame(unit string) string {
	for line := range strings.Lines(s.text("blame")) {
		if time, ok := strings.CutSuffix(strings.TrimSpace(line), " "+unit); ok {
			return time
		}
	}
	return "none"
}

// judge requires what the step says of gate, daemon and target.
func (s seen) judge(what string, want step, f finding) {
	s.Helper()
	const gate, daemon, complete, good = "edged-precheck.service", "edged.service", "boot-complete.target", "mark-good.service"
	state := s.property(gate, "ActiveState") + " " + s.property(gate, "Result") + " " + s.property(gate, "ExecMainStatus")
	equal(s, what+": the gate", state, want.gate)
	s.judgeLog(what, want, f)
	runs := map[bool]string{true: "active", false: "inactive"}[want.daemon > 0]
	for _, unit := range []string{daemon, complete, good} {
		equal(s, what+": "+unit, s.property(unit, "ActiveState"), runs)
	}
	equal(s, what+": there is a pass", s.text("pass") != "", want.daemon > 0)
	if want.daemon == 0 {
		equal(s, what+": the daemon's start", s.at(daemon, "ExecMainStartTimestamp"), 0)
		equal(s, what+": the boot was good", s.at(complete, "ActiveEnterTimestamp"), 0)
		for name, text := range map[string]string{"gate": want.shown, "daemon": want.why} {
			if status := s.text(name); !strings.Contains(status, text) {
				s.Errorf("%s: systemctl status does not contain %q:\n%s", what, text, status)
			}
		}
		return
	}
	equal(s, what+": the daemon's output", s.text("output"), fmt.Sprintf("mission runtime %d\n", want.daemon))
	passed := s.at(gate, "ActiveEnterTimestamp")
	for _, order := range []struct {
		what           string
		earlier, later int
	}{
		{"the mount before the gate", s.at("persist.mount", "ActiveEnterTimestamp"), s.at(gate, "ExecMainStartTimestamp")},
		{"the gate before the daemon", passed, s.at(daemon, "ExecMainStartTimestamp")},
		{"the gate before " + complete, passed, s.at(complete, "ActiveEnterTimestamp")},
	} {
		if order.earlier == 0 || order.earlier > order.later {
			s.Errorf("%s: %s: at %d and %d µs", what, order.what, order.earlier, order.later)
		}
	}
}

// judgeLog requires the gate's lines in systemd's journal, with the fields of docs/journald.md.
func (s seen) judgeLog(what string, want step, f finding) {
	s.Helper()
	var head struct{ Journal string }
	if f.head != "" {
		if err := json.Unmarshal([]byte(f.head), &head); err != nil {
			s.Fatal(err)
		}
	}
	page, err := os.ReadFile("../../docs/journald.md")
	if err != nil {
		s.Fatal(err)
	}
	var events []string
	errors := 0
	for line := range strings.Lines(s.text("log")) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			s.Fatal(err)
		}
		field := func(name string) string {
			if entry[name] == nil {
				return ""
			}
			return fmt.Sprint(entry[name])
		}
		event := field("EDGE_EVENT")
		events = append(events, field("PRIORITY")+" "+event+" "+field("EDGE_BOOT_EPOCH"))
		id := regexp.MustCompile("\\| `" + regexp.QuoteMeta(event) + "` \\| `([0-9a-f]{32})` \\|").FindSubmatch(page)
		if id == nil {
			s.Fatalf("%s: docs/journald.md has no identifier of %q", what, event)
		}
		for name, value := range map[string]string{
			"MESSAGE_ID": string(id[1]), "SYSLOG_IDENTIFIER": "edged", "EDGE_NODE": "vm-1", "EDGE_JOURNAL": head.Journal, "EDGE_RUN": f.lastRun(s.T),
			"_SYSTEMD_UNIT": "edged-precheck.service", "OBJECT_SYSTEMD_UNIT": "edged-precheck.service",
		} {
			equal(s, what+": "+event+": "+name, field(name), value)
		}
		if field("PRIORITY") != "3" {
			continue
		}
		errors++
		equal(s, what+": "+event+": EDGE_EXIT_CODE", field("EDGE_EXIT_CODE"), strings.Fields(want.gate)[2])
		for _, name := range []string{"EDGE_PATH", "EDGE_ERR", "EDGE_NEXT"} {
			if field(name) == "" {
				s.Errorf("%s: %s has no %s", what, event, name)
			}
		}
	}
	equal(s, what+": the gate's log", strings.Join(events, "\n"), strings.Join(want.events, "\n"))
	equal(s, what+": entries of journalctl -p err", strings.Count(s.text("log-err"), "\n"), errors)
}

// lastRun returns the run of the newest record.
func (f *finding) lastRun(t *testing.T) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(f.records), "\n")
	var last struct{ Run string }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	return last.Run
}

// judgeModes requires that everything on the partition belongs to the group, also what the gate made, and
// that each folder is set-gid.
func (f *finding) judgeModes(t *testing.T, what string, d *disk) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(d.Dir, "found/modes"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		file := strings.Fields(line) // name, type, mode, group
		if len(file) != 4 || file[3] != group || file[1] == "d" && !strings.HasPrefix(file[2], "2") {
			t.Errorf("%s: %s: want the group %s, and set-gid folders", what, strings.TrimSpace(line), group)
		}
		if file[0] == "/edge/runtime/edged" {
			equal(t, what+": mode of the installed runtime", file[2], "755")
		}
	}
}
