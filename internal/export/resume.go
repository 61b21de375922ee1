package export

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// PartialSuffix is what the name of a kept part of an export ends in.
const PartialSuffix = ".partial"

var (
	// ErrBusy: another export writes the same partial file.
	ErrBusy = errors.New("another export is writing it")
	// ErrNotOurs: what stands in the partial file's place was not left by an export of this user.
	ErrNotOurs = errors.New("it is not a file that an export of this user left")
)

// Resume is File for an export that may be interrupted: a part of it is kept
// beside, under path's name and PartialSuffix, and the next call goes on from
// there. It gives the number of bytes that stood there already.
//
// An export's bytes follow from the records. So nothing is believed of the
// part, which may be of a crash: write begins anew, and as long as what it
// writes is what stands there, it is compared instead of written.
func Resume(path, keepOut string, write func(io.Writer) error) (reused int64, err error) {
	if at, err := filepath.EvalSymlinks(path); err == nil {
		path = at
	}
	partial := path + PartialSuffix
	for _, name := range []string{path, partial} {
		if err := Outside(name, keepOut); err != nil {
			return 0, fmt.Errorf("write %s: %w; name a file elsewhere", name, err)
		}
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return 0, fmt.Errorf("write %s: it is no regular file, and what is written there cannot be gone on with; leave --resume out", path)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("write %s: %w", path, err)
	}
	f, err := openPartial(partial)
	if err != nil {
		return 0, err
	}
	r := &resumer{f: f, comparing: true}
	err = write(r)
	if err == nil {
		err = r.finish(path)
	}
	return r.reused, errors.Join(err, f.Close())
}

// openPartial opens or creates the partial file and locks it. The name can be
// foreseen, so what another user, or a link, put there is not written to.
func openPartial(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("go on with %s: %w: remove it", name, ErrNotOurs)
	}
	if err != nil {
		return nil, fmt.Errorf("go on with %s: %w; does its directory exist, and may you write there?", name, err)
	}
	if err := checkPartial(f, name); err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return f, nil
}

func checkPartial(f *os.File, name string) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return fmt.Errorf("go on with %s: %w", name, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink > 1 || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("go on with %s: %w: remove it", name, ErrNotOurs)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("go on with %s: %w: wait for it", name, ErrBusy)
	}
	// Whoever had the lock before may have given the file its final name.
	named, err := os.Lstat(name)
	if err == nil {
		var opened os.FileInfo
		if opened, err = f.Stat(); err == nil && os.SameFile(named, opened) {
			return nil
		}
	}
	return fmt.Errorf("go on with %s: %w: run this again", name, ErrBusy)
}

// resumer writes to a file from its beginning, and compares as long as the
// same bytes stand there.
type resumer struct {
	f         *os.File
	at        int64
	reused    int64
	comparing bool
	buf       []byte
}

func (r *resumer) Write(p []byte) (int, error) {
	same := 0
	if r.comparing {
		var err error
		if same, err = r.compare(p); err != nil {
			return 0, err
		}
	}
	n, err := r.f.WriteAt(p[same:], r.at)
	r.at += int64(n)
	return same + n, err
}

// compare passes over the bytes that stand there already, up to the first
// other one. What stands behind it is written over, or cut off at the end.
func (r *resumer) compare(p []byte) (same int, err error) {
	if cap(r.buf) < len(p) {
		r.buf = make([]byte, len(p))
	}
	n, err := r.f.ReadAt(r.buf[:len(p)], r.at)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if !bytes.Equal(r.buf[:n], p[:n]) {
		for same < n && r.buf[same] == p[same] {
			same++
		}
	} else {
		same = n
	}
	r.at += int64(same)
	r.reused = r.at
	r.comparing = same == len(p)
	return same, nil
}

// finish cuts off what was left behind the end, and gives the file its name.
func (r *resumer) finish(path string) error {
	if err := r.f.Truncate(r.at); err != nil {
		return err
	}
	return settle(r.f, path)
}
