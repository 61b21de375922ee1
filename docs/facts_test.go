package docs_test

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/gate"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

const formats = "docs/formats.md"

// payloads are one of each kind.
var payloads = []machine.Payload{
	machine.FingerprintCaptured{}, machine.UpdateDetected{}, machine.ManifestVerified{}, machine.OpApplied{},
	machine.EpochRotated{}, machine.PrecheckFailed{}, machine.UpdateAbandoned{}, machine.LegacyStateAdopted{},
	machine.SnapshotTaken{}, machine.ProjectionRepaired{}, machine.HeadRebuilt{}, machine.CertificateRotated{},
	machine.DrillRequested{}, machine.DrillCancelled{}, machine.KeyRotated{}, machine.KeyReplaced{}, machine.ClockReset{},
	machine.NodeRenamed{}, machine.JournalSalvaged{},
}

// rows are the table rows of a document, as their cells.
func rows(text string) [][]string {
	var all [][]string
	for l := range strings.SplitSeq(prose(text), "\n") {
		if strings.HasPrefix(l, "| ") {
			cells := strings.Split(strings.Trim(l, "|"), " | ")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			all = append(all, cells)
		}
	}
	return all
}

// members are a struct's JSON members, each with whether it may be absent.
func members(t reflect.Type) map[string]bool {
	all := map[string]bool{}
	for i := range t.NumField() {
		name, rest, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		all[name] = strings.Contains(rest, "omitempty")
	}
	return all
}

// TestPayloads: the formats page has every kind with exactly its members.
func TestPayloads(t *testing.T) {
	described := map[string][]string{}
	for _, r := range rows(read(t, formats)) {
		described[strings.Trim(r[0], "`")] = r
	}
	known := map[machine.Kind]bool{}
	for _, p := range payloads {
		known[p.Kind()] = true
		row := described[string(p.Kind())]
		if len(row) != 3 {
			t.Errorf("%s has no row for %s", formats, p.Kind())
			continue
		}
		if want := map[bool]string{true: "yes", false: "no"}[machine.Critical(p.Kind())]; row[1] != want {
			t.Errorf("%s: crit is %q, the machine says %q", p.Kind(), row[1], want)
		}
		nested := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(row[2], "")
		documented := map[string]bool{"v": false}
		for _, m := range regexp.MustCompile("`([a-z0-9_]+)`(°?)").FindAllStringSubmatch(nested, -1) {
			documented[m[1]] = m[2] != ""
		}
		if want := members(reflect.TypeOf(p)); !maps.Equal(documented, want) {
			t.Errorf("%s: the page has the members %v, the code %v (true: may be absent)", p.Kind(), documented, want)
		}
	}
	for _, k := range machine.Kinds() {
		if !known[k] {
			t.Errorf("kind %s is not checked: add it to payloads", k)
		}
	}
}

// TestRecordMembers: the envelope's members are those of a record.
func TestRecordMembers(t *testing.T) {
	raw, err := record.Encode("2716a3ec-3ae2-4335-a79f-76dc84e73b3d", 1, record.Hash{}, entry())
	if err != nil {
		t.Fatal(err)
	}
	text := section(t, formats, "Record")
	for _, m := range regexp.MustCompile(`"([a-z_]+)":`).FindAllStringSubmatch(string(raw), -1) {
		if !strings.Contains(text, "`"+m[1]+"`") {
			t.Errorf("%s does not describe the record's %q", formats, m[1])
		}
	}
	if !strings.Contains(text, "65,535") || record.MaxLen != 65535 {
		t.Errorf("the limit of a record is %d, %s says otherwise", record.MaxLen, formats)
	}
}

// TestMetrics: the guide has every metric with its type.
func TestMetrics(t *testing.T) {
	at := time.Unix(1, 0)
	text := gate.Metrics(gate.Measures{Epoch: new(uint64), Events: new(uint64), Attempts: new(int), Exit: new(int), Duration: new(time.Duration),
		Ended: at, CertEnd: at, Tail: &journal.TailUse{}})
	documented := map[string]string{}
	for _, r := range rows(section(t, operations, "Metrics")) {
		if name := strings.Trim(r[0], "`"); strings.HasPrefix(name, "edged_") {
			documented[name] = r[1]
		}
	}
	written := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(text, -1) {
		written[m[1]] = m[2]
	}
	if len(written) == 0 || !maps.Equal(documented, written) {
		t.Errorf("%s has %v, the gate writes %v", operations, documented, written)
	}
}

// TestPaths: the guide has every file that the state root's layout names.
func TestPaths(t *testing.T) {
	text := section(t, operations, "Files under the state root")
	for _, name := range []string{
		stateroot.Journal + "/", projections.FingerprintPath, stateroot.JournalHead, stateroot.LastFailure,
		stateroot.NodeConfig, stateroot.ManifestVerifyKey, stateroot.CheckpointKey, stateroot.Manifest,
		stateroot.Binaries + "/", projections.CurrentPath, projections.PreviousPath, stateroot.Edge + "/",
	} {
		if !strings.Contains(text, "| `"+name+"`") {
			t.Errorf("%s does not tell of %s", operations, name)
		}
	}
}

// section is the part of a document under a heading of the second level.
func section(t *testing.T, name, heading string) string {
	t.Helper()
	_, text, found := strings.Cut(read(t, name), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", name, heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// TestLinks: what a document links to is there.
func TestLinks(t *testing.T) {
	for _, doc := range documents(t) {
		checkLinks(t, doc)
	}
}

// anchors are the names that a document's headings can be linked by.
func anchors(text string) []string {
	var all []string
	drop := regexp.MustCompile(`[^a-z0-9 _-]`)
	for l := range strings.SplitSeq(prose(text), "\n") {
		if h := strings.TrimLeft(l, "#"); h != l && strings.HasPrefix(h, " ") {
			all = append(all, strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(h)), ""), " ", "-"))
		}
	}
	slices.Sort(all)
	return all
}
