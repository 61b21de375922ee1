package projections_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/projections"
)

func TestParseLegacy(t *testing.T) {
	l, err := projections.ParseLegacy(legacyFile("3"))
	want := projections.Legacy{
		CompositeHash: legacyHash, OSRelease: "ID=old\n", UnameRelease: "5.4", BootEpoch: 3,
		CapturedAt: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	if err != nil || l != want {
		t.Errorf("%+v, %v, want %+v", l, err, want)
	}
	h := newHistory(t, journalID).initial()
	for name, tt := range map[string]struct {
		data string
		err  error
	}{
		"smallest":             {`{"composite_hash":"a","boot_epoch":0}`, nil},
		"more members":         {`{"composite_hash":"a","boot_epoch":0,"x":[1]}`, nil},
		"empty":                {"", projections.ErrUnparseable},
		"array":                {"[]", projections.ErrUnparseable},
		"wrong type":           {`{"composite_hash":"a","boot_epoch":"0"}`, projections.ErrUnparseable},
		"null":                 {`{"composite_hash":"a","boot_epoch":0,"os_release":null}`, projections.ErrUnparseable},
		"duplicate":            {`{"composite_hash":"a","composite_hash":"a","boot_epoch":0}`, projections.ErrUnparseable},
		"no hash":              {`{"boot_epoch":0}`, projections.ErrNotLegacy},
		"hash with a space":    {`{"composite_hash":"a b","boot_epoch":0}`, projections.ErrNotLegacy},
		"no epoch":             {`{"composite_hash":"a"}`, projections.ErrNotLegacy},
		"negative epoch":       {`{"composite_hash":"a","boot_epoch":-1}`, projections.ErrUnparseable},
		"epoch out of reach":   {`{"composite_hash":"a","boot_epoch":9007199254740991}`, projections.ErrNotLegacy},
		"a member in capitals": {`{"composite_hash":"a","boot_epoch":0,"OS_RELEASE":"x"}`, projections.ErrNotLegacy},
		"with a journal":       {string(fingerprintOf(t, h.state())), projections.ErrNotLegacy},
		"too large to adopt":   {`{"composite_hash":"a","boot_epoch":0}` + strings.Repeat(" ", projections.LegacyLimit), projections.ErrNotLegacy},
	} {
		if _, err := projections.ParseLegacy([]byte(tt.data)); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", name, err, tt.err)
		}
	}
}

func TestClassifyAndFloor(t *testing.T) {
	s := newHistory(t, journalID).initial().epoch(1, 0).state()
	evidence := func(data string) projections.Found {
		return projections.NewFound(projections.CurrentPath, []byte(data))
	}
	ours := string(evidenceOf(t, s.Current))
	for name, tt := range map[string]struct {
		f     projections.Files
		class projections.Class
		floor uint64
	}{
		"nothing":                       {projections.Files{}, projections.ClassAbsent, 0},
		"legacy evidence alone":         {projections.Files{Current: evidence(legacyEvidence)}, projections.ClassAbsent, 5},
		"legacy":                        {projections.Files{Fingerprint: found(legacyFile("3"))}, projections.ClassLegacy, 0},
		"legacy with evidence":          {projections.Files{Fingerprint: found(legacyFile("3")), Current: evidence(legacyEvidence)}, projections.ClassLegacy, 5},
		"legacy, evidence of a journal": {projections.Files{Fingerprint: found(legacyFile("3")), Current: evidence(ours)}, projections.ClassUnparseable, 1},
		"legacy, evidence with a broken journal": {projections.Files{Fingerprint: found(legacyFile("3")),
			Previous: evidence(`{"os_fingerprint":{"boot_epoch":8},"journal":null}`)}, projections.ClassUnparseable, 8},
		"evidence of a journal alone": {projections.Files{Current: evidence(ours)}, projections.ClassUnparseable, 1},
		"empty":                       {projections.Files{Fingerprint: found([]byte{})}, projections.ClassUnparseable, 0},
		"unparseable, both floors": {projections.Files{Fingerprint: found([]byte("x")), Current: evidence(legacyEvidence),
			Previous: evidence(`{"os_fingerprint":{"boot_epoch":4}}`)}, projections.ClassUnparseable, 5},
		"unparseable, evidence too": {projections.Files{Fingerprint: found([]byte("x")), Current: evidence("x"),
			Previous: evidence(`{"os_fingerprint":[]}`)}, projections.ClassUnparseable, 0},
		"a floor out of reach": {projections.Files{Fingerprint: found([]byte("x")),
			Current: evidence(`{"os_fingerprint":{"boot_epoch":9007199254740991}}`)}, projections.ClassUnparseable, 0},
		"a file of a journal": {projections.Files{Fingerprint: found(fingerprintOf(t, s))}, projections.ClassUnparseable, 0},
	} {
		if got := projections.Classify(tt.f); got != tt.class {
			t.Errorf("%s: class %s, want %s", name, got, tt.class)
		}
		if got := projections.EvidenceEpochFloor(tt.f); got != tt.floor {
			t.Errorf("%s: floor %d, want %d", name, got, tt.floor)
		}
	}
}
