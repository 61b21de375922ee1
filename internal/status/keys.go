package status

import (
	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/signing"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/machine"
)

// Keys are the keys in force, by the BLAKE3 of the public key.
type Keys struct {
	// Manifest is the key of the running epoch's manifest, "" before the first
	// reconstruction. Successors are the keys of later rotations.
	Manifest   string   `json:"manifest"`
	Successors []string `json:"successors"`
	// Deployed is the verify key on the node, "" if it cannot be read.
	Deployed string `json:"deployed"`
	// Replaced is the number of break-glass replacements in the journal.
	Replaced   int    `json:"replaced"`
	Checkpoint string `json:"checkpoint"` // "" if no record names one: the node's first key
}

func (s *Status) journaledKeys(state machine.State) {
	s.Keys.Manifest, s.Keys.Checkpoint, s.Keys.Replaced = state.Keys.Manifest, state.Keys.Checkpoint, state.Keys.Replaced
	s.Keys.Successors = append([]string{}, state.Keys.Successors...)
	if n := state.Keys.Replaced; n > 0 {
		s.notice("KEY REPLACED WITHOUT THE OLD ONE, %s: only the journal's word vouches for the keys since", display.Count(n, "time"))
	}
}

func (s *Status) deployedKeys(tree durable.FS) {
	if s.Keys.Successors == nil {
		s.Keys.Successors = []string{}
	}
	data, _, err := durable.ReadFile(tree, stateroot.ManifestVerifyKey, signing.MaxKeyFile)
	if absent(err) {
		return
	}
	key, parseErr := signing.ParsePublic(data)
	if err == nil && parseErr == nil { // otherwise the examination reports it
		s.Keys.Deployed = signing.Hash(key)
	}
}
