package bucket

import (
	"context"
	"strings"
	"time"

	"github.com/autonomyops/edged/internal/errs"
)

// Open opens the store at a location: s3://BUCKET/PREFIX, or else a folder, which it makes.
// A store that does not keep what a hub relies on is [ErrUnsuitable].
func Open(ctx context.Context, location string) (Store, error) {
	if isS3(location) {
		return OpenS3(ctx, location)
	}
	return OpenFolder(location)
}

func isS3(location string) bool { return strings.HasPrefix(location, s3Scheme) }

// OpenReader opens a store that exists, with read access. It writes nothing and does not
// prove that the store is suitable; Put, Swap and Delete fail.
func OpenReader(ctx context.Context, location string) (Store, error) {
	if isS3(location) {
		s, err := dialS3(ctx, location)
		if err != nil {
			return nil, err
		}
		return reader{s}, nil
	}
	root, err := openExisting(location)
	if err != nil {
		return nil, errs.Advise("name the folder of a hub's store", "open the store %s: %w", location, err)
	}
	if _, err := root.Lstat(folders[0]); err != nil {
		_ = root.Close()
		return nil, errs.Advise("name the folder of a hub's store", "open the store %s: it is not the store of a hub: %w", location, err)
	}
	return reader{&Folder{location: location, root: root, disk: root, now: time.Now}}, nil
}

type reader struct{ Store }

func (r reader) refuse(name string) error {
	return errs.Invalid(0, nil, "write the object %s of %s, which was opened for reading", name, r)
}

func (r reader) Put(_ context.Context, name string, _ []byte) error { return r.refuse(name) }

func (r reader) Swap(_ context.Context, name string, _ []byte, _ Version) error {
	return r.refuse(name)
}

func (r reader) Delete(_ context.Context, name string) error { return r.refuse(name) }
