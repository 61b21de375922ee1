package bucket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/autonomyops/edged/internal/errs"
)

const s3Scheme = "s3://"

// S3 is a [Store] in a bucket of an object store, below a prefix. Durability is that of
// the object store.
//
// The [Version] is the ETag. The store compares it: Swap is a PUT with If-Match or
// If-None-Match. An object is written with one PUT, because minio-go drops the condition
// of a multipart upload. Where the ETag is a hash, a content that comes back has its old
// version again: what is written with Swap must not repeat.
type S3 struct {
	bucket, prefix string // prefix is "" or ends in a slash
	client         *minio.Client
	// once sends a request once. A repeated conditional PUT could meet its own first
	// attempt, and report ErrChanged for a Swap that has succeeded. A balancer before the
	// store may still repeat it: after ErrChanged a caller reads the object again.
	once    *minio.Client
	timeout time.Duration // of one request with its repetitions
}

var _ Store = (*S3)(nil)

// attempts of a request that may be repeated, with at most a second in between.
const attempts = 4

// requestTimeout lets 64 MiB pass at 5 Mbit/s.
const requestTimeout = 2 * time.Minute

// errNoETag: a proxy has answered, and not the store.
var errNoETag = errors.New("the answer has no ETag, so it is not that of an object store")

// contentHash is the member of an object's metadata that holds the SHA-256 of its content.
// An ETag is not always a hash.
const contentHash = "Edged-Sha256"

// OpenS3 opens the store at s3://BUCKET/PREFIX and proves that it is suitable, which
// writes below PREFIX/probe. The endpoint, the region and the credentials are those of the
// environment, named as the AWS tools name them.
func OpenS3(ctx context.Context, location string) (*S3, error) {
	s, err := dialS3(ctx, location)
	if err != nil {
		return nil, err
	}
	if err := s.Probe(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// String implements [Store].
func (s *S3) String() string {
	return s3Scheme + s.bucket + "/" + strings.TrimSuffix(s.prefix, "/")
}

// Get implements [Store].
func (s *S3) Get(ctx context.Context, name string) ([]byte, Version, error) {
	if err := checkName(name); err != nil {
		return nil, "", err
	}
	return s.get(ctx, name)
}

func (s *S3) get(ctx context.Context, name string) ([]byte, Version, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	fail := func(err error) ([]byte, Version, error) { return nil, "", s.failed("read the object", name, err) }
	core := minio.Core{Client: s.client}
	body, info, _, err := core.GetObject(ctx, s.bucket, s.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return fail(err)
	}
	defer func() { _ = body.Close() }()
	data, err := io.ReadAll(io.LimitReader(body, MaxObject+1))
	switch {
	case err != nil:
		return fail(err)
	case len(data) > MaxObject:
		return fail(errs.ErrTooLarge)
	case info.Size >= 0 && int64(len(data)) != info.Size:
		return fail(io.ErrUnexpectedEOF)
	case info.ETag == "":
		return fail(errNoETag)
	}
	// A copy of the store that another tool has made may lack the metadata.
	if want := info.UserMetadata[contentHash]; want != "" && want != hashOf(data) {
		return fail(fmt.Errorf("%w: the content is not the one that was written", errs.ErrCorrupt))
	}
	return data, Version(info.ETag), nil
}

func hashOf(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// Put implements [Store]. A PUT that is repeated writes the same again.
func (s *S3) Put(ctx context.Context, name string, data []byte) error {
	if err := errors.Join(checkName(name), checkSize(name, data)); err != nil {
		return err
	}
	if err := s.put(ctx, s.client, name, data, putOptions(data)); err != nil {
		return s.failed("write the object", name, err)
	}
	return nil
}

// Swap implements [Store].
func (s *S3) Swap(ctx context.Context, name string, data []byte, old Version) error {
	if err := errors.Join(checkName(name), checkSize(name, data)); err != nil {
		return err
	}
	return s.swap(ctx, name, data, old)
}

func (s *S3) swap(ctx context.Context, name string, data []byte, old Version) error {
	opt := putOptions(data)
	if old == "" {
		opt.SetMatchETagExcept("*")
	} else {
		opt.SetMatchETag(string(old))
	}
	err := s.put(ctx, s.once, name, data, opt)
	if old != "" && minio.ToErrorResponse(err).Code == minio.NoSuchKey {
		// A MinIO that was killed while it replaced the object may read the one before, and
		// compare with none, until it is healed (seen in that of 2026-02-12). Creating it
		// then excludes other writers as a replacement does.
		if _, now, readErr := s.get(ctx, name); readErr == nil && now == old {
			opt = putOptions(data)
			opt.SetMatchETagExcept("*")
			err = s.put(ctx, s.once, name, data, opt)
		}
	}
	if conditionFailed(err) {
		return fmt.Errorf("replace the object %s: %w", s.full(name), ErrChanged)
	}
	if err != nil {
		return s.failed("replace the object", name, err)
	}
	return nil
}

func putOptions(data []byte) minio.PutObjectOptions {
	return minio.PutObjectOptions{
		DisableMultipart: true,
		SendContentMd5:   true, // the store refuses a body that was damaged on the way
		ContentType:      "application/octet-stream",
		UserMetadata:     map[string]string{contentHash: hashOf(data)},
	}
}

func (s *S3) put(ctx context.Context, client *minio.Client, name string, data []byte, opt minio.PutObjectOptions) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	info, err := client.PutObject(ctx, s.bucket, s.prefix+name, bytes.NewReader(data), int64(len(data)), opt)
	if err == nil && info.ETag == "" {
		err = errNoETag
	}
	return err
}

// Delete implements [Store].
func (s *S3) Delete(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return s.remove(ctx, name)
}

func (s *S3) remove(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := s.client.RemoveObject(ctx, s.bucket, s.prefix+name, minio.RemoveObjectOptions{})
	if err != nil && minio.ToErrorResponse(err).Code != minio.NoSuchKey {
		return s.failed("delete the object", name, err)
	}
	return nil
}

// List implements [Store].
func (s *S3) List(ctx context.Context, prefix string) iter.Seq2[Item, error] {
	if err := checkPrefix(prefix); err != nil {
		return func(yield func(Item, error) bool) { yield(Item{}, err) }
	}
	return func(yield func(Item, error) bool) {
		for item, err := range s.list(ctx, prefix) {
			// Consoles write objects named like folders.
			if err == nil && checkName(item.Name) != nil {
				continue
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// list asks for one page after another, so that each has a deadline of its own, however
// long the reader takes.
func (s *S3) list(ctx context.Context, prefix string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for after := ""; ; {
			page, err := s.page(ctx, prefix, after)
			for _, item := range page {
				if !yield(item, nil) {
					return
				}
				after = item.Name
			}
			if err != nil {
				yield(Item{}, err)
			}
			if err != nil || len(page) == 0 {
				return
			}
		}
	}
}

// perPage is the limit of S3.
const perPage = 1000

// page returns the first objects after one of them; none if there are no more.
func (s *S3) page(ctx context.Context, prefix, after string) (items []Item, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	opt := minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true, MaxKeys: perPage}
	if after != "" {
		opt.StartAfter = s.prefix + after
	}
	for object := range s.client.ListObjectsIter(ctx, s.bucket, opt) {
		if object.Err != nil {
			return nil, s.failed("list the objects", prefix, object.Err)
		}
		name, ok := strings.CutPrefix(object.Key, s.prefix)
		if !ok || !strings.HasPrefix(name, prefix) || name <= after {
			return nil, s.failed("list the objects", prefix, fmt.Errorf("%w: it lists %s after %s, which is not alphabetical", ErrUnsuitable, object.Key, s.prefix+after))
		}
		items, after = append(items, Item{Name: name, Stamp: object.ETag}), name
		if len(items) == perPage {
			break
		}
	}
	// The iteration ends without an error when ctx does.
	if err := ctx.Err(); err != nil {
		return nil, s.failed("list the objects", prefix, err)
	}
	return items, nil
}

func (s *S3) full(name string) string { return s3Scheme + s.bucket + "/" + s.prefix + name }
