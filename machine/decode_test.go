package machine

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestDecodeEvolution(t *testing.T) {
	cases := map[string]struct {
		kind Kind
		crit bool
		data string
		want error
		kept bool // decoded to Unknown
	}{
		"known":                      {KindHeadRebuilt, false, `{"v":1,"found":"x","seq":2}`, nil, false},
		"known with unknown members": {KindHeadRebuilt, false, `{"v":1,"later":true}`, nil, false},
		"unknown, not critical":      {"CoffeeBrewed", false, `{"v":9}`, nil, true},
		"unknown, critical":          {"CoffeeBrewed", true, `{"v":1}`, ErrNewer, false},
		"newer data, not critical":   {KindHeadRebuilt, false, `{"v":2}`, nil, true},
		"newer data, critical":       {KindOpApplied, true, `{"v":2}`, ErrNewer, false},
		"version of another object":  {KindOpApplied, true, `{"a":{"v":1}}`, ErrPayload, false},
		"newer, an older one inside": {KindOpApplied, true, `{"a":{"v":1},"v":2}`, ErrNewer, false},
		"no data version":            {KindOpApplied, true, `{}`, ErrPayload, false},
		"not an object":              {KindOpApplied, true, `[]`, ErrPayload, false},
		"no JSON":                    {KindOpApplied, true, `{"index":0,"v":1`, ErrPayload, false},
		"more than an object":        {KindOpApplied, true, `{"v":1}{"v":1}`, ErrPayload, false},
		"wrong type":                 {KindOpApplied, true, `{"v":1,"index":"a"}`, ErrPayload, false},
		"wrong type, canonical":      {KindOpApplied, true, `{"index":"a","v":1}`, ErrPayload, false},
		"not whole":                  {KindOpApplied, true, `{"index":1.5,"v":1}`, ErrPayload, false},
		"negative":                   {KindUpdateDetected, true, `{"epoch_floor":-1,"v":1}`, ErrPayload, false},
		"too large":                  {KindOpApplied, true, `{"bytes":9223372036854775808,"v":1}`, ErrPayload, false},
		"no base64":                  {KindManifestVerified, true, `{"key":"!","v":1}`, ErrPayload, false},
		"no time":                    {KindEpochRotated, true, `{"rotated_at":"2026-02-29T00:00:00Z","v":1}`, ErrPayload, false},
		"no UTF-8":                   {KindOpApplied, true, `{"dst":"` + "\xff" + `","v":1}`, ErrPayload, false},
		"half a surrogate pair":      {KindOpApplied, true, `{"dst":"\ud800","v":1}`, ErrPayload, false},
		"a member twice":             {KindOpApplied, true, `{"dst":"a","dst":"b","v":1}`, ErrPayload, false},
		"an unknown member twice":    {KindOpApplied, true, `{"a":{"b":1,"b":2},"v":1}`, ErrPayload, false},
		"the version twice":          {KindOpApplied, true, `{"v":2,"v":1}`, ErrPayload, false},
		"the version in capitals":    {KindOpApplied, true, `{"V":1}`, ErrPayload, false},
		"no kind":                    {"", false, `{"v":1}`, ErrPayload, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := Decode(c.kind, c.crit, []byte(c.data))
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if _, unknown := p.(Unknown); unknown != c.kept {
				t.Fatalf("payload %#v", p)
			}
		})
	}
	// A member in another letter case is another member.
	if p, err := Decode(KindOpApplied, true, []byte(`{"DST":"a","v":1}`)); err != nil || p != (OpApplied{V: 1}) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := Encode(Unknown{Name: "CoffeeBrewed"}); err == nil {
		t.Error("an unknown kind was encoded")
	}
}

// Every kind of the sealed set has a payload type that returns it, begins with a
// data version, and is critical as in the format's table.
func TestSealedSet(t *testing.T) {
	notCritical := map[Kind]bool{KindPrecheckFailed: true, KindSnapshotTaken: true, KindProjectionRepaired: true, KindHeadRebuilt: true, KindCertificateRotated: true}
	if len(Kinds()) != 19 {
		t.Fatalf("%d kinds", len(Kinds()))
	}
	for _, k := range Kinds() {
		if Critical(k) == notCritical[k] {
			t.Errorf("%s: crit %t", k, Critical(k))
		}
		p, err := Decode(k, Critical(k), []byte(`{"v":1}`))
		if err != nil || p.Kind() != k {
			t.Errorf("%s decodes to %T, %v", k, p, err)
			continue
		}
		p.sealed()
		data, err := Encode(p)
		var v struct{ V int }
		if err != nil || json.Unmarshal(data, &v) != nil || v.V != 1 {
			t.Errorf("%s encodes to %s, %v", k, data, err)
		}
	}
}

func TestSnapshots(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	s.run(boot{live: "b", manifest: "m", ops: 2, crashAfter: 4})
	whole := mustEncode(t, s.fold.State())
	back, err := DecodeState([]byte(whole))
	if err != nil || mustEncode(t, back) != whole {
		t.Fatalf("a snapshot cannot be read: %v", err)
	}
	for name, data := range map[string]string{
		"newer":           strings.Replace(whole, `{"v":1`, `{"v":2`, 1),
		"newer, spaced":   strings.Replace(whole, `{"v":1`, `{"v": 2`, 1),
		"newer, behind":   strings.TrimSuffix(whole, "}") + `,"v":2}`,
		"not json":        whole[:len(whole)/2],
		"unknown phase":   strings.Replace(whole, `"applying"`, `"asleep"`, 1),
		"phase of others": strings.Replace(whole, `"applying"`, `"settled"`, 1),
		"empty":           `{"v":1}`,
		"nothing":         ``,
	} {
		if _, err := DecodeState([]byte(data)); err == nil {
			t.Errorf("%s: read as a state", name)
		}
	}
	back, err = DecodeState([]byte(strings.Replace(whole, `{"v":1`, `{ "v": 1`, 1)))
	if err != nil || mustEncode(t, back) != whole {
		t.Errorf("a snapshot in another spelling cannot be read: %v", err)
	}
}

func TestDiagramShowsEveryPhase(t *testing.T) {
	d, err := diagram()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range anyPhase {
		if !strings.Contains(d, string(p)) {
			t.Errorf("phase %s is not drawn", p)
		}
	}
}
