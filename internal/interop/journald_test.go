package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gowebpki/jcs"
)

// remote finds the importer, which Debian keeps out of the path.
func remote(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"systemd-journal-remote", "/usr/lib/systemd/systemd-journal-remote", "/lib/systemd/systemd-journal-remote"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("EDGED_INTEROP") == "1" {
		t.Fatal("systemd-journal-remote is not installed")
	}
	t.Skip("systemd-journal-remote is not installed")
	return ""
}

// imported has systemd import an export of path, verify what it made of it,
// and gives the entries by journalctl.
func (n *node) imported(path string) []map[string]json.RawMessage {
	n.T.Helper()
	n.Sh(`edgectl journal export --format journald --out in.export --journal ` + path)
	n.Sh(remote(n.T) + ` -o out.journal in.export`)
	if _, said, exit := n.Run(`journalctl --file out.journal --verify`); exit != 0 || !strings.Contains(said, "PASS: ") {
		n.T.Errorf("journalctl --verify: exit %d, %s", exit, said)
	}
	return n.journalctl("")
}

func (n *node) journalctl(match string) []map[string]json.RawMessage {
	n.T.Helper()
	var all []map[string]json.RawMessage
	lines := bufio.NewScanner(strings.NewReader(n.Sh(`journalctl --file out.journal --all --no-pager -o json ` + match)))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var entry map[string]json.RawMessage
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			n.T.Fatal(err)
		}
		all = append(all, entry)
	}
	return all
}

// value is a field as journalctl gives it: a text, or bytes as numbers where
// it does not take them for printable.
func value(t testing.TB, raw json.RawMessage) string {
	t.Helper()
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var numbers []int
	if err := json.Unmarshal(raw, &numbers); err != nil {
		t.Errorf("%.100s: %v", raw, err)
	}
	var b []byte
	for _, c := range numbers {
		b = append(b, byte(c))
	}
	return string(b)
}

// agree: what journalctl has are the records, in order, each byte of them.
func agree(t testing.TB, got []map[string]json.RawMessage, want []line) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("journalctl has %d entries, the journal %d", len(got), len(want))
	}
	var raws [][]byte
	for _, l := range want {
		raws = append(raws, l.raw)
	}
	hashes := b3sum(t, raws...)
	for i, e := range got {
		field := func(name string) string { return value(t, e[name]) }
		if field("EDGE_RECORD") != string(want[i].raw) || field("EDGE_SEQ") != fmt.Sprint(want[i].Seq) {
			t.Errorf("entry %d is not record %d", i+1, want[i].Seq)
		}
		if field("EDGE_HASH") != hashes[i] || field("EDGE_PREV") != want[i].Prev || field("EDGE_TYPE") != want[i].Type || field("EDGE_NODE") != want[i].Node {
			t.Errorf("entry %d: %s", i+1, e)
		}
		at, err := time.Parse(time.RFC3339Nano, want[i].Time)
		if err != nil || field("__REALTIME_TIMESTAMP") != fmt.Sprint(at.UnixMicro()) || field("__MONOTONIC_TIMESTAMP") != fmt.Sprint(max(want[i].UptimeMS, 1)*1000) {
			t.Errorf("entry %d: time %s, %s: %v", i+1, field("__REALTIME_TIMESTAMP"), field("__MONOTONIC_TIMESTAMP"), err)
		}
		if field("_BOOT_ID") != strings.ReplaceAll(want[i].BootID, "-", "") || field("SYSLOG_IDENTIFIER") != "edged" || !strings.HasPrefix(field("MESSAGE"), want[i].Type) {
			t.Errorf("entry %d: %s", i+1, e)
		}
	}
}

func TestJournald(t *testing.T) {
	n := livedNode(t, "journalctl", "b3sum")
	n.Sh(`edgectl journal export --format jsonl --out h.jsonl`)
	all := records(t, filepath.Join(n.Dir, "h.jsonl"))
	agree(t, n.imported("$STATE"), all)
	kinds := map[string]int{}
	for _, r := range all {
		kinds[r.Type]++
	}
	if kinds["EpochRotated"] < 2 || kinds["PrecheckFailed"] != 2 {
		t.Fatalf("%v", kinds)
	}
	for kind, count := range kinds {
		if got := n.journalctl("EDGE_TYPE=" + kind); len(got) != count {
			t.Errorf("journalctl EDGE_TYPE=%s gives %d entries, the journal has %d", kind, len(got), count)
		}
	}
	for match, count := range map[string]int{"PRIORITY=3": 2, "EDGE_STAGE=certificate": 1, "EDGE_EXIT_CODE=3": 1, "MESSAGE_ID=3a387ecd4a7057f6a64d45452987d3d3": kinds["EpochRotated"],
		"EDGE_SEQ=1": 1, "EDGE_TYPE=Nothing": 0} {
		if got := n.journalctl(match); len(got) != count {
			t.Errorf("journalctl %s gives %d entries, want %d", match, len(got), count)
		}
	}
	for _, e := range n.journalctl("EDGE_TYPE=EpochRotated") {
		if value(t, e["EDGE_RECORD"]) == "" || value(t, e["EDGE_DURATION_MS"]) == "" {
			t.Errorf("%s", e)
		}
	}
}

// forged writes a history of records that no gate writes in one go: the
// largest there may be, texts of every kind, a clock that goes back and one
// that runs away.
func forged(t testing.TB, path string) []line {
	t.Helper()
	type member = map[string]any
	prev := strings.Repeat("0", 64)
	var out bytes.Buffer
	for i, r := range []struct {
		time, reason string
	}{
		{"2026-03-04T10:00:00.000000001Z", "plain"},
		{"2026-03-04T10:00:00.000000001Z", "the same instant"},
		{"2031-01-01T00:00:00.999999999Z", "ahead"},
		{"2020-01-01T00:00:00.000000000Z", "back"},
		{"2020-01-01T00:00:01.000000000Z", "line\nMESSAGE=forged\n\n__REALTIME_TIMESTAMP=1\n"},
		{"2020-01-01T00:00:02.000000000Z", "\x00\x1b[31m\ttab\x7f ünïcödé 𝄞 \u2028"},
		{"2020-01-01T00:00:03.000000000Z", strings.Repeat("x", 64800)},
		{"2020-01-01T00:00:04.000000000Z", strings.Repeat("ü\n", 16000)},
		{"1999-12-31T23:59:59.000000000Z", ""},
		{"2026-03-05T10:00:00.000000000Z", "and on"},
	} {
		text, err := json.Marshal(member{"v": 1, "journal": "2716a3ec-1c1e-4b0c-8a54-0d1de6f7a001", "seq": i + 1, "id": fmt.Sprintf("00000000-0000-7000-8000-%012d", i),
			"type": "PrecheckFailed", "crit": false, "time": r.time, "boot_id": fmt.Sprintf("0b7f4d5e-6a3e-4a7e-9d3e-%012d", i/4), "uptime_ms": 1000 + i, "run": "r",
			"node": "n", "epoch": 0, "prev": prev, "data": member{"v": 1, "exit_code": 5, "stage": "s", "path": "", "reason": r.reason, "attempt": 0}})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := jcs.Transform(text)
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) > 65535 {
			t.Fatalf("%d bytes", len(raw))
		}
		prev = b3sum(t, raw)[0]
		out.Write(append(raw, '\n'))
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return records(t, path)
}

func TestJournaldEdges(t *testing.T) {
	n := newNode(t, "journalctl", "b3sum")
	path := filepath.Join(n.Dir, "forged.jsonl")
	all := forged(t, path)
	n.Sh(`edgectl journal verify --journal forged.jsonl`)
	agree(t, n.imported(path), all)
	if got := n.journalctl("EDGE_TYPE=PrecheckFailed"); len(got) != len(all) {
		t.Errorf("%d entries of %d", len(got), len(all))
	}
}
