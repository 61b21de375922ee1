#!/bin/bash
# Makes a node for the real gate's first run beneath $1: config, certificates,
# state root. Needs openssl. The leaf is within its last 7 days and the CA's key is
# there, so that the gate rotates it in its sandbox.
set -eu
root=$1
tls=$root/persist/tls
mkdir -p "$tls" "$root/etc/edged"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=boottest-ca \
	-keyout "$tls/ca.key" -out "$tls/ca.crt" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=boottest \
	-keyout "$tls/node.key" -out "$tls/node.csr" 2>/dev/null
openssl x509 -req -in "$tls/node.csr" -CA "$tls/ca.crt" -CAkey "$tls/ca.key" -set_serial 2 -days 5 \
	-out "$tls/node.crt" 2>/dev/null
chmod 0600 "$tls"/*.key
cat >"$root/etc/edged/config.yaml" <<-EOF
	schema: v1
	identity: { edge_domain_id: boottest, fleet_salt: "$(printf 'ab%.0s' $(seq 32))" }
	storage: { local_root: /persist/edge/edge/segments, disk_ceiling_bytes: 1073741824, eviction_threshold_fraction: 0.85 }
	assurance: { mode: baseline, memory_ceiling_bytes: 536870912 }
	transport:
	  listen_addr: ":17300"
	  cert_file: /persist/tls/node.crt
	  key_file: /persist/tls/node.key
	  ca_file: /persist/tls/ca.crt
	  ca_key_file: /persist/tls/ca.key
	  handshake_timeout_seconds: 10
	quota: { max_active_peers: 4, ingest_bytes_per_peer_per_window: 1048576, window_seconds: 60 }
	retry: { max_retry_count: 3, backoff_base_seconds: 5, window_seconds: 60 }
	scheduler: { max_concurrent_relays: 2, schedule_interval_seconds: 5, max_segments_per_scheduling_round: 8, tie_break_comparator: lex_segment_id }
	eviction: { policy: lru_priority, max_eviction_batch_size: 8, retention_window_seconds: 3600 }
	metrics: { log_level: info, log_format: json }
	state_root: { root: /persist/edge }
EOF
