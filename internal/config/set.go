package config

import (
	"math"
	"strconv"
	"strings"
)

// A check returns what is wrong with a string, "" if nothing is.
type check func(string) string

// textOf returns a value's string, or why it has none.
func textOf(v value) (string, string) {
	switch v.kind {
	case kindPlain, kindQuoted:
		return v.text, ""
	case kindNull:
		return "", "has no value"
	case kindNumber, kindBool:
		return "", "must be text, and is " + v.describe() + "; put it in quotes"
	default:
		return "", "must be text on one line, and is " + v.describe()
	}
}

func text(dst *string, ok check) func(value) string {
	return func(v value) string {
		s, msg := textOf(v)
		if msg != "" {
			return msg
		}
		*dst = s
		return ok(s)
	}
}

// lower stores hex digits in lower case, as this software writes them.
func lower(dst *string, ok check) func(value) string {
	set := text(dst, ok)
	return func(v value) string {
		msg := set(v)
		*dst = strings.ToLower(*dst)
		return msg
	}
}

func secret(dst *Secret, ok check) func(value) string {
	return func(v value) string {
		s, msg := textOf(v)
		if msg != "" {
			return msg
		}
		dst.value = s
		return ok(s)
	}
}

func oneOf(dst *string, allowed ...string) func(value) string {
	return func(v value) string {
		s, msg := textOf(v)
		if msg != "" {
			return msg
		}
		for _, a := range allowed {
			if s == a {
				*dst = s
				return ""
			}
		}
		return "must be one of " + strings.Join(allowed, ", ") + "; found " + v.found()
	}
}

func schemaVersion(dst *string) func(value) string {
	return func(v value) string {
		s, msg := textOf(v)
		if msg != "" {
			return msg
		}
		if *dst = s; s == SchemaV1 {
			return ""
		}
		return "this version of edged reads schema " + SchemaV1 + "; found " + v.found() +
			": if the config is newer, install the edged that belongs to it"
	}
}

func boolean(dst *bool) func(value) string {
	return func(v value) string {
		if v.kind != kindBool {
			return "must be true or false, without quotes, and is " + v.describe()
		}
		*dst = v.text[0] == 't' || v.text[0] == 'T'
		return ""
	}
}

func count(dst *int, least int64) func(value) string {
	return func(v value) string {
		n, msg := whole(v, least, maxCount)
		*dst = int(n) // at most maxCount, which fits int everywhere
		return msg
	}
}

func bytesOf(dst *int64) func(value) string {
	return func(v value) string {
		n, msg := whole(v, 1, math.MaxInt64)
		*dst = n
		return msg
	}
}

// whole reads a whole number in plain decimal digits. YAML's other notations
// (010, 0x1f, 1_000, 1e3, 1.0) are refused: readers disagree about them, and
// this file has two readers.
func whole(v value, least, most int64) (int64, string) {
	switch v.kind {
	case kindNull:
		return 0, "has no value"
	case kindQuoted:
		return 0, "must be a whole number without quotes"
	case kindNumber, kindPlain:
	default:
		return 0, "must be a whole number, and is " + v.describe()
	}
	digits, negative := strings.CutPrefix(v.text, "-")
	switch {
	case !allDigits(digits) && (v.kind == kindNumber || numeric(v.text)):
		return 0, "must be a whole number in decimal digits; found " + v.found()
	case !allDigits(digits):
		return 0, "must be a whole number, and is text"
	case len(digits) > 1 && digits[0] == '0':
		return 0, "must be a whole number without leading zeros; found " + v.found()
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	switch {
	case negative && (err != nil || n < least), err == nil && n < least:
		return 0, "must be at least " + strconv.FormatInt(least, 10)
	case err != nil || n > most:
		return 0, "must be at most " + strconv.FormatInt(most, 10)
	}
	return n, ""
}

func fraction(dst *float64) func(value) string {
	const want = "must be a number above 0 and at most 1"
	return func(v value) string {
		switch v.kind {
		case kindNull:
			return "has no value"
		case kindQuoted:
			return want + ", without quotes"
		case kindNumber, kindPlain:
		default:
			return want + ", and is " + v.describe()
		}
		if !numeric(v.text) {
			return want
		}
		f, err := strconv.ParseFloat(v.text, 64)
		if err != nil || !(f > 0 && f <= 1) {
			return want + "; found " + v.found()
		}
		*dst = f
		return ""
	}
}

func names(dst *[]string, ok check) func(value) string {
	return func(v value) string {
		if v.kind != kindList {
			return "must be a list of names, and is " + v.describe()
		}
		if len(v.items) > maxNames {
			return "at most " + decimal(maxNames) + " names are read"
		}
		seen := map[string]bool{}
		for i, item := range v.items {
			s, msg := textOf(item)
			if msg == "" {
				msg = ok(s)
			}
			if msg == "" && seen[s] {
				msg = "is given twice"
			}
			if msg != "" {
				return "item " + decimal(i+1) + " " + msg
			}
			seen[s] = true
			*dst = append(*dst, s)
		}
		return ""
	}
}

// numeric reports whether s is a decimal number, with or without a fraction
// and an exponent. strconv alone would take inf, nan and hexadecimal too.
func numeric(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && !strings.ContainsRune("+-.eE", rune(c)) {
			return false
		}
	}
	_, err := strconv.ParseFloat(s, 64)
	numError, _ := err.(*strconv.NumError)
	return err == nil || numError != nil && numError.Err == strconv.ErrRange
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
