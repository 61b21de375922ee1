// Package config reads a node's configuration: one YAML document, checked
// against one table, with every problem of the file reported in one run.
//
// The same file belongs to the daemon. The gate uses few of its values, but
// checks all of them: a typo is found at the gate, whose message names line
// and column, and not by a daemon that nobody watches.
//
// What a file may be is deliberately less than YAML: one document, no anchors,
// aliases, merge keys, tags or directives, bounded nesting. None of them has a
// use in a configuration of this size, and each is a way to make a parser work
// forever.
package config

// EnvStateRoot is the environment variable that overrides state_root.root.
const EnvStateRoot = "EDGE_STATE_ROOT"

// Values that a key may have.
const (
	SchemaV1 = "v1"

	ModeBaseline = "baseline"
	ModeStrict   = "strict"

	OnDamageHalt    = "halt"
	OnDamageSalvage = "salvage"
)

// Config is a whole, valid configuration. Keys that end in Seconds are whole
// seconds, keys that end in Bytes are bytes.
type Config struct {
	Schema    string
	Identity  Identity
	Storage   Storage
	Assurance Assurance
	Transport Transport
	Quota     Quota
	Retry     Retry
	Scheduler Scheduler
	Eviction  Eviction
	Metrics   Metrics
	Root      Root
	Gate      Gate
}

// Identity is the node's name and the fleet's salt.
type Identity struct {
	EdgeDomainID string
	FleetSalt    Secret
}

// Storage is the daemon's segment store.
type Storage struct {
	LocalRoot                 string
	DiskCeilingBytes          int64
	EvictionThresholdFraction float64 // (0, 1]
}

// Assurance is how much a manifest must pin: baseline or strict.
type Assurance struct {
	Mode               string
	MemoryCeilingBytes int64
}

// Strict reports whether a manifest needs a serial and a blake3 on every operation.
func (a Assurance) Strict() bool { return a.Mode == ModeStrict }

// Transport is the daemon's TLS listener. CAKeyFile is "" if it was not
// given; giving it allows the gate to re-issue the certificate.
type Transport struct {
	ListenAddr              string
	CertFile                string
	KeyFile                 string
	CAFile                  string
	CAKeyFile               string
	HandshakeTimeoutSeconds int
}

// Quota limits the peers.
type Quota struct {
	MaxActivePeers              int
	IngestBytesPerPeerPerWindow int64
	WindowSeconds               int
}

// Retry is the daemon's retry policy.
type Retry struct {
	MaxRetryCount      int // may be 0
	BackoffBaseSeconds int
	WindowSeconds      int
}

// Scheduler is the daemon's relay scheduler.
type Scheduler struct {
	MaxConcurrentRelays           int
	ScheduleIntervalSeconds       int
	MaxSegmentsPerSchedulingRound int
	TieBreakComparator            string
}

// Eviction is the daemon's eviction policy.
type Eviction struct {
	Policy                 string
	MaxEvictionBatchSize   int
	RetentionWindowSeconds int
}

// Metrics holds the log level (the gate's too, unless a flag says otherwise)
// and the daemon's log format.
type Metrics struct {
	LogLevel  string // debug, info, warn, error
	LogFormat string
}

// Root is the section state_root. Its path is kept as written: whether it is
// absolute and usable is judged by package stateroot, with another exit code.
type Root struct {
	Root string
}

// Gate is the optional section of the gate itself.
type Gate struct {
	VerifyRuntime     bool
	MaxAttempts       int
	MetricsFile       string // "" or absolute
	ExtraFilesystems  []string
	OnDamage          string // halt or salvage
	JournalID         string // "" or a UUID in lower case
	ManifestKeyBLAKE3 string // "" or 64 lower-case hex digits
}

// StateRoot returns the state root that this run uses: the environment's if it
// is set and not empty, otherwise the file's. A nil getenv means no
// environment.
func (c *Config) StateRoot(getenv func(string) string) string {
	if getenv != nil {
		if v := getenv(EnvStateRoot); v != "" {
			return v
		}
	}
	return c.Root.Root
}

// Defaults is a Config that holds the defaults of every optional key, and
// nothing else.
func Defaults() *Config {
	return &Config{Gate: Gate{MaxAttempts: 5, OnDamage: OnDamageHalt}}
}
