package archtest

import "testing"

// arrows is the import rule of ARCHITECTURE.md, one reason each.
var arrows = []rule{
	{
		from: []string{"journal/..."}, mustNot: []string{"machine/..."}, tests: true,
		reason: "the journal keeps opaque records: one that knows its events would have to change with them",
	},
	{
		from: []string{"machine/..."}, mustNot: []string{"journal/..."}, tests: true,
		reason: "the machine is a pure fold over values: it decides the same whatever the events were read from",
	},
	{
		from: []string{"machine/..."}, mayOnly: []string{"std", "machine/...", "github.com/looplab/fsm", "github.com/go-json-experiment/json/..."},
		reason: "machine imports the standard library, looplab/fsm and a strict JSON decoder: what decides a boot must be readable in one sitting",
	},
	{
		from: []string{"machine/..."},
		mustNot: []string{"os/...", "io/ioutil", "net/...", "syscall", "math/rand/...", "crypto/rand",
			"log/...", "embed", "plugin", "unsafe"},
		reason: "machine has no I/O, no randomness and no logging: a replay years later must decide as the boot did",
	},
	{
		from: []string{"ours"}, except: []string{"journal/..."},
		mustNot: []string{"github.com/cockroachdb/pebble/...", "github.com/cockroachdb/pebble/v2/..."}, tests: true,
		reason: "only journal imports Pebble: its faults are contained in one place, and storage can be replaced there",
	},
	{
		from: []string{"journal/..."}, among: []string{"ours"},
		mayOnly: []string{"journal/...", "internal/durable/..."},
		reason:  "journal stands on internal/durable alone, so that the crash tests see everything it does to the disk",
	},
	{
		from: []string{"projections/..."}, mustNot: []string{"journal/..."},
		reason: "projections turn a State into bytes: one that reads the journal would decide for itself",
	},
	{
		from: []string{"projections/..."}, among: []string{"ours"},
		mayOnly: []string{"projections/...", "machine", "internal/durable/..."},
		reason:  "projections → machine, and the disk through internal/durable",
	},
	{
		from: []string{"replay/..."}, among: []string{"ours"},
		mayOnly: []string{"replay/...", "journal/...", "machine", "projections/...", "internal/durable/..."},
		reason:  "replay → {journal, machine, projections}: it folds history and performs nothing",
	},
	{
		from: []string{"internal/durable/..."}, among: []string{"ours"}, mayOnly: []string{"internal/durable/..."},
		reason: "internal/durable is the seam that everything stands on: it knows nothing above it",
	},
	{
		from: []string{"ours"}, except: []string{"internal/gate/...", "cmd/...", "internal/crashtest/...", "internal/e2e/...", "fixtures/..."},
		mustNot: []string{"internal/gate/..."},
		reason:  "cmd → internal/gate: the gate is the top of the boot path, nothing is built on it",
	},
	{
		from: []string{"ours"}, except: []string{"fixtures/..."}, mustNot: []string{"fixtures/..."},
		reason: "fixtures are for tests: what they simulate is no part of the product",
	},
	{
		from: []string{"ours"}, except: []string{"cmd/..."}, mustNot: []string{"cmd/..."},
		reason: "commands are thin and import others; what two of them need belongs in a package of its own",
	},
	{
		from: []string{"cmd/edged"}, reach: true,
		mustNot: []string{"internal/export/...", "internal/report/...", "internal/transparency/...",
			"internal/evidence/...", "github.com/parquet-go/parquet-go/..."},
		reason: "everything linked into edged is paid at every boot: what serves people lives in edgectl",
	},
	{
		from: []string{"cmd/..."}, reach: true,
		mustNot: []string{"testing/...", "internal/durable/memfs/...", "internal/archtest/...", "fixtures/...",
			"pgregory.net/rapid/...", "github.com/gowebpki/jcs/...", "github.com/rogpeppe/go-internal/testscript/..."},
		reason: "tools of the tests are not part of the product",
	},
}

func TestArrows(t *testing.T) {
	g := loadModule(t)
	for _, r := range arrows {
		for _, v := range judge(g, r) {
			t.Errorf("import rule broken:\n\t%s", v)
		}
	}
}

// A rule whose pattern is misspelt never fires. So each rule must break on a
// graph in which every forbidden thing is imported.
func TestEveryArrowCanBreak(t *testing.T) {
	for i, r := range arrows {
		if (len(r.mustNot) == 0) == (len(r.mayOnly) == 0) {
			t.Errorf("rule %d: exactly one of mustNot and mayOnly must be set", i)
		}
		if r.reason == "" {
			t.Errorf("rule %d has no reason", i)
		}
		for _, from := range r.from {
			for _, to := range forbiddenSample(r) {
				g := graph{sample(from): {imports: []string{to}}, to: {}}
				if len(judge(g, r)) == 0 {
					t.Errorf("rule %d: %s importing %s goes unnoticed", i, sample(from), to)
				}
			}
		}
	}
}
