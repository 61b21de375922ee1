package status

import (
	"slices"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/signing"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/machine"
)

// Keys are those in force, by the BLAKE3 of their public halves.
type Keys struct {
	// Manifest is the key that the running epoch was completed under, ""
	// before there is one; Successors are what rotations since lead to.
	Manifest   string   `json:"manifest"`
	Successors []string `json:"successors"`
	// Deployed is the verify key on the node, "" where there is none.
	Deployed string `json:"deployed"`
	// Replaced counts break-glass replacements, for ever.
	Replaced   int    `json:"replaced"`
	Checkpoint string `json:"checkpoint"` // "" until it was rotated: the one made with the node
}

func (s *Status) journaledKeys(state machine.State) {
	s.Keys.Manifest, s.Keys.Checkpoint, s.Keys.Replaced = state.Keys.Manifest, state.Keys.Checkpoint, state.Keys.Replaced
	s.Keys.Successors = append([]string{}, state.Keys.Successors...)
	if n := state.Keys.Replaced; n > 0 {
		s.notice("KEY REPLACED WITHOUT THE OLD ONE, %d times: only the journal's word vouches for the keys since", n)
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
	switch {
	case err != nil:
		s.problem("%s cannot be read: %s", stateroot.ManifestVerifyKey, err)
		return
	case parseErr != nil:
		s.problem("%s: %s", stateroot.ManifestVerifyKey, parseErr)
		return
	}
	s.Keys.Deployed = signing.Hash(key)
	accepted := append([]string{s.Keys.Manifest}, s.Keys.Successors...)
	if s.Keys.Manifest != "" && !slices.Contains(accepted, s.Keys.Deployed) {
		s.problem("the verify key on the node is %s, which no rotation leads to: the next reconstruction refuses it", s.Keys.Deployed)
	}
}
