package tlscert

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// Types of PEM blocks.
const (
	pemCertificate = "CERTIFICATE"
	pemPKCS8       = "PRIVATE KEY"
	pemEC          = "EC PRIVATE KEY"
	pemRSA         = "RSA PRIVATE KEY"
	pemEncrypted   = "ENCRYPTED PRIVATE KEY"
)

const (
	pemBegin      = "-----BEGIN "
	pemEnd        = "-----END "
	byteOrderMark = "\uFEFF"
)

// maxListed is the largest number of items in one message.
const maxListed = 4

// block is a PEM block and its place in a file.
type block struct {
	*pem.Block
	from, to int // the file's bytes from BEGIN up to the line after END
}

// blocks returns the PEM blocks of a file that TLS libraries read.
func blocks(data []byte) []block {
	var list []block
	for at := 0; ; {
		b, rest := pem.Decode(data[at:])
		if b == nil {
			return list
		}
		to := len(data) - len(rest)
		list = append(list, block{b, at + bytes.LastIndex(data[at:to], []byte(pemBegin)), to})
		at = to
	}
}

// isKey reports whether b is a private key of any form.
func (b block) isKey() bool { return b.Type == pemPKCS8 || strings.HasSuffix(b.Type, " "+pemPKCS8) }

// edit is a change of a file: block is replaced by text.
type edit struct {
	block block
	text  []byte
}

// splice returns data with the edits made and every other byte kept.
func splice(data []byte, edits ...edit) []byte {
	slices.SortFunc(edits, func(a, b edit) int { return a.block.from - b.block.from })
	var out []byte
	at := 0
	for _, e := range edits {
		out = append(append(out, data[at:e.block.from]...), e.text...)
		at = e.block.to
	}
	return append(out, data[at:]...)
}

// unread describes text that looks like a PEM block to a person but not to a TLS library, with
// its line. Text that only mentions a block, as in a comment, is not reported.
func unread(data []byte, list []block) []string {
	var found []string
	if inUTF16(data) {
		found = append(found, "text in UTF-16")
	}
	for at := 0; ; {
		i := bytes.Index(data[at:], []byte(pemBegin))
		if i < 0 {
			return bounded(found)
		}
		i += at
		at = i + len(pemBegin)
		if len(found) > maxListed || slices.ContainsFunc(list, func(b block) bool { return b.from == i }) {
			continue
		}
		before := string(data[bytes.LastIndexByte(data[:i], '\n')+1 : i])
		if why := whyUnread(before); why != "" {
			found = append(found, fmt.Sprintf("%s in line %d", why, 1+bytes.Count(data[:i], []byte("\n"))))
		}
	}
}

// whyUnread returns why a BEGIN that follows before in its line is not read, "" if the line only
// mentions it.
func whyUnread(before string) string {
	text, mark := strings.CutPrefix(before, byteOrderMark)
	switch {
	case before == "":
		return "a block that is cut short or damaged"
	case strings.TrimSpace(text) != "":
		if strings.Contains(text, pemEnd) {
			return "END and BEGIN joined"
		}
		return ""
	case mark:
		return "a byte-order mark before BEGIN"
	}
	return "an indented BEGIN"
}

// inUTF16 reports whether data holds a PEM block in UTF-16 of either byte order.
func inUTF16(data []byte) bool {
	var little, big []byte
	for _, u := range utf16.Encode([]rune(pemBegin)) {
		little = append(little, byte(u), byte(u>>8))
		big = append(big, byte(u>>8), byte(u))
	}
	return bytes.Contains(data, little) || bytes.Contains(data, big)
}

// describe returns what a file without the wanted PEM block holds.
func describe(data []byte, list []block) string {
	switch {
	case len(data) == 0:
		return "it is empty"
	case data[0] == 0x30 && len(list) == 0:
		return "it looks like DER (binary)"
	}
	var found []string
	for _, b := range list {
		if t := fmt.Sprintf("a PEM block of type %q", shortType(b.Type)); !slices.Contains(found, t) {
			found = append(found, t)
		}
	}
	if found = append(bounded(found), unread(data, list)...); len(found) == 0 {
		return "it holds no PEM block"
	}
	return "it holds " + strings.Join(found, ", ")
}

// bounded limits a list that comes from a file.
func bounded(found []string) []string {
	if len(found) > maxListed {
		return append(found[:maxListed:maxListed], "and more")
	}
	return found
}

// shortType limits the length of a block type, which comes from the file.
func shortType(s string) string { return s[:min(len(s), 32)] }
