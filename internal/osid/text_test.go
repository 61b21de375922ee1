package osid

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

func TestKeep(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		limit    int
		want     string
		cut      bool
	}{
		{"empty", "", 4, "", false},
		{"fits exactly", "abcd", 4, "abcd", false},
		{"one too many", "abcde", 4, "abcd", true},
		{"newline takes two", "ab\nc", 4, "ab\n", true},
		{"quote takes two", `"""`, 4, `""`, true},
		{"control takes six", "\x01\x01", 11, "\x01", true},
		{"two controls", "\x01\x01", 12, "\x01\x01", false},
		{"not within a character", "abé", 3, "ab", true},
		{"character fits", "abé", 4, "abé", false},
		{"four bytes", "😀", 3, "", true},
		{"invalid takes three", "\xff\xff", 6, "\ufffd\ufffd", false},
		{"invalid cut", "\xff\xff", 5, "\ufffd", true},
		{"torn character", "a\xe2\x82", 16, "a\ufffd\ufffd", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, cut := keep([]byte(tt.in), tt.limit)
			if got != tt.want || cut != tt.cut {
				t.Errorf("got %q, %v, want %q, %v", got, cut, tt.want, tt.cut)
			}
		})
	}
}

// FuzzKeep compares the count with a real encoder of canonical JSON.
func FuzzKeep(f *testing.F) {
	f.Add([]byte("ID=ubuntu\nNAME=\"Ubuntu\"\n"), 16)
	f.Add([]byte("\x00\x01\x1f\x7f\\\"\b\f\r\t\n\u2028\ufffd\xff"), 40)
	f.Fuzz(func(t *testing.T, in []byte, limit int) {
		if limit < 0 || limit > 1<<16 {
			return
		}
		got, cut := keep(in, limit)
		if !utf8.ValidString(got) {
			t.Fatalf("not UTF-8: %q", got)
		}
		quoted, err := jsontext.AppendQuote(nil, got)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(quoted) - 2; n > limit || n < limit-5 && cut {
			t.Fatalf("%d bytes in JSON, limit %d, cut %v", n, limit, cut)
		}
		if whole := strings.ToValidUTF8(string(in), "\ufffd"); !cut && bytes.Equal(in, []byte(whole)) && got != whole {
			t.Fatalf("got %q of %q, not cut", got, whole)
		}
	})
}
