package salvage

import (
	"encoding/hex"
	"encoding/json"
	"path"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/zeebo/blake3"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/projections"
)

// rewritten returns a projection with changed text and a matching digest.
func rewritten(t *testing.T, file, old, text string) string {
	t.Helper()
	if !strings.Contains(file, old) {
		t.Fatalf("%s is not in %s", old, file)
	}
	var doc map[string]any
	check(t, json.Unmarshal([]byte(strings.Replace(file, old, text, 1)), &doc))
	reference := doc["journal"].(map[string]any)
	delete(reference, "digest")
	bare, err := json.Marshal(doc)
	check(t, err)
	canonical := jsontext.Value(bare)
	check(t, canonical.Canonicalize())
	sum := blake3.Sum256(canonical)
	reference["digest"] = hex.EncodeToString(sum[:])
	out, err := json.MarshalIndent(doc, "", "  ")
	check(t, err)
	return string(out)
}

// A file of a journal that is no ancestor raises no floor.
func TestExamine_ForeignFiles(t *testing.T) {
	h, m := grown(t)
	foreign := rewritten(t, get(t, m, projections.CurrentPath), h.State.Journal, uuid.NewString())
	foreign = rewritten(t, foreign, `"manifest_serial": 7`, `"manifest_serial": 900`)
	foreign = rewritten(t, foreign, `"boot_epoch": 1`, `"boot_epoch": 40`)
	put(t, m, projections.CurrentPath, foreign)
	rotten(t, m)
	e, _, err := examine(t, m, theNode())
	check(t, err)
	if e.Epoch != 1 || e.Serial != nil {
		t.Errorf("epoch %d, serial %v", e.Epoch, e.Serial)
	}
}

// A file that was written before a lawful lowering in the kept records does not undo it.
func TestExamine_LoweredSince(t *testing.T) {
	_, m := grown(t)
	higher := rewritten(t, get(t, m, projections.CurrentPath), `"manifest_serial": 7`, `"manifest_serial": 100`)
	check(t, durable.MkdirAll(m, path.Dir(projections.PreviousPath), 0o750))
	put(t, m, projections.PreviousPath, higher)
	e, _, err := examine(t, m, theNode())
	check(t, err)
	if e.Serial == nil || *e.Serial != 7 {
		t.Errorf("serial %v", e.Serial)
	}
	// If the records are lost, the lowering is not known.
	rotten(t, m)
	if e, _, err = examine(t, m, theNode()); err != nil || e.Serial == nil || *e.Serial != 100 {
		t.Errorf("serial %v, %v", e.Serial, err)
	}
}

// The ancestors are known however often a journal was salvaged, even if the records that
// name them are lost.
func TestExamine_Ancestors(t *testing.T) {
	h, m := grown(t)
	first, err := Install(m, theNode())
	check(t, err)
	second, err := Install(m, theNode())
	check(t, err)
	if got := second.Event.Ancestors; len(got) != 1 || got[0] != h.State.Journal {
		t.Errorf("ancestors %v", got)
	}
	req := theNode()
	req.Predecessor = h.State.Journal // pinned from the beginning
	e, _, err := examine(t, m, req)
	check(t, err)
	if e.Predecessor != second.Journal || len(e.Ancestors) != 2 || e.Ancestors[0] != first.Journal {
		t.Errorf("%+v", e)
	}
	check(t, durable.RemoveAll(m, stateroot.Journal))
	e, _, err = examine(t, m, req)
	check(t, err)
	if e.Predecessor != second.Journal || len(e.Ancestors) != 2 || e.Ancestors[1] != h.State.Journal || e.Epoch != 1 {
		t.Errorf("%+v", e)
	}
}
