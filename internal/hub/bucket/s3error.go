package bucket

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/minio/minio-go/v7"

	"github.com/autonomyops/edged/internal/errs"
)

// conditionFailed reports whether the store refused a conditional PUT because of the
// object: it is another one (412), it is being replaced (409), or it is absent (404, to
// If-Match).
func conditionFailed(err error) bool {
	answer, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok || answer.Code == minio.NoSuchBucket {
		return false
	}
	switch answer.StatusCode {
	case http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed:
		return true
	}
	return false
}

// failed returns an error of the object store with what to do about it.
func (s *S3) failed(what, name string, err error) error {
	next := "check the object store and the network to it, then try again"
	answer, answered := errors.AsType[minio.ErrorResponse](err)
	switch {
	case !answered && (errors.Is(err, errs.ErrCorrupt) || errors.Is(err, errs.ErrTooLarge)):
		next = "restore the object from a backup or an older version"
	case errors.Is(err, ErrUnsuitable):
		next = "use another object store, or a folder"
	case answer.Code == minio.NoSuchKey:
		next = "check that the store is the right one"
		err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case answer.Code == minio.NoSuchBucket:
		next = "create the bucket " + s.bucket + ", or correct the location of the store"
	case answer.StatusCode == http.StatusForbidden, answer.StatusCode == http.StatusUnauthorized:
		next = "check the credentials, that they permit this in " + s.String() + ", and the clock of this host"
		err = fmt.Errorf("%w: %w", fs.ErrPermission, err)
	case answer.StatusCode == http.StatusInsufficientStorage:
		next = "free space in the object store"
	}
	return errs.Advise(next, "%s %s: %w", what, s.full(name), err)
}
