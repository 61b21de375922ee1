package operation

import (
	"errors"
	"io/fs"

	"github.com/autonomyops/edged/internal/durable"
)

// Differs reports whether there is something at the destination of p that differs from
// what Apply would install. Without a pinned content the source is needed for the
// comparison: if it is missing, the destination counts as different. The error is the
// disk's.
func Differs(fsys durable.FS, p Planned) (bool, error) {
	there, err := fsys.Lstat(p.Dst)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case absent(err):
		return true, nil // a link or a file on the way
	case err != nil:
		return false, err
	}
	if p.BLAKE3 != "" { // the source may already be that of the next manifest
		same, err := InPlace(fsys, p.Dst, p.BLAKE3, modeText(p.Mode), there.Size)
		return !same || there.Nlink != 1, err
	}
	res, dst, err := inPlace(fsys, p)
	if dst != nil {
		_ = dst.Close() // nothing was written
	}
	if err != nil && !errors.Is(err, ErrSource) {
		return false, err
	}
	return !res.AlreadyInPlace, nil
}
