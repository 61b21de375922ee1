package machine

import (
	"encoding/json"
	"fmt"
)

// Encode returns a payload's JSON, which includes its data version. The journal
// makes it canonical.
func Encode(p Payload) ([]byte, error) {
	if !Known(p.Kind()) {
		return nil, fmt.Errorf("encode event: kind %q is not one that this binary writes", p.Kind())
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", p.Kind(), err)
	}
	return data, nil
}
