package bucket

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/autonomyops/edged/internal/errs"
)

// dialS3 returns the store at a location without a request to it.
func dialS3(ctx context.Context, location string) (*S3, error) {
	bucket, prefix, err := parseLocation(location)
	if err != nil {
		return nil, err
	}
	s := &S3{bucket: bucket, prefix: prefix, timeout: requestTimeout}
	host, opt, err := fromEnvironment()
	if err != nil {
		return nil, err
	}
	opt.MaxRetries = attempts
	if s.client, err = minio.New(host, opt); err == nil {
		opt.MaxRetries = 1
		s.once, err = minio.New(host, opt)
	}
	if err != nil {
		return nil, errs.Advise("correct AWS_ENDPOINT_URL", "open the store %s: %w", location, err)
	}
	return s, ctx.Err()
}

func parseLocation(location string) (bucket, prefix string, err error) {
	bucket, prefix, _ = strings.Cut(strings.TrimPrefix(location, s3Scheme), "/")
	prefix = strings.TrimSuffix(prefix, "/")
	valid := isS3(location) && regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`).MatchString(bucket) && len(prefix) <= 256
	if prefix != "" {
		for element := range strings.SplitSeq(prefix, "/") {
			valid = valid && element != "." && element != ".." && regexp.MustCompile(`^[A-Za-z0-9._-]+$`).MatchString(element)
		}
		prefix += "/"
	}
	if !valid {
		return "", "", errs.Advise("write it as s3://BUCKET/PREFIX; a prefix has letters, digits, '.', '_', '-' and slashes", "the location %q of the store", location)
	}
	return bucket, prefix, nil
}

// fromEnvironment returns the endpoint and the options for it. minio-go knows the
// endpoints of AWS: without AWS_ENDPOINT_URL it finds that of the region.
func fromEnvironment() (host string, opt *minio.Options, err error) {
	first := func(names ...string) string {
		for _, name := range names {
			if v := os.Getenv(name); v != "" {
				return v
			}
		}
		return ""
	}
	opt = &minio.Options{Secure: true, Region: first("AWS_REGION", "AWS_DEFAULT_REGION")}
	host = "s3.amazonaws.com"
	if endpoint := first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"); endpoint != "" {
		u, err := url.Parse(endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "" {
			return "", nil, errs.Advise("write it as https://HOST or https://HOST:PORT", "AWS_ENDPOINT_URL is %q", endpoint)
		}
		host, opt.Secure = u.Host, u.Scheme == "https"
		if opt.Region == "" {
			opt.Region = "us-east-1" // otherwise minio-go asks for it, which needs a right of its own
		}
	}
	transport, err := minio.DefaultTransport(opt.Secure)
	if err != nil {
		return "", nil, err
	}
	transport.MaxIdleConnsPerHost = 64 // one for each of a hub's requests at work
	if bundle := os.Getenv("AWS_CA_BUNDLE"); bundle != "" && opt.Secure {
		if transport.TLSClientConfig, err = trusting(bundle); err != nil {
			return "", nil, errs.Advise("name a file of PEM certificates", "AWS_CA_BUNDLE: %w", err)
		}
	}
	opt.Transport = transport
	opt.Creds, err = findCredentials(transport)
	return host, opt, err
}

func trusting(bundle string) (*tls.Config, error) {
	pem, err := os.ReadFile(bundle)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New(bundle + " holds no certificate")
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, nil
}

// findCredentials looks in the environment, in the shared credentials file, and at the
// metadata service of the machine, and says so if none has any: a request without
// credentials would only be refused.
func findCredentials(transport http.RoundTripper) (*credentials.Credentials, error) {
	creds := credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Client: &http.Client{Timeout: 5 * time.Second}},
	})
	found, err := creds.GetWithContext(&credentials.CredContext{Client: &http.Client{Transport: transport, Timeout: 5 * time.Second}})
	if err != nil || found.AccessKeyID == "" {
		return nil, errs.Advise("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them to ~/.aws/credentials",
			"there are no credentials for the object store: neither in the environment, nor in the shared credentials file, nor at a metadata service")
	}
	return creds, nil
}
