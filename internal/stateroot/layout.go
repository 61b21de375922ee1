package stateroot

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/fault"
)

// Paths below the state root, in the form of [durable.FS]. Those of the
// projections are in their own package.
const (
	Journal           = "journal"
	JournalQuarantine = "journal.quarantine-" // followed by a time
	JournalSalvage    = "journal.salvage-"    // followed by a time: the records that a salvage kept
	JournalPrefix     = "journal"             // top-level names that begin like this are the journal's

	Bootstrap   = "bootstrap"
	JournalHead = "bootstrap/journal_head"
	LastFailure = "bootstrap/last_failure.json"
	NodeConfig  = "bootstrap/config.yaml"

	Identity           = "identity"
	ManifestVerifyKey  = "identity/manifest-verify.pub"
	CheckpointKey      = "identity/journal-sign.key"
	CheckpointPublic   = "identity/journal-sign.pub"
	Runtime            = "runtime"
	Binaries           = "runtime/binaries"
	DefaultBinary      = "runtime/binaries/edged"
	Manifest           = "runtime/manifest.json"
	ManifestSignature  = "runtime/manifest.json.sig"
	Epoch              = "epoch"
	TmpSuffix          = ".tmp"
	Edge               = "edge" // mission data: created, never looked into
	EdgeSegments       = "edge/segments"
	EdgeRelay          = "edge/relay"
	PredecessorRecords = "predecessor.jsonl" // beside the journal that salvage made
)

// dir is a directory of the layout with its exact mode.
type dir struct {
	name string
	mode fs.FileMode
}

// layout holds the directories of a first run, parents first. The journal's
// own directory is not among them: it appears whole, by a rename.
func layout() []dir {
	return []dir{
		{Edge, 0o750},
		{EdgeSegments, 0o750},
		{EdgeRelay, 0o750},
		{Identity, 0o700},
		{Runtime, 0o750},
		{Binaries, 0o750},
		{Epoch, 0o750},
		{Bootstrap, 0o750},
	}
}

// ErrLayout: something else is at the place of a directory of the layout.
var ErrLayout = errors.New("not a directory")

// CreateDirs makes the directories of a first run that are missing and leaves
// existing ones unchanged, including mode and owner. It flushes every
// parent, even if nothing was missing: an earlier run may have been killed
// between making a name and flushing it. It is meant for the first run, where
// three flushes do not matter, and not for every boot.
func CreateDirs(fsys durable.FS) error {
	parents := []string{}
	for _, d := range layout() {
		err := fsys.Mkdir(d.name, d.mode)
		if errors.Is(err, fs.ErrExist) {
			err = mustBeDir(fsys, d.name)
		}
		if err != nil {
			return createError(d.name, err)
		}
		if p := path.Dir(d.name); len(parents) == 0 || parents[len(parents)-1] != p {
			parents = append(parents, p)
		}
	}
	flushed := map[string]bool{}
	for _, p := range parents {
		if flushed[p] {
			continue
		}
		flushed[p] = true
		if err := fsys.SyncDir(p); err != nil {
			return createError(p, err)
		}
	}
	return nil
}

func createError(name string, err error) error {
	return fmt.Errorf("lay out state root: %s: %w", name, fault.Explain(err))
}

func mustBeDir(fsys durable.FS, name string) error {
	info, err := fsys.Lstat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return ErrLayout
	}
	return nil
}
