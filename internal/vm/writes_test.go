package vm

import (
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// writes counts what QEMU writes to a disk image while the gate runs. Two writes in quick succession
// may count as one.
type writes struct {
	events *os.File
	ended  chan struct{}

	mu       sync.Mutex
	counting bool
	n, want  int
	reached  func()
}

// watchWrites watches an image until stop is called.
func watchWrites(t *testing.T, image string) *writes {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.InotifyAddWatch(fd, image, unix.IN_MODIFY); err != nil {
		t.Fatal(err)
	}
	w := &writes{events: os.NewFile(uintptr(fd), "inotify"), ended: make(chan struct{})} //nolint:gosec // a descriptor
	go w.count()
	return w
}

// count counts events until the file is closed.
func (w *writes) count() {
	defer close(w.ended)
	var event [unix.SizeofInotifyEvent]byte // one at a time: an event for a file has no name
	for {
		if _, err := w.events.Read(event[:]); err != nil {
			return
		}
		w.mu.Lock()
		if w.counting {
			if w.n++; w.n == w.want {
				w.reached()
			}
		}
		w.mu.Unlock()
	}
}

// begin counts from now on, and calls reached after the wanted number: at once if that is 0.
func (w *writes) begin(want int, reached func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counting, w.n, w.want, w.reached = true, 0, want, reached
	if want == 0 {
		reached()
	}
}

// end stops counting.
func (w *writes) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counting = false
}

// stop ends the watch and returns the number.
func (w *writes) stop() int {
	_ = w.events.Close() // it was only read
	<-w.ended
	return w.n
}
