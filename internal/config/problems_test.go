package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// problemsOf parses a document that must have problems.
func problemsOf(t *testing.T, in string) []Problem {
	t.Helper()
	cfg, err := Parse("/etc/edged/c.yaml", []byte(in))
	var e *Error
	if cfg != nil || !errors.As(err, &e) {
		t.Fatalf("got %+v, %v", cfg, err)
	}
	if !errors.Is(err, ErrInvalid) || e.Path != "/etc/edged/c.yaml" || !strings.Contains(err.Error(), e.Path) {
		t.Fatalf("error is %v", err)
	}
	if strings.Contains(err.Error(), "abababab") {
		t.Errorf("the secret shows in %v", err)
	}
	return e.Problems
}

// TestOneWrongValue puts one wrong value into the sample and expects exactly
// one problem, at the value's place.
func TestOneWrongValue(t *testing.T) {
	ids := strings.Repeat("n", 129)
	for _, tt := range []struct{ key, old, new, msg string }{
		{"schema", "v1", "v2", `reads schema v1; found "v2"`},
		{"schema", "v1", "1", "put it in quotes"},
		{"schema", "v1", "[v1]", "must be text on one line, and is a list"},
		{"identity.edge_domain_id", "tutorial-node-01", `"a b"`, "1 to 128 of"},
		{"identity.edge_domain_id", "tutorial-node-01", `""`, "1 to 128 of"},
		{"identity.edge_domain_id", "tutorial-node-01", "knöten", "1 to 128 of"},
		{"identity.edge_domain_id", "tutorial-node-01", ids, "1 to 128 of"},
		{"identity.edge_domain_id", "tutorial-node-01", "12345", "must be text, and is a number; put it in quotes"},
		{"identity.edge_domain_id", "tutorial-node-01", "true", "must be text, and is true or false"},
		{"identity.edge_domain_id", "tutorial-node-01", "", "has no value"},
		{"identity.edge_domain_id", "tutorial-node-01", "{a: b}", "is a section of keys"},
		{"identity.fleet_salt", testSalt, "abababab", "at least 64 hexadecimal digits; has 8"},
		{"identity.fleet_salt", testSalt, testSalt + "a", "even number of hexadecimal digits; has 65"},
		{"identity.fleet_salt", testSalt, testSalt + "zz", "must be hexadecimal digits"},
		{"identity.fleet_salt", testSalt, strings.Repeat("ab", 3000), "at most 4096"},
		{"identity.fleet_salt", `"` + testSalt + `"`, "12", "put it in quotes"},
		{"storage.local_root", "/var/lib/edge/segments", "var/lib", "absolute path"},
		{"storage.local_root", "/var/lib/edge/segments", `""`, "must not be empty"},
		{"storage.local_root", "/var/lib/edge/segments", `"/a\nb"`, "control characters"},
		{"storage.local_root", "/var/lib/edge/segments", "/" + strings.Repeat("x", 4095), "at most 4095 bytes"},
		{"storage.disk_ceiling_bytes", "1073741824", "0", "at least 1"},
		{"storage.disk_ceiling_bytes", "1073741824", "-5", "at least 1"},
		{"storage.disk_ceiling_bytes", "1073741824", "-99999999999999999999", "at least 1"},
		{"storage.disk_ceiling_bytes", "1073741824", "9223372036854775808", "at most 9223372036854775807"},
		{"storage.disk_ceiling_bytes", "1073741824", "99999999999999999999999999", "at most 9223372036854775807"},
		{"storage.disk_ceiling_bytes", "1073741824", "1e9", `in decimal digits; found "1e9"`},
		{"storage.disk_ceiling_bytes", "1073741824", "1.0", `in decimal digits; found "1.0"`},
		{"storage.disk_ceiling_bytes", "1073741824", "+1", "in decimal digits"},
		{"storage.disk_ceiling_bytes", "1073741824", "1_000", "in decimal digits"},
		{"storage.disk_ceiling_bytes", "1073741824", "0x10", "in decimal digits"},
		{"storage.disk_ceiling_bytes", "1073741824", "0o17", "in decimal digits"},
		{"storage.disk_ceiling_bytes", "1073741824", "010", "without leading zeros"},
		{"storage.disk_ceiling_bytes", "1073741824", ".inf", "in decimal digits"},
		{"storage.disk_ceiling_bytes", "1073741824", `"5"`, "without quotes"},
		{"storage.disk_ceiling_bytes", "1073741824", "1 GiB", "and is text"},
		{"storage.disk_ceiling_bytes", "1073741824", "-x", "and is text"},
		{"storage.disk_ceiling_bytes", "1073741824", "true", "and is true or false"},
		{"storage.disk_ceiling_bytes", "1073741824", "", "has no value"},
		{"storage.eviction_threshold_fraction", "0.85", "0", "above 0 and at most 1"},
		{"storage.eviction_threshold_fraction", "0.85", "1.0001", `found "1.0001"`},
		{"storage.eviction_threshold_fraction", "0.85", "-0.5", "above 0 and at most 1"},
		{"storage.eviction_threshold_fraction", "0.85", ".nan", "above 0 and at most 1"},
		{"storage.eviction_threshold_fraction", "0.85", "1e999", "above 0 and at most 1"},
		{"storage.eviction_threshold_fraction", "0.85", "half", "above 0 and at most 1"},
		{"storage.eviction_threshold_fraction", "0.85", `"0.5"`, "without quotes"},
		{"storage.eviction_threshold_fraction", "0.85", "[0.5]", "and is a list"},
		{"storage.eviction_threshold_fraction", "0.85", "~", "has no value"},
		{"assurance.mode", "baseline", "Baseline", `one of baseline, strict; found "Baseline"`},
		{"assurance.mode", "baseline", ids, "found something longer"},
		{"assurance.mode", "baseline", "7", "must be text"},
		{"transport.listen_addr", `":17300"`, `"17300"`, "host:port"},
		{"transport.listen_addr", `":17300"`, `"host"`, "host:port"},
		{"transport.listen_addr", `":17300"`, `":65536"`, "host:port"},
		{"transport.listen_addr", `":17300"`, `":-1"`, "host:port"},
		{"transport.listen_addr", `":17300"`, `":https"`, "host:port"},
		{"transport.listen_addr", `":17300"`, `"::1:80"`, "host:port"},
		{"transport.listen_addr", `":17300"`, `"[::g]:80"`, "host:port"},
		{"transport.listen_addr", `":17300"`, `"a b:80"`, "host:port"},
		{"transport.cert_file", "/path/node.crt", "node.crt", "absolute path"},
		{"transport.ca_key_file", "/path/ca.key ", "ca.key ", "absolute path"},
		{"transport.handshake_timeout_seconds", "10", "2147483648", "at most 2147483647"},
		{"retry.max_retry_count", "3,", "-1,", "at least 0"},
		{"scheduler.tie_break_comparator", "lex_segment_id", "lex-segment", "a-z 0-9 _"},
		{"scheduler.tie_break_comparator", "lex_segment_id", "''", "1 to 64"},
		{"metrics.log_level", "info", "trace", "debug, info, warn, error"},
		{"metrics.log_format", "json", "xml", "must be one of"},
		{"state_root.root", "/persist/edge", `""`, "must not be empty"},
		{"gate.verify_runtime", "false", "yes", "must be true or false"},
		{"gate.verify_runtime", "false", `"false"`, "without quotes"},
		{"gate.max_attempts", "5\n", "0\n", "at least 1"},
		{"gate.metrics_file", `""  `, "edged.prom  ", "absolute path"},
		{"gate.extra_filesystems", "[]", "tmpfs", "must be a list of names, and is text"},
		{"gate.extra_filesystems", "[]", "[tmpfs, tmpfs]", "item 2 is given twice"},
		{"gate.extra_filesystems", "[]", "[a, 9]", "item 2 must be text"},
		{"gate.extra_filesystems", "[]", "['a b']", "item 1 must be the name"},
		{"gate.extra_filesystems", "[]", "[[a]]", "item 1 must be text on one line, and is a list"},
		{"gate.extra_filesystems", "[]", "[" + strings.Repeat("a,", 64) + "b]", "at most 64 names"},
		{"gate.on_damage", "halt", "reset", "halt, salvage"},
		{"gate.journal_id", `""                        #`, "not-a-uuid #", "must be a UUID"},
		{"gate.journal_id", `""                        #`, "01234567-89ab-4cde-8f01-23456789abcg #", "must be a UUID"},
		{"gate.manifest_key_blake3", `""               #`, `"abcd" #`, "64 hexadecimal digits"},
	} {
		t.Run(tt.key+"="+tt.new[:min(len(tt.new), 20)], func(t *testing.T) {
			text := sample(t)
			name := tt.key[strings.LastIndexByte(tt.key, '.')+1:] + ": "
			section, _, _ := strings.Cut(tt.key, ".")
			start := strings.Index(text, section+":")
			if i := strings.Index(text[start:], " "+name); i >= 0 {
				start += i + 1
			}
			at := start + strings.Index(text[start:], name) + len(name)
			if !strings.HasPrefix(text[at:], tt.old) {
				if !strings.HasPrefix(text[at+1:], tt.old) { // within quotes
					t.Fatalf("the sample has %.30q where %q is expected", text[at:], tt.old)
				}
				at++
			}
			in := text[:at] + tt.new + text[at+len(tt.old):]
			got := problemsOf(t, in)
			if len(got) != 1 || got[0].Key != tt.key || !strings.Contains(got[0].Msg, tt.msg) {
				t.Fatalf("got %v", got)
			}
			if tt.new == "" || tt.new == "{a: b}" {
				return // an absent value has its key's place, a mapping its own
			}
			line := 1 + strings.Count(in[:at], "\n")
			col := len([]rune(in[strings.LastIndexByte(in[:at], '\n')+1:at])) + 1
			if quoted := strings.HasSuffix(in[:at], `"`); quoted {
				col--
			}
			if got[0].Line != line || got[0].Col != col {
				t.Errorf("got line %d, column %d, want %d, %d", got[0].Line, got[0].Col, line, col)
			}
		})
	}
}

func TestAllProblemsInOneRun(t *testing.T) {
	in := `schema: v1
identity:
  edge_domain_id: "bad name"
  fleet_salt: "` + testSalt + `x"
  fleet_salt: "` + testSalt + `"
storage: none
unknown_section: {a: 1}
assurance: { mode: lax, memory_ceiling_bytes: 0, ` + testSalt + `: 1 }
assurance: {}
state_root: { root: /persist/edge, colour: red }
gate: { max_attempts: many }
`
	got := problemsOf(t, in)
	want := []string{
		"line 1, column 1: transport: the section is missing; add it with listen_addr, cert_file, key_file, ca_file, handshake_timeout_seconds",
		"line 1, column 1: quota: the section is missing; add it with max_active_peers, ingest_bytes_per_peer_per_window, window_seconds",
		"line 1, column 1: retry: the section is missing",
		"line 1, column 1: scheduler: the section is missing",
		"line 1, column 1: eviction: the section is missing",
		"line 1, column 1: metrics: the section is missing",
		"line 3, column 19: identity.edge_domain_id: must be 1 to 128",
		"line 4, column 15: identity.fleet_salt: must be hexadecimal digits",
		"line 5, column 3: identity.fleet_salt: is given twice, first on line 4",
		"line 6, column 1: storage: must be a section of keys, and is text",
		"line 7, column 1: unknown_section: unknown key",
		"line 8, column 20: assurance.mode: must be one of",
		"line 8, column 47: assurance.memory_ceiling_bytes: must be at least 1",
		"line 8, column 50: assurance.(a key of 64 bytes): unknown key",
		"line 9, column 1: assurance: is given twice, first on line 8",
		"line 10, column 36: state_root.colour: unknown key",
		"line 11, column 23: gate.max_attempts: must be a whole number, and is text",
	}
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(want):
			t.Errorf("also got %v", got[i])
		case i >= len(got):
			t.Errorf("missing %s", want[i])
		case !strings.HasPrefix(got[i].String(), want[i]):
			t.Errorf("got  %v\nwant %s", got[i], want[i])
		}
	}
}

func TestMissingKeyHasItsSectionsPlace(t *testing.T) {
	got := problemsOf(t, strings.ReplaceAll(sample(t), "  cert_file: /path/node.crt\n", ""))
	if len(got) != 1 || got[0].String() != "line 12, column 1: transport.cert_file: is missing; add it" {
		t.Errorf("got %v", got)
	}
}

func TestReportIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(sample(t))
	for i := range 150 {
		fmt.Fprintf(&b, "extra_%d: 1\n", i)
	}
	_, err := Parse("c", []byte(b.String()))
	var e *Error
	if !errors.As(err, &e) || len(e.Problems) != 100 || e.Omitted != 50 || !strings.HasSuffix(err.Error(), "and 50 more") {
		t.Errorf("got %v", err)
	}
}
