package machine

// Bounds on the lists of a state. The cost of a record may grow with the length
// of these lists, so without bounds a forged history could take hours to fold. No
// gate exceeds them. A record that does is refused ([ErrTransition]), not read as
// one of a newer release: a release that raises a bound must write the event in a
// newer data version.
const (
	// MaxOperations is the largest number of operations of a manifest.
	MaxOperations = 128
	// MaxSuccessors is the largest number of changes of the manifest key between
	// two completed epochs: one a day for nearly three years. An operator who
	// reaches it is refused before anything is journaled, and must complete an
	// epoch first.
	MaxSuccessors = 1024
	// maxCauses is the largest number of causes of one update, several times the
	// number of causes that exist.
	maxCauses = 64
)
