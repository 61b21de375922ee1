package journal

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
)

// deeply verifies everything, the tables' blocks included.
func deeply(t testing.TB, fsys durable.FS) Report {
	t.Helper()
	v, err := OpenView(fsys, DefaultLayout())
	if err != nil {
		return Report{Findings: []Finding{FindingOf(err)}}
	}
	defer v.Close()
	return must[Report](t)(Verify(context.Background(), v.Source(), VerifyOptions{Storage: true}))
}

// TestVerifyTables: a flipped bit is found wherever in a table it is.
func TestVerifyTables(t *testing.T) {
	m := newRoot(t)
	recs := grown(t, m, 20)
	if rep := deeply(t, m); !rep.OK || len(rep.Findings) > 0 {
		t.Fatalf("intact: %+v", rep.Findings)
	}
	for name := range tablesOf(t, m, len(recs)) {
		good := read(t, m, name)
		for i := 0; i < len(good); i += 1 + len(good)/61 {
			bad := slices.Clone(good)
			bad[i] ^= 4
			d := m.Clone()
			overwrite(t, d, name, bad)
			rep := deeply(t, d)
			if rep.OK || len(rep.Findings) == 0 {
				t.Errorf("%s: byte %d of %d is flipped, and not found", name, i, len(good))
			}
			for _, f := range rep.Findings {
				if f.Code != CodeStorage || strings.Contains(f.Detail, "\n") {
					t.Errorf("%s: byte %d: %+v", name, i, f)
				}
			}
		}
	}
}

// TestVerifyTables_Obsolete: a table that nothing refers to any more is judged
// too, as a warning.
func TestVerifyTables_Obsolete(t *testing.T) {
	m := newRoot(t)
	grown(t, m, 5)
	name := theFile(t, m, suffix(".sst"))
	for what, content := range map[string][]byte{"damaged": []byte("no table"), "intact": read(t, m, name)} {
		d := m.Clone()
		f := must[durable.File](t)(d.Create("journal/000001.sst", fileMode))
		_ = must[int](t)(f.Write(content))
		noErr(t, f.Close())
		rep := deeply(t, d)
		if want := map[string]string{"damaged": "warning storage_corrupt", "intact": ""}[what]; !rep.OK || codes(rep) != want {
			t.Errorf("%s: %+v", what, rep.Findings)
		}
	}
}

func TestVerifyTables_Cancelled(t *testing.T) {
	m := newRoot(t)
	grown(t, m, 2)
	v := must[*View](t)(OpenView(m, DefaultLayout()))
	defer v.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := v.verifyTables(ctx, &Report{}); err == nil {
		t.Error("it goes on")
	}
}
