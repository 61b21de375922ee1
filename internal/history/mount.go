package history

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable/mountinfo"
	"github.com/autonomyops/edged/internal/errs"
)

// ErrLogSkipped: the filesystem was mounted without a replay of its own log,
// which may hold the records that the node acknowledged last.
var ErrLogSkipped = errors.New("incomplete: the log of the filesystem was not replayed")

const nextLogSkipped = "mount a copy of the disk, or a device-mapper snapshot over it, without this option, and read that"

// WarnLogSkipped returns the warning about a mount with this option.
func WarnLogSkipped(option string) string {
	return "the filesystem is mounted with " + option + ": its log was not replayed, and may hold the newest records; " + nextLogSkipped
}

// LogSkipped returns the mount option (noload, norecovery or nologreplay) that
// kept the kernel from replaying the log of the filesystem under path. It
// returns "" if there is none, or if that cannot be known. It does not open path
// for reading.
func LogSkipped(path string, mounts []mountinfo.Mount) string {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "" // opening the history reports it
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	id, _, err := mountinfo.Locate(fd)
	if err != nil {
		return ""
	}
	i := slices.IndexFunc(mounts, func(m mountinfo.Mount) bool { return m.ID == id })
	if i < 0 {
		return ""
	}
	return mounts[i].LogSkipped
}

// NameDamage wraps damage of the journal under path in an ErrLogSkipped if
// option, from LogSkipped, is not "": on such a mount an honest journal looks
// damaged, truncated or rewritten. It returns other errors unchanged.
func NameDamage(err error, path, option string) error {
	if option == "" || !IsDamage(err) || errors.Is(err, ErrLogSkipped) {
		return err
	}
	named := &errs.Error{Kind: ErrLogSkipped, Path: path, Detail: "read the journal on a mount with " + option, Err: err, Next: nextLogSkipped}
	var cause *errs.Error
	if errors.As(err, &cause) {
		plain := *cause
		plain.Next = "" // that instruction is for damage
		named.Seq, named.Err = cause.Seq, &plain
	}
	return named
}
