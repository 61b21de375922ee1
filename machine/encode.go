package machine

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// form makes the JSON of payloads and snapshots that of encoding/json: omitempty
// leaves out zero numbers and false, a nil slice is null, and a byte that is not
// UTF-8 becomes U+FFFD. The library that decodes also encodes, because the first
// use of a type costs a boot a walk through all its fields.
var form = json.JoinOptions(jsonv1.OmitEmptyWithLegacySemantics(true), json.FormatNilSliceAsNull(true),
	json.FormatNilMapAsNull(true), json.Deterministic(true), jsontext.AllowInvalidUTF8(true))

// Encode returns a payload's JSON, which includes its data version. The journal
// makes it canonical.
func Encode(p Payload) ([]byte, error) {
	if !Known(p.Kind()) {
		return nil, fmt.Errorf("encode event: kind %q is not one that this binary writes", p.Kind())
	}
	data, err := json.Marshal(p, form)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", p.Kind(), err)
	}
	return data, nil
}
