package transparency

import "errors"

// Errors of this package.
var (
	// ErrCheckpoint: the text is not a checkpoint of an edged journal.
	ErrCheckpoint = errors.New("not a checkpoint of a journal (three lines: edged/<journal id>, size, root; an empty line; signatures)")
	// ErrExtension: it has lines beyond the three, which a journal's never has.
	ErrExtension = errors.New("the checkpoint has extension lines, a journal's has none")
	// ErrSigner: no signature on it is by a key that is known.
	ErrSigner = errors.New("not signed by a key that is known here")
	// ErrKey: the text is not a key in the form of signed notes.
	ErrKey = errors.New("not an Ed25519 key in the form of signed notes (one line, NAME+HASH+KEY or PRIVATE+KEY+NAME+HASH+KEY)")
	// ErrSize: a tree of another size than there are records.
	ErrSize = errors.New("the records do not reach that far")
	// ErrProof: the text is not a proof, or does not prove what it should.
	ErrProof = errors.New("no proof")
	// ErrOther: a checkpoint of another journal, or over other records.
	ErrOther = errors.New("the checkpoint is not of these records")
	// ErrRotation: the statement does not lead from one key to the next.
	ErrRotation = errors.New("the statement does not lead to the new key")
	// ErrTiles: the directory holds tiles, or a checkpoint, of another history.
	ErrTiles = errors.New("the directory holds tiles of other records")
	// ErrBusy: another call writes to the directory.
	ErrBusy = errors.New("another command writes there")
)
