package machine

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json"
)

// snapshotVersion changes if the meaning of State changes; a snapshot of
// any other version is ignored and the history folded instead.
const snapshotVersion = 1

type snapshot struct {
	V     int   `json:"v"`
	State State `json:"state"`
}

// currentSnapshot begins every snapshot of this version.
var currentSnapshot = []byte(`{"v":1,`)

// EncodeState returns s as a snapshot.
func EncodeState(s State) ([]byte, error) {
	return json.Marshal(snapshot{V: snapshotVersion, State: s}, form)
}

// DecodeState reads a snapshot. A newer or older version, or a state that no
// history reaches, is an error; the caller then folds the history instead.
func DecodeState(data []byte) (State, error) {
	// EncodeState writes the version first, so its output is read in one pass.
	if !bytes.HasPrefix(data, currentSnapshot) {
		var head struct {
			V int `json:"v"`
		}
		if err := json.Unmarshal(data, &head); err != nil {
			return State{}, fmt.Errorf("snapshot: %w", err)
		}
		if head.V != snapshotVersion {
			return State{}, otherSnapshot(head.V)
		}
	}
	var snap snapshot
	if err := json.Unmarshal(data, &snap); err != nil {
		return State{}, fmt.Errorf("snapshot: %w", err)
	}
	if snap.V != snapshotVersion { // a second v
		return State{}, otherSnapshot(snap.V)
	}
	if s := snap.State; s.Seq == 0 || !known(s.Phase) || s.open() != (s.Open != nil) {
		return State{}, fmt.Errorf("snapshot: no history reaches this state (seq %d, phase %q)", s.Seq, s.Phase)
	}
	return snap.State, nil
}

func otherSnapshot(v int) error {
	return fmt.Errorf("snapshot: it has version %d, this binary reads version %d", v, snapshotVersion)
}
