package operation

import (
	"errors"
	"io/fs"

	"github.com/autonomyops/edged/internal/durable"
)

// Differs reports whether something stands at the destination of p that is not
// what Apply would make it. What cannot be shown to be that differs: without a
// pinned content, the source has to be there. The error is the disk's.
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
	if p.BLAKE3 != "" { // the source may be that of the next manifest already
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
