package bucket

import (
	"context"
	"time"
)

// DialS3 opens a store without a probe. Each of its requests has a timeout.
func DialS3(ctx context.Context, location string, timeout time.Duration) (*S3, error) {
	s, err := dialS3(ctx, location)
	if err == nil {
		s.timeout = timeout
	}
	return s, err
}
