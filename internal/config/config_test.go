package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"testing"
)

const testSalt = "abababababababababababababababababababababababababababababababab"

func sample(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile("testdata/valid.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func wantSample() *Config {
	return &Config{
		Schema:   "v1",
		Identity: Identity{EdgeDomainID: "tutorial-node-01", FleetSalt: Secret{testSalt}},
		Storage: Storage{LocalRoot: "/var/lib/edge/segments", DiskCeilingBytes: 1 << 30,
			EvictionThresholdFraction: 0.85},
		Assurance: Assurance{Mode: ModeBaseline, MemoryCeilingBytes: 512 << 20},
		Transport: Transport{ListenAddr: ":17300", CertFile: "/path/node.crt", KeyFile: "/path/node.key",
			CAFile: "/path/ca.crt", CAKeyFile: "/path/ca.key", HandshakeTimeoutSeconds: 10},
		Quota: Quota{MaxActivePeers: 4, IngestBytesPerPeerPerWindow: 1 << 20, WindowSeconds: 60},
		Retry: Retry{MaxRetryCount: 3, BackoffBaseSeconds: 5, WindowSeconds: 60},
		Scheduler: Scheduler{MaxConcurrentRelays: 2, ScheduleIntervalSeconds: 5,
			MaxSegmentsPerSchedulingRound: 8, TieBreakComparator: "lex_segment_id"},
		Eviction: Eviction{Policy: "lru_priority", MaxEvictionBatchSize: 8, RetentionWindowSeconds: 3600},
		Metrics:  Metrics{LogLevel: "info", LogFormat: "json"},
		Root:     Root{Root: "/persist/edge"},
		Gate:     Gate{MaxAttempts: 5, OnDamage: OnDamageHalt},
	}
}

func TestValid(t *testing.T) {
	text := sample(t)
	body, _, found := strings.Cut(text, "gate:")
	if !found {
		t.Fatal("the sample has no gate section")
	}
	for name, in := range map[string]string{
		"sample":            text,
		"no gate":           body,
		"gate without keys": body + "gate:\n  # max_attempts: 7\n",
		"crlf":              strings.ReplaceAll(text, "\n", "\r\n"),
		"bom":               "\ufeff" + text,
		"document markers":  "---\n" + text + "...\n",
		"no final newline":  strings.TrimRight(text, "\n"),
		"quoted keys":       strings.ReplaceAll(text, "schema:", `"schema":`),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse("c.yaml", []byte(in))
			if err != nil {
				t.Fatal(err)
			}
			if want := wantSample(); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestGateSection(t *testing.T) {
	body, _, _ := strings.Cut(sample(t), "gate:")
	in := body + `gate:
  verify_runtime: true
  max_attempts: 12
  metrics_file: /var/lib/node_exporter/edged.prom
  extra_filesystems: [tmpfs, "fuse.sshfs"]
  on_damage: salvage
  journal_id: 01234567-89AB-4cde-8f01-23456789abcd
  manifest_key_blake3: "` + strings.Repeat("Ab", 32) + `"
`
	got, err := Parse("c.yaml", []byte(in))
	if err != nil {
		t.Fatal(err)
	}
	want := Gate{VerifyRuntime: true, MaxAttempts: 12, MetricsFile: "/var/lib/node_exporter/edged.prom",
		ExtraFilesystems: []string{"tmpfs", "fuse.sshfs"}, OnDamage: OnDamageSalvage,
		JournalID: "01234567-89ab-4cde-8f01-23456789abcd", ManifestKeyBLAKE3: strings.Repeat("ab", 32)}
	if !reflect.DeepEqual(got.Gate, want) {
		t.Errorf("got  %+v\nwant %+v", got.Gate, want)
	}
}

func TestJSONIsYAML(t *testing.T) {
	gate := map[string]any{"max_attempts": 3, "extra_filesystems": []string{"tmpfs"}}
	doc := map[string]any{
		"schema":   "v1",
		"identity": map[string]any{"edge_domain_id": "n", "fleet_salt": testSalt},
		"storage": map[string]any{"local_root": "/s", "disk_ceiling_bytes": 1,
			"eviction_threshold_fraction": 1},
		"assurance": map[string]any{"mode": "strict", "memory_ceiling_bytes": 9223372036854775807},
		"transport": map[string]any{"listen_addr": "[::1]:0", "cert_file": "/a", "key_file": "/b",
			"ca_file": "/c", "handshake_timeout_seconds": 1},
		"quota": map[string]any{"max_active_peers": 1, "ingest_bytes_per_peer_per_window": 1, "window_seconds": 1},
		"retry": map[string]any{"max_retry_count": 0, "backoff_base_seconds": 1, "window_seconds": 1},
		"scheduler": map[string]any{"max_concurrent_relays": 1, "schedule_interval_seconds": 1,
			"max_segments_per_scheduling_round": 1, "tie_break_comparator": "a"},
		"eviction":   map[string]any{"policy": "p", "max_eviction_batch_size": 1, "retention_window_seconds": 2147483647},
		"metrics":    map[string]any{"log_level": "debug", "log_format": "auto"},
		"state_root": map[string]any{"root": "relative/is/judged/elsewhere"},
		"gate":       gate,
	}
	for _, indent := range []string{"", "  ", "\t"} {
		var in []byte
		if indent == "" {
			in, _ = json.Marshal(doc)
		} else {
			in, _ = json.MarshalIndent(doc, "", indent)
		}
		got, err := Parse("c.json", in)
		if err != nil {
			t.Fatalf("indent %q: %v", indent, err)
		}
		if !got.Assurance.Strict() || got.Gate.MaxAttempts != 3 || got.Transport.CAKeyFile != "" ||
			got.Assurance.MemoryCeilingBytes != 9223372036854775807 || got.Storage.EvictionThresholdFraction != 1 {
			t.Errorf("indent %q: got %+v", indent, got)
		}
	}
}

func TestStateRoot(t *testing.T) {
	c := &Config{Root: Root{Root: "/persist/edge"}}
	env := func(v string) func(string) string {
		return func(key string) string {
			if key != "EDGE_STATE_ROOT" {
				t.Errorf("asked for %s", key)
			}
			return v
		}
	}
	for _, tt := range []struct {
		getenv func(string) string
		want   string
	}{{nil, "/persist/edge"}, {env(""), "/persist/edge"}, {env("/other"), "/other"}, {env("relative"), "relative"}} {
		if got := c.StateRoot(tt.getenv); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestSecretNeverShows(t *testing.T) {
	c := wantSample()
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", c.Identity.FleetSalt, "all", c)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", c.Identity.FleetSalt, "all", c)
	s := c.Identity.FleetSalt
	for _, out := range []string{
		fmt.Sprint(c), fmt.Sprintf("%v %+v %#v %s %q %x %d", *c, *c, *c, s, s, s, s), string(j), log.String(),
		s.String(), s.GoString(), s.LogValue().String(), fmt.Errorf("%w %v", errors.New("x"), s).Error(),
	} {
		if strings.Contains(out, "abab") || strings.Contains(out, "61626162") {
			t.Errorf("the secret shows in %s", out)
		}
	}
	if s.value != testSalt {
		t.Error("there was no secret to show")
	}
}

func BenchmarkParse(b *testing.B) {
	data := []byte(sample(b))
	for b.Loop() {
		if _, err := Parse("c.yaml", data); err != nil {
			b.Fatal(err)
		}
	}
}
