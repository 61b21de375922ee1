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

// rewritten is a projection with other text in it, and a digest that holds.
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

// A file of a journal that this one does not continue has no floors for it.
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

// A lawful lowering in the records that are kept is not undone by a file that
// was written before it.
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
	// Where the records are lost, nothing tells of it.
	rotten(t, m)
	if e, _, err = examine(t, m, theNode()); err != nil || e.Serial == nil || *e.Serial != 100 {
		t.Errorf("serial %v, %v", e.Serial, err)
	}
}

// The journals before the predecessor are known however often it was salvaged,
// and also where the records that say so are lost.
func TestExamine_Ancestors(t *testing.T) {
	h, m := grown(t)
	first, err := Install(m, theNode())
	check(t, err)
	second, err := Install(m, theNode())
	check(t, err)
	if got := second.Event.Ancestors; len(got) != 1 || got[0] != h.State.Journal {
		t.Errorf("ancestors %v", got)
	}
	who := theNode()
	who.Predecessor = h.State.Journal // pinned all the time
	e, _, err := examine(t, m, who)
	check(t, err)
	if e.Predecessor != second.Journal || len(e.Ancestors) != 2 || e.Ancestors[0] != first.Journal {
		t.Errorf("%+v", e)
	}
	check(t, durable.RemoveAll(m, stateroot.Journal))
	e, _, err = examine(t, m, who)
	check(t, err)
	if e.Predecessor != second.Journal || len(e.Ancestors) != 2 || e.Ancestors[1] != h.State.Journal || e.Epoch != 1 {
		t.Errorf("%+v", e)
	}
}
