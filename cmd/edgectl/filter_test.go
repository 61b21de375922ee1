package main

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// What is passed over without being decoded would not have passed.
func FuzzFilter(f *testing.F) {
	f.Add("OpApplied", "boot", "run", `{"type":"x","v":1}`, "OpApplied", "bo", "r", int64(100), int64(50))
	f.Add("a\"b", `","run":"x`, `\u0001`, `{"run":"x"}`, "A\"B", `"`, `\`, int64(100), int64(-1))
	f.Add("SnapshotTaken", "b", "r", `{"v":1}`, "snapshotTaken", "", "", int64(100), int64(50))
	f.Add("é", strings.Repeat("b", 80), "", `{}`, "É", strings.Repeat("b", 79), "", int64(100), int64(100))
	f.Fuzz(func(t *testing.T, kind, boot, run, data, wantType, wantBoot, wantRun string, at, since int64) {
		raw, err := record.Encode("00000000-0000-4000-8000-000000000000", 1, record.Hash{}, record.Entry{
			ID: uuid.MustParse("018f0000-0000-7000-8000-000000000000"), Type: kind, Time: time.Unix(at, at&0xfff), BootID: boot, Run: run, Node: "n", Data: []byte(data)})
		if err != nil {
			t.Skip("no record has such texts: ", err)
		}
		rec, err := record.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []filter{
			{types: []string{wantType}},
			{boot: wantBoot},
			{run: wantRun},
			{types: []string{wantType}, boot: wantBoot, run: wantRun, since: time.Unix(since, 0)},
			{until: time.Unix(since, 5)},
			{snapshots: true},
		} {
			if y := want.until.UTC().Year(); y > 9999 {
				t.Skip("RFC 3339 has no such year")
			}
			want.prepare()
			if want.match(rec) && !want.maybe(raw) {
				t.Errorf("%+v passes over %s", want, raw)
			}
		}
	})
}

func TestFilterPassesOver(t *testing.T) {
	raw := []byte(`{"boot_id":"b1","crit":true,"data":{"type":"Other","v":1},"run":"r1","time":"2026-03-04T10:00:00.000000000Z","type":"OpApplied","uptime_ms":1,"v":1}`)
	at := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		want  filter
		maybe bool
	}{
		{filter{}, true},
		{filter{types: []string{"opapplied"}}, true},
		{filter{types: []string{"Other"}}, false},
		{filter{boot: "b"}, true},
		{filter{boot: "c"}, false},
		{filter{run: "r1"}, true},
		{filter{run: "r2"}, false},
		{filter{since: at, until: at}, true},
		{filter{since: at.Add(1)}, false},
		{filter{until: at.Add(-1)}, false},
		{filter{types: []string{"snapshottaken"}}, false},
	} {
		tt.want.prepare()
		if got := tt.want.maybe(raw); got != tt.maybe {
			t.Errorf("%+v: %t", tt.want, got)
		}
	}
}

// A point is what it is written as, or an error that says how to write one.
func FuzzPoint(f *testing.F) {
	for _, s := range []string{"seq:1", "epoch:0", "time:2026-03-04", "time:7d", "time:", "seq:-1", "seq:99999999999999999999", "x"} {
		f.Add(s)
	}
	now := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePoint(s, now)
		if err != nil {
			return
		}
		again, err := parsePoint(p.String(), now)
		if err != nil || again != p || p == (replay.Point{}) {
			t.Errorf("%q is %s, which is %s, %v", s, p, again, err)
		}
	})
}

// The journal's own bookkeeping is shown to who asks for it.
func TestLogHidesSnapshots(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	snapshot := func() {
		h.Append(machine.SnapshotTaken{V: 1, Of: h.State.Seq, BLAKE3: historytest.Hash([]byte("snapshot"))})
	}
	h.First()
	snapshot() // 2
	h.Match()
	for range 4 {
		snapshot() // 4 to 7
	}
	h.Match()
	snapshot() // 9
	h.Publish()
	for args, want := range map[string]string{
		"":                                 "1 3 8",
		"--lines 1":                        "8",
		"--lines 2":                        "3 8",
		"--lines 5":                        "1 3 8",
		"--since 1970-01-01":               "1 3 8",
		"--snapshots":                      "1 2 3 4 5 6 7 8 9",
		"--snapshots --lines 2":            "8 9",
		"--type SnapshotTaken":             "2 4 5 6 7 9",
		"--type snapshottaken --lines 1":   "9",
		"--type FingerprintCaptured -n 10": "1 3 8",
	} {
		code, out, errs := call(nil, append([]string{"journal", "log", "--state-root", h.Dir}, strings.Fields(args)...)...)
		var seqs []string
		for line := range strings.Lines(out) {
			seqs = append(seqs, strings.Fields(line)[0])
		}
		if got := strings.Join(seqs, " "); code != 0 || got != want || errs != "" {
			t.Errorf("%q: exit %d, %s, want %s\n%s", args, code, got, want, errs)
		}
	}
	if _, out, _ := call(nil, "journal", "log", "--json", "--state-root", h.Dir); strings.Count(out, "\n") != 3 {
		t.Errorf("--json:\n%s", out)
	}
}

// A time that log prints includes its record if it is typed back, also with the
// lower-case letters that RFC 3339 allows.
func TestPrintedTimes(t *testing.T) {
	h := newHistory(t)
	_, out, _ := call(nil, "journal", "log", "--state-root", h.Dir)
	for line := range strings.Lines(out) {
		seq, at := strings.Fields(line)[0], strings.Fields(line)[1]
		for _, at := range []string{at, strings.ToLower(at), strings.Replace(at, "Z", "+00:00", 1)} {
			for _, flag := range []string{"--since", "--until"} {
				code, shown, errs := call(nil, "journal", "log", flag, at, "--state-root", h.Dir)
				if code != 0 || !strings.Contains("\n"+shown, "\n"+seq+" ") {
					t.Errorf("record %s: %s %s: exit %d, %s%s", seq, flag, at, code, shown, errs)
				}
			}
			code, shown, errs := call(nil, "replay", "--at", "time:"+at, "--json", "--state-root", h.Dir)
			_, rest, _ := strings.Cut(shown, `"seq":`)
			found, err := strconv.Atoi(strings.SplitN(rest, ",", 2)[0])
			want, _ := strconv.Atoi(seq)
			if code != 0 || err != nil || found < want {
				t.Errorf("record %s: --at time:%s: exit %d, record %d, %s", seq, at, code, found, errs)
			}
		}
	}
	when, err := parseEnd("--until", "2026-03-04T10:11:12.5Z", time.Time{})
	if err != nil || when.Nanosecond() != 500_000_000 {
		t.Errorf("a fraction: %s, %v", when, err)
	}
}
