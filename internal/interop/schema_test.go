package interop

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaFolder is where the product's JSON schemas are.
const schemaFolder = "../../docs/schemas"

// compiled reads all schemas. A strict one allows no member that it does not
// name: so that what is written and not described is found.
func compiled(t *testing.T, strict bool) map[string]*jsonschema.Schema {
	t.Helper()
	files, err := filepath.Glob(schemaFolder + "/*.schema.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no schemas:", err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if strict {
			closed(doc)
		}
		if err := c.AddResource("mem:///"+filepath.Base(f), doc); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]*jsonschema.Schema{}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".schema.json")
		if all[name], err = c.Compile("mem:///" + filepath.Base(f)); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// closed forbids members beyond those that are named, but for conditions,
// which speak of some of them only.
func closed(doc any) {
	switch v := doc.(type) {
	case map[string]any:
		_, lists := v["required"]
		if _, ok := v["properties"]; ok && lists && v["additionalProperties"] == nil {
			if props := v["properties"].(map[string]any); len(props) != 1 || props["v"] == nil {
				v["additionalProperties"] = false
			}
		}
		for _, member := range v {
			closed(member)
		}
	case []any:
		for _, e := range v {
			closed(e)
		}
	}
}

// valid holds a text against a schema.
func valid(t *testing.T, s *jsonschema.Schema, what, text string) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Errorf("%s: %v\n%s", what, err, text)
		return
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("%s: %v\n%s", what, err, text)
	}
}

// TestSchemas: what the binaries write is what the schemas promise, judged by
// somebody else's validator.
func TestSchemas(t *testing.T) {
	n := newNode(t)
	n.eventful()
	is := compiled(t, true)
	kinds := map[string]bool{}
	for _, lines := range []string{"edgectl journal log --json", "cat state/journal.salvage-*/predecessor.jsonl"} {
		for line := range strings.SplitSeq(n.Sh(lines), "\n") {
			valid(t, is["record"], "record", line)
			var r struct{ Type string }
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			kinds[r.Type] = true
		}
	}
	for _, kind := range strings.Fields("FingerprintCaptured UpdateDetected ManifestVerified OpApplied EpochRotated PrecheckFailed ProjectionRepaired HeadRebuilt " +
		"DrillRequested DrillCancelled KeyRotated KeyReplaced ClockReset NodeRenamed JournalSalvaged CertificateRotated") {
		if !kinds[kind] {
			t.Errorf("this node's history has no %s: it shows nothing of it", kind)
		}
	}
	n.Sh("edgectl audit bundle --out b.tar.zst && tar --zstd -xf b.tar.zst")
	n.demoFleet()
	for _, tt := range []struct{ schema, command string }{
		{"os_fingerprint", "cat state/bootstrap/os_fingerprint.json"},
		{"evidence", "cat state/epoch/current/evidence.json"},
		{"evidence", "cat audit/epochs/2/evidence.json"},
		{"evidence", "cat audit/epochs/1/evidence.json"},
		{"bundle", "cat audit/bundle.json"},
		{"journal-verify", "edgectl journal verify --deep --json"},
		{"journal-verify", "head -c 3000 audit/records.jsonl >torn.jsonl; edgectl journal verify --journal torn.jsonl --json; [ $? = 1 ]"},
		{"journal-head", "edgectl journal head"},
		{"journal-show", "edgectl journal show 1 --json"},
		{"journal-show", "edgectl journal show 2 --json --journal state/journal.salvage-*/predecessor.jsonl"},
		{"audit-verify", "edgectl audit verify b.tar.zst --json"},
		{"audit-verify", "edgectl audit verify b.tar.zst --since audit/checkpoint --json"},
		{"audit-verify", "edgectl audit verify torn.jsonl --since b.tar.zst --json; [ $? = 1 ]"},
		{"replay", "edgectl replay --at seq:1 --json"},
		{"replay", "edgectl replay --at epoch:2 --json --out then --journal state/journal.salvage-*/predecessor.jsonl"},
		{"replay-diff", "edgectl replay diff epoch:0 epoch:2 --json --journal state/journal.salvage-*/predecessor.jsonl"},
		{"replay-diff", "edgectl replay diff seq:1 seq:1 --json"},
		{"replay-explain", "edgectl replay explain --json"},
		{"replay-explain", "edgectl replay explain --json --journal state/journal.salvage-*/predecessor.jsonl"},
		{"status", "edgectl status --json"},
		{"config-check", "edgectl config check --json"},
		{"config-check", "sed s/schema:/x:/ $EDGE_CONFIG >x.yaml; edgectl config check x.yaml --json; [ $? = 1 ]"},
		{"projections", "rm state/bootstrap/os_fingerprint.json; edgectl projections check --json; [ $? = 1 ]"},
		{"projections", "edgectl projections rebuild --json"},
		{"ship", `printf 'checkpoints: %s\nwitnesses:\n  - url: http://127.0.0.1:1\n    key: witness.test/w+b86ff4f0+BAJv/S21wl/WNcatihBdhCfvU+Y677YykO+G4YZdq0JH\n' "$DIR" >ship.yaml; edgectl ship --ship-config ship.yaml --json; [ $? = 2 ]`},
		{"last_failure", "rm -r state/journal; edged precheck 2>/dev/null; [ $? = 2 ] && cat state/bootstrap/last_failure.json"},
		{"status", "edgectl status --json; [ $? = 1 ]"},
		{"hub-status", "echo depot-06 >nodes.txt; edgehub status --store fleet/store --json --inventory nodes.txt; [ $? = 1 ]"},
		{"hub-verify", "edgehub verify --store fleet/store --deep --json"},
		{"hub-export", "edgehub export --store fleet/store --out exported --json"},
		{"hub-export", "cp -r fleet/store lost; rm lost/records/*; edgehub export --store lost --out few --json; [ $? = 1 ]"},
		{"hub-verify", "cp -r fleet/store damaged; for f in damaged/records/*; do echo >$f; done; edgehub verify --store damaged --json; [ $? = 1 ]"},
	} {
		out, errs, exit := n.Run("set +e +o pipefail; " + tt.command)
		if exit != 0 {
			t.Errorf("%s: exit status %d\n%s", tt.command, exit, errs)
			continue
		}
		valid(t, is[tt.schema], tt.command, out)
	}
}

// eventful gives the node a history with all that a node here can meet.
func (n *node) eventful() {
	n.T.Helper()
	for _, step := range []string{
		"edged precheck",
		"edgectl drill --reason wrong && edgectl drill --cancel --reason 'not this one'",
		// An operation, and a manifest for it.
		"cp $(command -v edged) state/runtime/binaries/edged",
		"edgectl manifest new --copy-binary edged:runtime/edged --serial 2 --out m.json && cp m.json state/runtime/manifest.json && edgectl manifest sign --key state/demo/manifest-verify.key",
		"edgectl drill --reason exercise && edged precheck",
		"echo >>state/bootstrap/os_fingerprint.json && edged precheck",
		"rm state/epoch/current/evidence.json && edged precheck",
		"rm state/bootstrap/journal_head && edged precheck",
		"edged precheck --rotate-certs",
		"edgectl key generate --out next && edgectl key rotate manifest --old state/demo/manifest-verify.key --new next/manifest-verify.key",
		"edgectl drill --reason exercise && edged precheck",
		"edgectl key generate --out third && edgectl key replace manifest --new third/manifest-verify.key --reason lost",
		"mv state/runtime/manifest.json away; edgectl drill --reason fails || true",
		": >state/bootstrap/os_fingerprint.json; edged precheck && exit 1; mv away state/runtime/manifest.json; edged precheck",
		"edgectl clock reset --to $(date -u -d '-1 hour' +%FT%TZ) --reason 'ran ahead' || true",
		"edgectl journal rename-node other --reason moved && sed -i 's/edge_domain_id: .*/edge_domain_id: other/' state/bootstrap/config.yaml && edged precheck",
		"cp -a state/journal older && edged precheck && rm -r state/journal && mv older state/journal",
		"edgectl journal salvage --install --reason 'rolled back' && edged precheck && edged precheck",
	} {
		if out, errs, exit := n.Run(step); exit != 0 {
			n.T.Fatalf("%s\nexit status %d\n%s%s", step, exit, out, errs)
		}
	}
}

// TestSchemasCanFail: a schema that allows everything shows nothing.
func TestSchemasCanFail(t *testing.T) {
	n := newNode(t)
	n.boot()
	is := compiled(t, false)
	record := strings.Split(n.Sh("edgectl journal log --json"), "\n")[0]
	fingerprint := n.Sh("cat state/bootstrap/os_fingerprint.json")
	for _, tt := range []struct{ schema, text, old, new string }{
		{"record", record, `"crit":true`, `"crit":false`},
		{"record", record, `"crit":true`, `"crit":1`},
		{"record", record, `"seq":1`, `"seq":0`},
		{"record", record, `"uptime_ms":`, `"more":1,"uptime_ms":`},
		{"record", record, `"prev":"0`, `"prev":"x`},
		{"record", record, `"key_blake3":`, `"key":"","other":`},
		{"os_fingerprint", fingerprint, `"boot_epoch": 0`, `"boot_epoch": "0"`},
		{"os_fingerprint", fingerprint, `"digest"`, `"digested"`},
	} {
		altered := strings.Replace(tt.text, tt.old, tt.new, 1)
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(altered))
		if err != nil {
			t.Fatal(err)
		}
		if altered == tt.text || is[tt.schema].Validate(doc) == nil {
			t.Errorf("%s: %s in place of %s passes", tt.schema, tt.new, tt.old)
		}
	}
	// Members may be added where the page says so.
	valid(t, is["os_fingerprint"], "a newer fingerprint", strings.Replace(fingerprint, `"boot_epoch"`, `"newer": 1, "boot_epoch"`, 1))
}
