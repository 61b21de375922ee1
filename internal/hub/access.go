package hub

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Scheme begins the URI in a node's certificate: urn:edged:node:<name>.
const Scheme = "urn:edged:node:"

// Access says who may write and who may read.
type Access struct {
	// Nodes holds the authorities of the nodes' certificates.
	Nodes *x509.CertPool
	// Operators holds those of the operators' certificates; nil if there are none.
	Operators *x509.CertPool
	// Tokens are the operators' bearer tokens.
	Tokens []string
	// Open lets anybody write: a name proves nothing then. Without Operators and Tokens
	// anybody may also read. It is for demonstrations.
	Open bool
}

// identity is who sends a request.
type identity struct {
	node     string // the name in a node's certificate, "" if there is none
	operator bool
}

// identify returns who sends a request. The error is a [*Refusal] that says what is wrong
// with the certificate or the token.
func (a *Access) identify(r *http.Request, now time.Time) (identity, error) {
	if token, given := bearer(r); given {
		if !a.knows(token) {
			return identity{}, refuse(http.StatusUnauthorized, "this bearer token is not known here")
		}
		return identity{operator: true}, nil
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return identity{operator: a.Open && a.Operators == nil && len(a.Tokens) == 0}, nil
	}
	certs := r.TLS.PeerCertificates
	nodeErr := verifyBy(a.Nodes, certs, now)
	if nodeErr == nil {
		name, err := nodeName(certs[0])
		return identity{node: name}, err
	}
	if a.Operators != nil && verifyBy(a.Operators, certs, now) == nil {
		return identity{operator: true}, nil
	}
	return identity{}, refuse(http.StatusForbidden, "the client certificate of %.80q is not valid here: %v", certs[0].Subject, nodeErr)
}

var errNoAuthority = errors.New("the hub has no authority for it")

func verifyBy(pool *x509.CertPool, certs []*x509.Certificate, now time.Time) error {
	if pool == nil {
		return errNoAuthority
	}
	between := x509.NewCertPool()
	for _, c := range certs[1:] {
		between.AddCert(c)
	}
	_, err := certs[0].Verify(x509.VerifyOptions{Roots: pool, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err
}

// nodeName returns the name of the node that a certificate is for.
func nodeName(c *x509.Certificate) (string, error) {
	if len(c.URIs) != 1 {
		return "", refuse(http.StatusForbidden, "the client certificate has %d URIs; a node's has one, %sNAME", len(c.URIs), Scheme)
	}
	name, ok := strings.CutPrefix(c.URIs[0].String(), Scheme)
	if !ok || name == "" {
		return "", refuse(http.StatusForbidden, "the URI in the client certificate is not %sNAME", Scheme)
	}
	return name, nil
}

// bearer returns the token of a request: a bearer token, or the password of a browser.
func bearer(r *http.Request) (token string, given bool) {
	if _, password, ok := r.BasicAuth(); ok {
		return password, true
	}
	return strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
}

func (a *Access) knows(token string) bool {
	known := 0
	sum := sha256.Sum256([]byte(token))
	for _, t := range a.Tokens {
		want := sha256.Sum256([]byte(t))
		known |= subtle.ConstantTimeCompare(sum[:], want[:])
	}
	return known == 1
}

// mayWrite returns the name of the node that ships, "" for any.
func (a *Access) mayWrite(r *http.Request, now time.Time) (node string, err error) {
	id, err := a.identify(r, now)
	switch {
	case err != nil:
		return "", err
	case id.node == "" && !a.Open:
		return "", refuse(http.StatusForbidden, "a node's client certificate is needed to ship")
	}
	return id.node, nil
}

// mayRead returns nil if the sender may read what is of a node; "" is all nodes.
func (a *Access) mayRead(r *http.Request, now time.Time, node string) error {
	id, err := a.identify(r, now)
	switch {
	case err != nil:
		return err
	case id.operator, node != "" && id.node == node:
		return nil
	case id.node != "":
		return refuse(http.StatusForbidden, "node %.80q may only read its own journal", id.node)
	}
	return refuse(http.StatusUnauthorized, "an operator's certificate or bearer token is needed to read")
}

// String describes who may write and read.
func (a *Access) String() string {
	switch {
	case a.Open && a.Operators == nil && len(a.Tokens) == 0:
		return "anybody may write under any name, and anybody may read what every node runs (--open-enrolment): for a demonstration only"
	case a.Open:
		return "anybody may write under any name (--open-enrolment): for a demonstration only"
	}
	return fmt.Sprintf("nodes ship with certificates of %s*; operators read", Scheme)
}
