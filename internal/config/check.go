package config

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Lengths, in bytes.
const (
	maxPath     = 4095 // PATH_MAX without its terminator
	maxDomainID = 128
	minSalt     = 64
	maxSalt     = 4096
	maxName     = 64 // identifiers and names of filesystems
	maxNames    = 64 // in one list
	hashDigits  = 64
)

// orEmpty also accepts "", the written form of "not set".
func orEmpty(ok check) check {
	return func(s string) string {
		if s == "" {
			return ""
		}
		return ok(s)
	}
}

func notEmpty(s string) string {
	switch {
	case s == "":
		return "must not be empty"
	case len(s) > maxPath:
		return "must be at most " + decimal(maxPath) + " bytes long"
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "must not hold control characters"
	}
	return ""
}

func absolute(s string) string {
	if msg := notEmpty(s); msg != "" {
		return msg
	}
	if s[0] != '/' {
		return "must be an absolute path, beginning with /"
	}
	return ""
}

// CheckDomainID checks a node's name (identity.edge_domain_id).
func CheckDomainID(s string) error {
	if msg := domainID(s); msg != "" {
		return errors.New(msg)
	}
	return nil
}

func domainID(s string) string {
	const want = "must be 1 to 128 of A-Z a-z 0-9 . _ -"
	if s == "" || len(s) > maxDomainID || !only(s, "._-") {
		return want
	}
	return ""
}

// salt reports only the length of the value, never its content.
func salt(s string) string {
	switch {
	case !isHex(s):
		return "must be hexadecimal digits"
	case len(s) < minSalt:
		return "must have at least " + decimal(minSalt) + " hexadecimal digits; has " + decimal(len(s))
	case len(s) > maxSalt:
		return "must have at most " + decimal(maxSalt) + " hexadecimal digits"
	case len(s)%2 != 0:
		return "must have an even number of hexadecimal digits; has " + decimal(len(s))
	}
	return ""
}

func identifier(s string) string {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return "must be a name of a-z 0-9 _"
		}
	}
	if s == "" || len(s) > maxName {
		return "must be a name of 1 to " + decimal(maxName) + " characters of a-z 0-9 _"
	}
	return ""
}

// filesystem takes names as /proc/filesystems and mountinfo write them.
func filesystem(s string) string {
	if s == "" || len(s) > maxName || !only(s, "._-") {
		return "must be the name of a filesystem as in /proc/filesystems"
	}
	return ""
}

func uuidText(s string) string {
	const want = "must be a UUID such as 01234567-89ab-4cde-8f01-23456789abcd, or empty"
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return want
	}
	if digits := strings.ReplaceAll(s, "-", ""); len(digits) != 32 || !isHex(digits) {
		return want
	}
	return ""
}

func hash(s string) string {
	if len(s) != hashDigits || !isHex(s) {
		return "must be 64 hexadecimal digits (a BLAKE3 hash), or empty"
	}
	return ""
}

func hostPort(s string) string {
	const want = "must be host:port, :port or [ipv6]:port, with a port from 0 to 65535"
	host, port, err := net.SplitHostPort(s)
	if err != nil || !allDigits(port) || len(port) > 5 {
		return want
	}
	if n, _ := strconv.Atoi(port); n > 65535 {
		return want
	}
	if strings.Contains(host, ":") {
		if _, err := netip.ParseAddr(host); err != nil {
			return want
		}
		return ""
	}
	if len(host) > 253 || !only(host, "._-") {
		return want
	}
	return ""
}

// only reports whether s has nothing but letters, digits and the bytes of also.
func only(s, also string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && !strings.ContainsRune(also, rune(s[i])) {
			return false
		}
	}
	return true
}

func isHex(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}
