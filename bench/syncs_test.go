package main

import (
	"maps"
	"testing"
)

func TestCountCalls(t *testing.T) {
	trace := `17345 fdatasync(12)       = 0
17345 fsync(8 <unfinished ...>
17343 fsync(12)            = 0
17345 <... fsync resumed>) = 0
[pid  9] msync(0x7f0000000000, 4096, MS_SYNC) = 0
17345 +++ exited with 0 +++
17345 --- SIGURG {si_signo=SIGURG, si_code=SI_TKILL} ---
sync_file_range(3, 0, 0, SYNC_FILE_RANGE_WRITE) = 0
2801  sync_file_range(13, 0, 0, 0) = 0
`
	got := countCalls([]byte(trace))
	want := map[string]int{"fsync": 2, "fdatasync": 1, "msync": 1, "sync_file_range": 1}
	if !maps.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	renames := []byte(`17345 openat2(7, "journal_head", {flags=O_WRONLY|O_CLOEXEC, resolve=0}, 24) = 9
17345 openat(AT_FDCWD, "/proc/self/x", O_WRONLY|O_CREAT, 0666) = -1 ENOENT (No such file or directory)
17345 openat2(7, "a", {flags=O_RDWR|O_CREAT|O_EXCL, mode=0640}, 24) = 9
17345 renameat(7, "a", 7, "b") = 0
17345 unlinkat(7, "c", 0) = -1 ENOENT (No such file or directory)
17345 fsync(7) = 0
`)
	if got := nameChanges(renames); len(got) != 2 {
		t.Errorf("changes of names: %q", got)
	}
	if n, text := total(got); n != 5 || text != "fdatasync 1, fsync 2, msync 1, sync_file_range 1" {
		t.Errorf("%d: %s", n, text)
	}
}
