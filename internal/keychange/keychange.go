// Package keychange changes the key that signs a node's manifests or checkpoints. The
// append to the journal is the commit point: before it the old key is in force, after it
// the new one. The next call completes an interrupted change, and appends nothing.
package keychange

import (
	"errors"

	"github.com/autonomyops/edged/machine"
)

// Append appends the event that decide returns for the state of the journal, under the
// gate's lock. If decide returns an error, Append returns it and appends nothing.
type Append func(decide func(machine.State) (machine.Payload, error)) (machine.Event, error)

// Author is the person who replaces a key without a statement of the old one, with the reason.
type Author struct {
	By, Reason string
}

// Change is a journaled change of a key that is in place.
type Change struct {
	Event   machine.Event // Seq is 0 if an earlier call appended it
	Journal string
	Key     string // the BLAKE3 of the new public key
	Next    string // the next step for the operator
}

// errFollows: the journal already names the key as the successor. An earlier call was
// interrupted before it put the key in place.
var errFollows = errors.New("the key follows already")

// commit appends the event of decide, unless the journal has it. It also
// returns the state before.
func commit(appendTo Append, decide func(machine.State) (machine.Payload, error)) (event machine.Event, before machine.State, err error) {
	event, err = appendTo(func(s machine.State) (machine.Payload, error) {
		before = s
		return decide(s)
	})
	if errors.Is(err, errFollows) {
		err = nil
	}
	return event, before, err
}
