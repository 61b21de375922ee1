package machine

// Bounds on what one state holds. What a fold does for a record may cost as
// much as the state's lists are long, so a history without these would cost
// the square of its length, and a forged one hours. No gate writes a history
// beyond them, which is why one that is there is refused ([ErrTransition])
// and not read as a newer release's: a release that raises one must write the
// event in a newer data version.
const (
	// MaxOperations is the largest number of operations of a manifest.
	MaxOperations = 128
	// MaxSuccessors is the largest number of changes of the manifest key between
	// two completed epochs: one a day for nearly three years. An operator who
	// reaches it is refused before anything is journaled; the way on is an epoch.
	MaxSuccessors = 1024
	// maxCauses is the largest number of causes of one update, several times
	// that of the causes there are.
	maxCauses = 64
)
