package export_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/export"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// entries reads the Journal Export Format as systemd describes it.
func entries(t testing.TB, text []byte) []map[string]string {
	t.Helper()
	var all []map[string]string
	entry := map[string]string{}
	for len(text) > 0 {
		line, rest, ok := bytes.Cut(text, []byte("\n"))
		if !ok {
			t.Fatalf("a line without its end: %q", line)
		}
		text = rest
		if len(line) == 0 {
			all, entry = append(all, entry), map[string]string{}
			continue
		}
		name, value, ok := strings.Cut(string(line), "=")
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			t.Errorf("%s has a control character in its line: %q", name, value)
		}
		if !ok {
			n := binary.LittleEndian.Uint64(text)
			value, text = string(text[8:8+n]), text[8+n:]
			if text[0] != '\n' {
				t.Fatalf("%s does not end after %d bytes", name, n)
			}
			text = text[1:]
		}
		if _, twice := entry[name]; twice || len(name) > 64 || !regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`).MatchString(name) {
			t.Errorf("field %q", name)
		}
		entry[name] = value
	}
	if len(entry) > 0 {
		t.Errorf("the last entry does not end: %v", entry)
	}
	return all
}

func TestJournaldHoldsTheRecord(t *testing.T) {
	src, lines, _ := open(t)
	all := entries(t, exported(t, src, "journald"))
	if len(all) != len(lines) {
		t.Fatalf("%d entries of %d", len(all), len(lines))
	}
	for i, line := range lines {
		rec, err := record.Decode(line)
		historytest.Check(t, err)
		for name, want := range map[string]string{
			"__REALTIME_TIMESTAMP": fmt.Sprint(rec.Time.UnixMicro()), "__MONOTONIC_TIMESTAMP": fmt.Sprint(rec.UptimeMS * 1000),
			"_BOOT_ID": strings.ReplaceAll(rec.BootID, "-", ""), "SYSLOG_IDENTIFIER": export.Identifier, "MESSAGE_ID": export.MessageID(rec.Type),
			"EDGE_SEQ": fmt.Sprint(i + 1), "EDGE_TYPE": rec.Type, "EDGE_EPOCH": fmt.Sprint(rec.Epoch), "EDGE_NODE": rec.Node,
			"EDGE_BOOT_ID": rec.BootID, "EDGE_RUN": rec.Run, "EDGE_ID": rec.ID, "EDGE_JOURNAL": rec.Journal,
			"EDGE_TIME": rec.Time.Format("2006-01-02T15:04:05.000000000Z"), "EDGE_PREV": rec.Prev.String(), "EDGE_HASH": rec.Hash.String(), "EDGE_RECORD": string(line),
		} {
			if all[i][name] != want {
				t.Errorf("record %d: %s is %q, want %q", i+1, name, all[i][name], want)
			}
		}
	}
	if all[0]["MESSAGE"] != "FingerprintCaptured: initial aaaaaaaaaaaa" || all[0]["EDGE_ROLE"] != "initial" || all[0]["PRIORITY"] != "6" {
		t.Errorf("%v", all[0])
	}
}

// Any record is one entry that systemd accepts.
func TestJournaldEdges(t *testing.T) {
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	src := newHistory(t,
		record.Entry{Node: "line\nMESSAGE=forged\n\n__REALTIME_TIMESTAMP=1", Type: "Odd\nEDGE_TYPE=EpochRotated"},
		record.Entry{Node: "tab\tand ünïcödé", BootID: "not a boot id", Run: "\x7f"},
		record.Entry{BootID: "not a boot id either", Time: far, UptimeMS: 1<<53 - 1},
		record.Entry{BootID: "0B7F4D5E-6a3e-4a7e-9d3e-111111111111", Time: time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)},
		record.Entry{BootID: "00000000-0000-0000-0000-000000000000"},
		data(t, map[string]any{"v": 1, "reason": strings.Repeat("x", 60000) + "\n", "exit_code": 5}),
	)
	all := entries(t, exported(t, src, "journald"))
	if len(all) != 6 {
		t.Fatalf("%d entries", len(all))
	}
	for i, e := range all {
		if e["EDGE_RECORD"] != string(src.raw[i]) || e["EDGE_SEQ"] != fmt.Sprint(i+1) {
			t.Errorf("record %d: %.300v", i+1, e)
		}
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(e["_BOOT_ID"]) || strings.Trim(e["_BOOT_ID"], "0") == "" || strings.Contains(e["MESSAGE"], "\n") {
			t.Errorf("record %d: %q %q", i+1, e["_BOOT_ID"], e["MESSAGE"])
		}
	}
	if all[0]["EDGE_NODE"] != "line\nMESSAGE=forged\n\n__REALTIME_TIMESTAMP=1" || all[0]["EDGE_TYPE"] != "Odd\nEDGE_TYPE=EpochRotated" || all[1]["EDGE_NODE"] != "tab\tand ünïcödé" {
		t.Errorf("%q %q", all[0]["EDGE_NODE"], all[1]["EDGE_NODE"])
	}
	if all[1]["_BOOT_ID"] == all[2]["_BOOT_ID"] || all[1]["EDGE_BOOT_ID"] != "not a boot id" || all[3]["_BOOT_ID"] != "0b7f4d5e6a3e4a7e9d3e111111111111" {
		t.Errorf("%v", all[3])
	}
	const most = "36028797018963967" // 2^55 - 1
	if all[2]["__REALTIME_TIMESTAMP"] != most || all[3]["__REALTIME_TIMESTAMP"] != "1" || len(all[2]["__MONOTONIC_TIMESTAMP"]) != len(most) || all[2]["EDGE_TIME"][:4] != "9999" {
		t.Errorf("%v", all[2])
	}
	if all[5]["EDGE_EXIT_CODE"] != "5" || len(all[5]["EDGE_REASON"]) != 60001 {
		t.Errorf("%d bytes of reason", len(all[5]["EDGE_REASON"]))
	}
}

// The message of every kind is that of display.Payload.
func TestJournaldMessages(t *testing.T) {
	var list []record.Entry
	add := func(p machine.Payload) {
		raw, err := machine.Encode(p)
		historytest.Check(t, err)
		list = append(list, record.Entry{Type: string(p.Kind()), Crit: machine.Critical(p.Kind()), Data: raw})
	}
	add(machine.FingerprintCaptured{V: 1, Role: machine.RoleMatch, CompositeHash: historytest.OldOS})
	add(machine.FingerprintCaptured{V: 1, Role: machine.RoleInitial, CompositeHash: "short"})
	add(machine.PrecheckFailed{V: 1, ExitCode: 5, Stage: "manifest", Path: "runtime/manifest.json", Reason: "line\n\"quoted\", ünïcödé \x1b[31m", Attempt: 2})
	add(machine.EpochRotated{V: 1, BootEpoch: 3, DurationMS: 61})
	add(machine.ProjectionRepaired{V: 1, Path: "p", Reason: "edited"})
	list = append(list,
		record.Entry{Type: "PrecheckFailed", Data: []byte(`{"exit_code":5,"reason":"r","stage":"s","v":2}`)},
		record.Entry{Type: "PrecheckFailed", Data: []byte(`{"exit_code":"5","reason":"r","stage":"s","v":1}`)},
		record.Entry{Type: "FingerprintCaptured", Crit: true, Data: []byte(`{"v":1}`)},
		record.Entry{Type: "Later", Data: []byte(`{"reason":"r","v":1}`)})
	src := newHistory(t, list...)
	for i, e := range entries(t, exported(t, src, "journald")) {
		rec, err := record.Decode(src.raw[i])
		historytest.Check(t, err)
		if want := strings.TrimSuffix(rec.Type+": "+display.Payload(rec), ": "); e["MESSAGE"] != want {
			t.Errorf("%q, display says %q", e["MESSAGE"], want)
		}
	}
}

// Catalogues and alerts depend on the ids in docs/formats.md: they never change.
func TestMessageIDsAreFixed(t *testing.T) {
	page, err := os.ReadFile("../../docs/formats.md")
	historytest.Check(t, err)
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([0-9a-f]{32})` \\| `(\\w+)` \\| (\\d) \\|$").FindAllStringSubmatch(string(page), -1) {
		src := newHistory(t, record.Entry{Type: m[2]})
		e := entries(t, exported(t, src, "journald"))[0]
		if e["MESSAGE_ID"] != m[1] || e["PRIORITY"] != m[3] || export.MessageID(m[2]) != m[1] {
			t.Errorf("%s has %s, %s; the page has %s, %s", m[2], e["MESSAGE_ID"], e["PRIORITY"], m[1], m[3])
		}
		listed = append(listed, m[2])
	}
	var kinds []string
	for _, k := range machine.Kinds() {
		kinds = append(kinds, string(k))
	}
	slices.Sort(kinds)
	if !slices.Equal(listed, kinds) {
		t.Errorf("the page lists %v, the machine has %v", listed, kinds)
	}
}
