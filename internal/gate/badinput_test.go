package gate

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/machine"
)

// badInput is one thing wrong with what a boot reads.
type badInput struct {
	name   string
	exit   int
	path   string           // what the ERROR line's path ends in, "" for any
	reason string           // what its message or its err says, in words of its own
	breaks func(n *node)    // makes it wrong; "the rest" is right
	opt    func(o *Options) // command line
	undone []string         // what may have changed besides: destinations of journaled operations
	rootOK string           // why it cannot be shown as root, "" where it can
}

// badInputs returns all cases. first is the node before the bad input: a
// fresh state root, a settled node, or one whose OS was replaced.
func badInputs() map[string][]badInput {
	return map[string][]badInput{
		"fresh":   slices.Concat(badConfigs(), badRoots(), badCertificates()),
		"settled": slices.Concat(badCertificates(), badFingerprints()),
		"updated": slices.Concat(badKeys(), badManifests(), badOperations()),
	}
}

func (n *node) stand(before string) {
	n.t.Helper()
	n.mission()
	if before == "fresh" {
		return
	}
	n.write("runtime/binaries/app", []byte("#!app"))
	n.write("bootstrap/config.yaml", []byte("a: b\n"))
	n.deploy(oneOp)
	n.boot(ExitOK)
	if before == "updated" {
		n.update()
	}
}

// TestBadInput: each bad input has its exit code and its own clear message, an
// examination and a dry run tell the same and write nothing, and the state root is untouched
// but for the journal and last_failure.json.
func TestBadInput(t *testing.T) {
	total := 0
	for before, cases := range badInputs() {
		for _, c := range cases {
			total++
			t.Run(before+"/"+slug(c.name), func(t *testing.T) {
				t.Parallel()
				if c.rootOK != "" && os.Geteuid() == 0 {
					t.Skip(c.rootOK)
				}
				n := newNode(t)
				n.edit = quick
				n.stand(before)
				if c.breaks != nil {
					c.breaks(n)
				}
				c.judge(n)
			})
		}
	}
	t.Logf("%d bad inputs", total)
	if total < 80 {
		t.Errorf("%d bad inputs, at least 80 are due", total)
	}
}

func (c badInput) judge(n *node) {
	n.t.Helper()
	var opts []func(*Options)
	if c.opt != nil {
		opts = append(opts, c.opt)
	}
	before := tree(n.t, n.dir)
	n.logs.Reset()
	if x := n.examine(opts...); len(x.Boot) == 0 || x.Boot[0].Exit != c.exit {
		n.t.Errorf("the examination says %v, want exit %d", x.Boot, c.exit)
	} else {
		r := &run{log: n.host().Logger("")}
		r.logFailure(x.Boot[0])
		c.reported(n)
	}
	n.boot(c.exit, append(slices.Clone(opts), func(o *Options) { o.DryRun = true })...)
	sameTree(n.t, "the rehearsal", before, tree(n.t, n.dir))
	c.reported(n)
	if !strings.Contains(n.stdout.String(), "would exit") {
		n.t.Errorf("the dry run printed %q", n.stdout.String())
	}
	n.boot(c.exit, opts...)
	c.reported(n)
	after := tree(n.t, n.dir)
	if c.exit == ExitConfig {
		sameTree(n.t, "a run without a config", before, after)
		return
	}
	untouched(n.t, before, after, c.undone...)
	if c.exit != ExitStateRoot {
		c.journaled(n)
	}
}

var errorLine = regexp.MustCompile(`^level=ERROR msg=("precheck: [^"]+")(?: dry_run=true)? path=("(?:[^"\\]|\\.)*"|\S+) err=("(?:[^"\\]|\\.)*"|\S+) next=("(?:[^"\\]|\\.)*"|\S+) exit_code=\d$`)

// problemLine is one of several problems of a config.
var problemLine = regexp.MustCompile(`^level=ERROR msg="precheck: config rejected"(?: dry_run=true)? path=\S+ err="(?:[^"\\]|\\.)*"$`)

// reported requires one ERROR line with the path, a reason and what to do next.
// Only a config with several problems has more lines, one for each, before it.
func (c badInput) reported(n *node) {
	n.t.Helper()
	if strings.Contains(n.logs.String()+n.stdout.String(), "abababab") {
		n.t.Error("the salt was printed")
	}
	var line, problems string
	for l := range strings.Lines(n.logs.String()) {
		if strings.HasPrefix(l, "level=ERROR") {
			if line != "" && (c.exit != ExitConfig || !problemLine.MatchString(line)) {
				n.t.Errorf("a second ERROR line: %s", l)
			}
			problems += line
			line = strings.TrimSuffix(l, "\n")
		}
	}
	m := errorLine.FindStringSubmatch(line)
	if m == nil {
		n.t.Fatalf("the ERROR line is not message, path, err, next, exit code: %s", line)
	}
	path := strings.Trim(m[2], `"`)
	if path == "" || !strings.HasSuffix(path, c.path) {
		n.t.Errorf("path %q, want …%q", path, c.path)
	}
	if !strings.Contains(m[1]+" "+strings.ReplaceAll(m[3]+problems, `\\`, `\`), c.reason) {
		n.t.Errorf("%q is not the reason given:\n%s", c.reason, line)
	}
	if len(strings.Trim(m[4], `"`)) < 10 {
		n.t.Errorf("what to do next is missing: %s", line)
	}
}

// journaled requires the newest record to be this failure.
func (c badInput) journaled(n *node) {
	n.t.Helper()
	_, events := n.history()
	p, ok := events[len(events)-1].Payload.(machine.PrecheckFailed)
	if !ok || p.ExitCode != c.exit || p.Reason == "" || !strings.HasSuffix(p.Path, c.path) {
		n.t.Errorf("the newest record is %+v", events[len(events)-1].Payload)
	}
}

// rewritten changes text of the config.
func rewritten(old, text string) func(n *node) {
	return func(n *node) { n.setConfig(strings.ReplaceAll(old, "DIR", n.dir), text) }
}

func configBytes(data string) func(n *node) {
	return func(n *node) { n.writeFile(n.config, []byte(data)) }
}

func badConfigs() []badInput {
	cases := []badInput{
		{name: "no config named", reason: "EDGE_CONFIG", path: "EDGE_CONFIG", breaks: func(n *node) { n.config = "" }},
		{name: "config missing", reason: "does not exist", breaks: func(n *node) { n.check(os.Remove(n.config)) }},
		{name: "config empty", reason: "file is empty", breaks: configBytes("")},
		{name: "config of comments", reason: "file is empty", breaks: configBytes("# nothing\n\n# here\n")},
		{name: "config is TOML", reason: "TOML", breaks: configBytes("schema = \"v1\"\n[identity]\nedge_domain_id = \"node-01\"\n")},
		{name: "config is TOML, table first", reason: "TOML", breaks: configBytes("[identity]\nedge_domain_id = \"node-01\"\n")},
		{name: "config is a folder", reason: "not a regular file", breaks: func(n *node) { n.plant("folder", n.config) }},
		{name: "config is a FIFO", reason: "not a regular file", breaks: func(n *node) { n.plant("fifo", n.config) }},
		{name: "config has 100 MB", reason: "too large", breaks: func(n *node) { n.sparse(n.config, 100<<20) }},
		{name: "config has a byte above 1 MiB", reason: "too large", breaks: func(n *node) { n.sparse(n.config, 1<<20+1) }},
		{name: "config is zeros", reason: "control character 0x00", breaks: configBytes(strings.Repeat("\x00", 4096))},
		{name: "config is Latin-1", reason: "not UTF-8", breaks: configBytes("schema: v1 # caf\xe9\n")},
		{name: "config is UTF-16", reason: "not UTF-8", breaks: configBytes("\xff\xfes\x00c\x00h\x00e\x00m\x00a\x00:\x00")},
		{name: "config is an alias bomb", reason: "line ", breaks: configBytes(aliasBomb())},
		{name: "config nests 10,000 deep", reason: "line ", breaks: configBytes("schema: " + strings.Repeat("[", 10_000))},
		{name: "config is a list", reason: "line 1", breaks: configBytes("- schema\n- v1\n")},
		{name: "config is one word", reason: "line 1", breaks: configBytes("schema\n")},
		{name: "two documents", reason: "document", breaks: func(n *node) {
			n.writeFile(n.config, append(n.must(os.ReadFile(n.config)), "---\nschema: v1\n"...))
		}},
		{name: "duplicate section", reason: "quota", breaks: func(n *node) {
			n.writeFile(n.config, append(n.must(os.ReadFile(n.config)), "quota: { max_active_peers: 4 }\n"...))
		}},
		{name: "duplicate key", reason: "edge_domain_id", breaks: rewritten("  edge_domain_id: node-01\n", "  edge_domain_id: node-01\n  edge_domain_id: node-02\n")},
		{name: "unknown key", reason: "frobnicate", breaks: rewritten("storage:\n", "storage:\n  frobnicate: 1\n")},
		{name: "unknown section", reason: "frobnicator", breaks: rewritten("storage:\n", "frobnicator: { x: 1 }\nstorage:\n")},
		{name: "section missing", reason: "retry", breaks: rewritten("retry: { max_retry_count: 3, backoff_base_seconds: 5, window_seconds: 60 }\n", "")},
		{name: "section is a scalar", reason: "quota", breaks: rewritten("quota: { max_active_peers: 4, ingest_bytes_per_peer_per_window: 1048576, window_seconds: 60 }", "quota: 4")},
		{name: "salt odd", reason: "even number", breaks: rewritten(`abab"`, `abababa"`)},
		{name: "salt short", reason: "at least 64", breaks: rewritten(`"abababab`, `"`)},
		{name: "salt not hex", reason: "hexadecimal", breaks: rewritten(`abab"`, `abag"`)},
	}
	for _, f := range outOfRange {
		cases = append(cases, badInput{name: "out of range " + f.text, reason: f.key, breaks: rewritten(f.old, f.text)})
	}
	for i := range cases {
		cases[i].exit = ExitConfig
		if cases[i].path == "" {
			cases[i].path = "/edge.toml"
		}
	}
	return cases
}

func aliasBomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := '1'; i <= '9'; i++ {
		b.WriteString("a" + string(i) + ": &a" + string(i) + " [" + strings.Repeat("*a"+string(i-1)+",", 9) + "*a" + string(i-1) + "]\n")
	}
	return b.String()
}

// outOfRange holds, for each field of the config, values that it cannot have.
var outOfRange = []struct{ old, text, key string }{
	{"schema: v1", "schema: v2", "schema"},
	{"edge_domain_id: node-01", "edge_domain_id: 'no spaces'", "edge_domain_id"},
	{"edge_domain_id: node-01", "edge_domain_id: " + strings.Repeat("n", 129), "edge_domain_id"},
	{"local_root: /var/lib/edge/segments", "local_root: var/lib", "local_root"},
	{"disk_ceiling_bytes: 1073741824", "disk_ceiling_bytes: 0", "disk_ceiling_bytes"},
	{"disk_ceiling_bytes: 1073741824", "disk_ceiling_bytes: 99999999999999999999", "disk_ceiling_bytes"},
	{"eviction_threshold_fraction: 0.85", "eviction_threshold_fraction: 0", "eviction_threshold_fraction"},
	{"eviction_threshold_fraction: 0.85", "eviction_threshold_fraction: 1.01", "eviction_threshold_fraction"},
	{"eviction_threshold_fraction: 0.85", "eviction_threshold_fraction: .nan", "eviction_threshold_fraction"},
	{"mode: baseline", "mode: lenient", "assurance.mode"},
	{"memory_ceiling_bytes: 536870912", "memory_ceiling_bytes: -1", "memory_ceiling_bytes"},
	{`listen_addr: ":17300"`, `listen_addr: ":99999"`, "listen_addr"},
	{"cert_file: DIR", "cert_file: node.crt #", "cert_file"},
	{"key_file: DIR", "key_file: node.key #", "key_file"},
	{"ca_file: DIR", "ca_file: [] #", "ca_file"},
	{"handshake_timeout_seconds: 10", "handshake_timeout_seconds: 0", "handshake_timeout_seconds"},
	{"max_active_peers: 4", "max_active_peers: four", "max_active_peers"},
	{"ingest_bytes_per_peer_per_window: 1048576", "ingest_bytes_per_peer_per_window: 1e6", "ingest_bytes_per_peer_per_window"},
	{"window_seconds: 60 }\nretry", "window_seconds: 0 }\nretry", "quota.window_seconds"},
	{"max_retry_count: 3", "max_retry_count: -1", "max_retry_count"},
	{"backoff_base_seconds: 5", "backoff_base_seconds: 0x5", "backoff_base_seconds"},
	{"window_seconds: 60 }\nscheduler", "window_seconds: 99999999999 }\nscheduler", "retry.window_seconds"},
	{"max_concurrent_relays: 2", "max_concurrent_relays: 2.5", "max_concurrent_relays"},
	{"schedule_interval_seconds: 5", "schedule_interval_seconds: '5'", "schedule_interval_seconds"},
	{"max_segments_per_scheduling_round: 8", "max_segments_per_scheduling_round: true", "max_segments_per_scheduling_round"},
	{"tie_break_comparator: lex_segment_id", "tie_break_comparator: ''", "tie_break_comparator"},
	{"policy: lru_priority", "policy: 7 up", "eviction.policy"},
	{"max_eviction_batch_size: 8", "max_eviction_batch_size: 0", "max_eviction_batch_size"},
	{"retention_window_seconds: 3600", "retention_window_seconds: null", "retention_window_seconds"},
	{"log_level: info", "log_level: loud", "log_level"},
	{"log_format: json", "log_format: xml", "log_format"},
	{`root: "DIR/state"`, "root: ''", "state_root.root"},
}

// TestBadInput_AllProblemsInOneRun: every field out of range, each once, and
// each is reported in the one ERROR line.
func TestBadInput_AllProblemsInOneRun(t *testing.T) {
	n := newNode(t)
	text := configText // with DIR as it stands: the paths are not looked at
	var keys []string
	for _, f := range outOfRange {
		if strings.Contains(text, f.old) {
			text = strings.Replace(text, f.old, f.text, 1)
			keys = append(keys, f.key)
		}
	}
	n.writeFile(n.config, []byte(text+"gate: { max_attempts: 0, metrics_file: x, extra_filesystems: 7, on_damage: hope, journal_id: 5, manifest_key_blake3: abc, verify_runtime: maybe }\n"))
	keys = append(keys, "gate.max_attempts", "gate.metrics_file", "gate.extra_filesystems", "gate.on_damage", "gate.journal_id", "gate.manifest_key_blake3", "gate.verify_runtime")
	n.boot(ExitConfig)
	if len(keys) < 30 {
		t.Fatalf("only %d fields were put out of range", len(keys))
	}
	for _, key := range keys {
		n.logged("level=ERROR", key)
	}
}

// TestBadInput_LastFailure: what could not be journaled is in last_failure.json,
// one, overwritten.
func TestBadInput_LastFailure(t *testing.T) {
	n := newNode(t)
	n.stand("settled")
	n.remove("journal")
	for range 2 {
		n.boot(ExitStateRoot)
	}
	var left lastFailure
	n.check(json.Unmarshal(n.read("bootstrap/last_failure.json"), &left))
	if left.ExitCode != ExitStateRoot || left.Stage != "journal" || !left.Time.Equal(n.now) {
		t.Errorf("last_failure.json says %+v, now is %v", left, n.now)
	}
	if matches, _ := filepath.Glob(n.path("bootstrap/*failure*")); len(matches) != 1 {
		t.Errorf("there are %v", matches)
	}
}
