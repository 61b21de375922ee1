// Package docs holds what is written for people, and the verifier that an
// auditor takes from here: an audit bundle holds the same file.
package docs

import _ "embed"

// Verifier is verify.py.
//
//go:embed verify.py
var Verifier []byte
