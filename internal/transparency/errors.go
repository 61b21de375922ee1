package transparency

import "errors"

// Errors of this package.
var (
	// ErrCheckpoint: the text is not a checkpoint of an edged journal.
	ErrCheckpoint = errors.New("not a checkpoint of a journal (three lines: edged/<journal id>, size, root; an empty line; signatures)")
	// ErrExtension: the checkpoint has extension lines, which that of a journal
	// never has.
	ErrExtension = errors.New("the checkpoint has extension lines, which that of a journal never has")
	// ErrSigner: no given key signed the checkpoint.
	ErrSigner = errors.New("not signed by a given key")
	// ErrKey: the text is not a key in the form of signed notes.
	ErrKey = errors.New("not an Ed25519 key in the form of signed notes (one line, NAME+HASH+KEY or PRIVATE+KEY+NAME+HASH+KEY)")
	// ErrSize: there are fewer records than the tree has.
	ErrSize = errors.New("there are not that many records")
	// ErrProof: the proof is not valid.
	ErrProof = errors.New("not a valid proof")
	// ErrOther: the checkpoint is of another journal or over other records.
	ErrOther = errors.New("the checkpoint is not of these records")
	// ErrRotation: the statement is not a valid rotation to the new key.
	ErrRotation = errors.New("not a valid statement of rotation")
	// ErrTiles: the directory holds tiles, or a checkpoint, of another history.
	ErrTiles = errors.New("the directory holds tiles of other records")
	// ErrBusy: another process writes to the directory.
	ErrBusy = errors.New("another command is writing there")
)
