package config

import "math"

// maxCount is the largest count or number of seconds: 2^31-1 seconds are 68 years, and the
// value does not overflow in nanoseconds.
const maxCount = math.MaxInt32

// sections returns the schema: every key a config may have, where its value is stored,
// and what it must be.
func sections(c *Config) []section {
	id, st, as, tr := &c.Identity, &c.Storage, &c.Assurance, &c.Transport
	qu, re, sc, ev := &c.Quota, &c.Retry, &c.Scheduler, &c.Eviction
	schemaField := field{name: "schema", set: schemaVersion(&c.Schema)}
	return []section{
		{name: "schema", single: &schemaField},
		{name: "identity", fields: []field{
			{name: "edge_domain_id", set: text(&id.EdgeDomainID, domainID)},
			{name: "fleet_salt", set: secret(&id.FleetSalt, salt)},
		}},
		{name: "storage", fields: []field{
			{name: "local_root", set: text(&st.LocalRoot, absolute)},
			{name: "disk_ceiling_bytes", set: bytesOf(&st.DiskCeilingBytes)},
			{name: "eviction_threshold_fraction", set: fraction(&st.EvictionThresholdFraction)},
		}},
		{name: "assurance", fields: []field{
			{name: "mode", set: oneOf(&as.Mode, ModeBaseline, ModeStrict)},
			{name: "memory_ceiling_bytes", set: bytesOf(&as.MemoryCeilingBytes)},
		}},
		{name: "transport", fields: []field{
			{name: "listen_addr", set: text(&tr.ListenAddr, hostPort)},
			{name: "cert_file", set: text(&tr.CertFile, absolute)},
			{name: "key_file", set: text(&tr.KeyFile, absolute)},
			{name: "ca_file", set: text(&tr.CAFile, absolute)},
			{name: "ca_key_file", optional: true, set: text(&tr.CAKeyFile, orEmpty(absolute))},
			{name: "handshake_timeout_seconds", set: count(&tr.HandshakeTimeoutSeconds, 1)},
		}},
		{name: "quota", fields: []field{
			{name: "max_active_peers", set: count(&qu.MaxActivePeers, 1)},
			{name: "ingest_bytes_per_peer_per_window", set: bytesOf(&qu.IngestBytesPerPeerPerWindow)},
			{name: "window_seconds", set: count(&qu.WindowSeconds, 1)},
		}},
		{name: "retry", fields: []field{
			{name: "max_retry_count", set: count(&re.MaxRetryCount, 0)},
			{name: "backoff_base_seconds", set: count(&re.BackoffBaseSeconds, 1)},
			{name: "window_seconds", set: count(&re.WindowSeconds, 1)},
		}},
		{name: "scheduler", fields: []field{
			{name: "max_concurrent_relays", set: count(&sc.MaxConcurrentRelays, 1)},
			{name: "schedule_interval_seconds", set: count(&sc.ScheduleIntervalSeconds, 1)},
			{name: "max_segments_per_scheduling_round", set: count(&sc.MaxSegmentsPerSchedulingRound, 1)},
			{name: "tie_break_comparator", set: text(&sc.TieBreakComparator, identifier)},
		}},
		{name: "eviction", fields: []field{
			{name: "policy", set: text(&ev.Policy, identifier)},
			{name: "max_eviction_batch_size", set: count(&ev.MaxEvictionBatchSize, 1)},
			{name: "retention_window_seconds", set: count(&ev.RetentionWindowSeconds, 1)},
		}},
		{name: "metrics", fields: []field{
			{name: "log_level", set: oneOf(&c.Metrics.LogLevel, "debug", "info", "warn", "error")},
			{name: "log_format", set: oneOf(&c.Metrics.LogFormat, "auto", "logfmt", "json", "pretty", "text")},
		}},
		{name: "state_root", fields: []field{
			{name: "root", set: text(&c.Root.Root, notEmpty)},
		}},
		{name: "gate", optional: true, fields: gateFields(&c.Gate)},
	}
}

func gateFields(g *Gate) []field {
	return []field{
		{name: "verify_runtime", optional: true, set: boolean(&g.VerifyRuntime)},
		{name: "max_attempts", optional: true, set: count(&g.MaxAttempts, 1)},
		{name: "metrics_file", optional: true, set: text(&g.MetricsFile, orEmpty(absolute))},
		{name: "extra_filesystems", optional: true, set: names(&g.ExtraFilesystems, filesystem)},
		{name: "on_damage", optional: true, set: oneOf(&g.OnDamage, OnDamageHalt, OnDamageSalvage)},
		{name: "journal_id", optional: true, set: lower(&g.JournalID, orEmpty(uuidText))},
		{name: "manifest_key_blake3", optional: true, set: lower(&g.ManifestKeyBLAKE3, orEmpty(hash))},
	}
}
