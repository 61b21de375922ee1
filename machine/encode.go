package machine

import (
	"encoding/json"
	"fmt"
)

// Encode gives a payload's JSON, with its data version set. The journal makes
// it canonical.
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
