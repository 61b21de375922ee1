// Package osid takes the fingerprint of the operating system that runs now.
//
// The composite hash is BLAKE3-256 over the bytes of /etc/os-release, the bytes of
// /usr/lib/os-release (skipped if absent) and the bytes of uname().release, with nothing
// between them; `cat` and `b3sum` compute the same. On most systems the first is a symbolic
// link to the second, and the same bytes count twice. Each input's own hash is kept too, so
// that an update can report which input changed.
package osid

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/zeebo/blake3"
	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/digest"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/machine"
)

// MaxInputBytes is the greatest size of an os-release file; real ones have less than one KiB.
const MaxInputBytes = 1 << 20

// ErrUname: the kernel returned an empty release.
var ErrUname = errors.New("the kernel returned an empty release")

// ErrInput is the kind of every error of [Capture].
var ErrInput = errors.New("an input cannot be read")

// Source names the inputs.
type Source struct {
	EtcPath string                 // must exist
	UsrPath string                 // may be absent
	Uname   func() (string, error) // uname().release
}

// Host returns the Source of the running system.
func Host() Source {
	return Source{EtcPath: "/etc/os-release", UsrPath: "/usr/lib/os-release", Uname: unameRelease}
}

// Fingerprint is the result of a capture. Hashes are lower-case hex.
type Fingerprint struct {
	CompositeHash string
	Inputs        machine.Inputs
	UnameRelease  string
	OSRelease     string // text of /etc/os-release, see [MaxTextBytes]
	Truncated     bool   // OSRelease is only its beginning; the hashes cover all of it
}

// Capture takes the fingerprint. It never blocks on a FIFO or a device in place of a file.
// The error is an *errs.Error.
func Capture(src Source) (Fingerprint, error) {
	etc, err := readInput(src.EtcPath)
	if err != nil {
		return Fingerprint{}, err
	}
	usr, err := readInput(src.UsrPath)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return Fingerprint{}, err
	}
	release, err := src.Uname()
	if err == nil && release == "" {
		err = ErrUname
	}
	if err != nil {
		return Fingerprint{}, refused("", fmt.Errorf("uname: %w", err), "check that the service may call uname(2)")
	}

	h := blake3.New()
	for _, part := range [][]byte{etc, usr, []byte(release)} {
		_, _ = h.Write(part) // a hash does not fail
	}
	f := Fingerprint{
		CompositeHash: hex.EncodeToString(h.Sum(nil)),
		Inputs:        machine.Inputs{EtcOSRelease: digest.Of(etc), UnameRelease: release},
		UnameRelease:  release,
	}
	if usr != nil {
		f.Inputs.UsrLibOSRelease = digest.Of(usr)
	}
	f.OSRelease, f.Truncated = keep(etc, MaxTextBytes)
	return f, nil
}

// readInput returns the bytes of a file, never nil if the file exists.
func readInput(path string) ([]byte, error) {
	data, err := durable.ReadHostFile(path, MaxInputBytes)
	if err == nil {
		if data == nil {
			data = []byte{}
		}
		return data, nil
	}
	next := "restore the file from the operating system's image, or finish the update that removed it"
	if errors.Is(err, durable.ErrNotRegular) || errors.Is(err, durable.ErrTooLarge) {
		next = "put the operating system's own os-release file in its place"
	}
	return nil, refused(path, err, next)
}

func refused(path string, err error, next string) error {
	return &errs.Error{Kind: ErrInput, Path: path, Detail: "take the fingerprint of the operating system", Err: err, Next: next}
}

func unameRelease() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", err
	}
	return unix.ByteSliceToString(u.Release[:]), nil
}
