package record

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestEnvelopeText: data may hold text that looks like a member of the envelope.
func TestEnvelopeText(t *testing.T) {
	e := Entry{ID: uuid.MustParse("018f0000-0000-7000-8000-000000000000"), Type: "Noise", Time: time.Unix(7, 8), BootID: uuid.Nil.String(),
		Run: "r\"un", Node: "n", Data: []byte(`{"time":"x","type":"y","z":{"a":1,"time":",\"type\":\"z\"","type":"y"}}`)}
	raw := must[[]byte](t)(Encode("6f0d1f6e-0000-4000-8000-000000000001", 1, Hash{}, e))
	for member, want := range map[string]string{"time": "1970-01-01T00:00:07.000000008Z", "type": "Noise", "run": `r\`, "absent": ""} {
		if got := EnvelopeText(raw, member); string(got) != want || (got == nil) != (member == "absent") {
			t.Errorf("%s: %q, want %q", member, got, want)
		}
	}
	if got := EnvelopeText([]byte(`{"a":1,"time":"cut`), "time"); got != nil {
		t.Errorf("of a torn record: %q", got)
	}
}

// TestEnvelopeNumber: data may hold numbers that look like a member of the envelope.
func TestEnvelopeNumber(t *testing.T) {
	e := Entry{ID: uuid.MustParse("018f0000-0000-7000-8000-000000000000"), Type: "Noise", Time: time.Unix(7, 8), BootID: uuid.Nil.String(), Epoch: 42,
		Run: "r", Node: `n,"seq":9`, Data: []byte(`{"a":1,"epoch":7,"seq":8,"z":",\"seq\":9,"}`)}
	raw := must[[]byte](t)(Encode("6f0d1f6e-0000-4000-8000-000000000001", 1, Hash{}, e))
	for member, want := range map[string]uint64{"epoch": 42, "seq": 1} {
		if got, ok := EnvelopeNumber(raw, member); !ok || got != want {
			t.Errorf("%s: %d, %t, want %d", member, got, ok, want)
		}
	}
	for _, rubbish := range []string{"", `{"a":1,"seq":`, `{"a":1,"seq":"1"}`, `{"a":1,"seq":99999999999999999999999}`} {
		if n, ok := EnvelopeNumber([]byte(rubbish), "seq"); ok {
			t.Errorf("of %s: %d", rubbish, n)
		}
	}
}
