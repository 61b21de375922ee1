package journal

import "errors"

// The kinds of failure that are a journal's own; the others are those of
// package errs.
var (
	// ErrTorn: a write was cut short. After the last acknowledged record this
	// is normal after a power cut and no error. This kind is for places
	// where nothing may be torn, such as the last line of an export.
	ErrTorn = errors.New("torn")
	// ErrRolledBack: history that was acknowledged is no longer there.
	ErrRolledBack = errors.New("rolled back")
	// ErrRewritten: another record is in the place of an acknowledged one.
	ErrRewritten = errors.New("rewritten")
	// ErrMissing: the journal is gone although something refers to it.
	ErrMissing = errors.New("journal is missing although other files refer to it")
	// ErrExists: a journal or head file exists where one is to be created.
	ErrExists = errors.New("already exists")
	// ErrForeign: the record or file belongs to another journal.
	ErrForeign = errors.New("belongs to another journal")
	// ErrClosed: the journal was closed before.
	ErrClosed = errors.New("closed")
	// ErrTailFull: the record does not fit into the tail before it is settled.
	ErrTailFull = errors.New("the journal's tail is full")
	// ErrUnsettled: a settling failed. Nothing is lost, and appends continue
	// while the tail has room.
	ErrUnsettled = errors.New("not settled")
	// ErrBusy: a gate was writing whenever a reader looked.
	ErrBusy = errors.New("a gate is writing")
)

// The next steps that errors of this package advise.
const (
	nextRestore  = "put the newest state back, or run edgectl journal salvage"
	nextOwner    = "put this node's own journal back; if the node was renamed or cloned, see edgectl journal salvage"
	nextNotThere = "name the state root or journal directory that holds the journal"
	nextSettle   = "free space and inodes on the persistent partition; the next boot tries again"
)
