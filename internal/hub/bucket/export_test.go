package bucket

import (
	"context"
	"time"

	"github.com/autonomyops/edged/internal/durable"
)

// OnDisk returns the store on a disk whose clock starts in 2000, prepared as OpenFolder
// does, with its locks in root.
func OnDisk(disk durable.FS, root *durable.Root) (*Folder, error) {
	now := func() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }
	f := &Folder{location: "disk", root: root, disk: disk, locks: newNameLocks(root), now: now}
	return f, f.prepare()
}

// DialS3 opens a store without a probe. Each of its requests has a timeout.
func DialS3(ctx context.Context, location string, timeout time.Duration) (*S3, error) {
	s, err := dialS3(ctx, location)
	if err == nil {
		s.timeout = timeout
	}
	return s, err
}
