package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/autonomyops/edged/internal/hub"
)

// The variables by which a reader proves to a hub who it is.
const (
	envHubToken = "EDGEHUB_TOKEN"
	envHubCA    = "EDGEHUB_CA"
	envHubCert  = "EDGEHUB_CERT"
	envHubKey   = "EDGEHUB_CERT_KEY"
)

// fetch returns path, or the file into which the journal at a hub that path names was
// copied. The file is removed when the command ends.
func (e *env) fetch(path string) (string, error) {
	remote, ok := hub.ParseRemote(path)
	switch {
	case !ok && strings.Contains(path, "://"):
		return "", fail("write it as https://HUB/edged/ID or s3://BUCKET/PREFIX/heads/ID", "%s names no journal at a hub", path)
	case !ok:
		return path, nil
	}
	dir, err := os.MkdirTemp("", "edgectl-*")
	if err != nil {
		return "", err
	}
	e.fetched = append(e.fetched, dir)
	f, err := os.Create(filepath.Join(dir, filepath.Base(path)+".jsonl"))
	if err != nil {
		return "", err
	}
	_, err = remote.Fetch(e.ctx, f, hub.Reader{Token: e.getenv(envHubToken), CA: e.getenv(envHubCA), Certificate: e.getenv(envHubCert), CertificateKey: e.getenv(envHubKey)})
	err = errors.Join(err, f.Close())
	switch {
	case errors.Is(err, hub.ErrUnknown):
		return "", fail("edgehub status --json lists the journals", "%w", err)
	case errors.Is(err, hub.ErrForgotten):
		return "", fail("edgehub verify --journal shows what the hub keeps of it", "%w", err)
	case errors.Is(err, hub.ErrRefused):
		return "", fail(fmt.Sprintf("set %s to an operator's token, or %s and %s to a client certificate", envHubToken, envHubCert, envHubKey), "%w", err)
	case err != nil:
		return "", fail(fmt.Sprintf("check the address; %s names the authority of the hub's certificate", envHubCA), "read %s: %w", path, err)
	}
	return f.Name(), nil
}

// removeFetched removes the files of fetch.
func (e *env) removeFetched() {
	for _, dir := range e.fetched {
		_ = os.RemoveAll(dir) // a copy that stays is below the folder for temporary files
	}
}
