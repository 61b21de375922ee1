package manifest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/autonomyops/edged/internal/digest"
)

// manifest reads the document whole.
func (r *reader) manifest() *Manifest {
	m := &Manifest{}
	var version, operations bool
	read := r.object("", func(name string) bool {
		switch name {
		case "version":
			version = true
			m.Version = r.version("/version")
		case "binary_path":
			m.BinaryPath = r.text("/binary_path")
		case "operations":
			operations = true
			m.Operations = r.operations("/operations")
		case "serial":
			m.Serial = r.whole("/serial")
		case "allow_rollback_from":
			m.AllowRollbackFrom = r.whole("/allow_rollback_from")
		case "not_after":
			m.NotAfter = r.time("/not_after")
		default:
			return false
		}
		return true
	})
	if read {
		r.missing("/version", version)
		r.missing("/operations", operations)
	}
	r.end()
	return m
}

func (r *reader) missing(where string, seen bool) {
	if !seen {
		r.add(where, "missing")
	}
}

func (r *reader) version(where string) string {
	s := r.text(where)
	if s != "1" && s != "" {
		r.add(where, "%q is not a version that this binary reads, want \"1\"", abbreviated(s))
	}
	return s
}

// time reads a time as strictly as RFC 3339 is: time.Parse also takes an hour
// of one digit, and a comma before the fraction.
func (r *reader) time(where string) *time.Time {
	s := r.text(where)
	if s == "" {
		return nil // reported already
	}
	const beforeMinutes = len("2006-01-02T15")
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || s[beforeMinutes] != ':' || strings.Contains(s, ",") {
		r.add(where, "%q is not a time as RFC 3339 writes it", abbreviated(s))
		return nil
	}
	return &t
}

func (r *reader) operations(where string) []Operation {
	if found := r.dec.PeekKind(); found != '[' {
		r.wrong(where, found, "an array")
		return nil
	}
	r.token()
	ops := []Operation{}
	n := 0
	for ; !r.broken && r.dec.PeekKind() != ']'; n++ {
		if n >= MaxOperations {
			r.skip()
			continue
		}
		ops = append(ops, r.operation(where+"/"+strconv.Itoa(n)))
	}
	r.token()
	if n > MaxOperations {
		r.add(where, "%d operations, the limit is %d", n, MaxOperations)
	}
	return ops
}

func (r *reader) operation(where string) Operation {
	var op Operation
	seen := map[string]bool{}
	read := r.object(where, func(name string) bool {
		at := where + "/" + name
		switch name {
		case "op":
			op.Op = r.kind(at)
		case "src":
			op.Src = r.text(at)
		case "dst":
			op.Dst = r.text(at)
		case "blake3":
			op.BLAKE3 = r.hash(at)
		case "mode":
			op.Mode = r.mode(at)
		default:
			return false
		}
		seen[name] = true
		return true
	})
	if read {
		for _, name := range []string{"op", "src", "dst"} {
			r.missing(where+"/"+name, seen[name])
		}
	}
	return op
}

func (r *reader) kind(where string) string {
	op := r.text(where)
	if op != "" && op != CopyBinary && op != InstallConfig {
		r.add(where, "%q is not an operation; there are %s and %s", abbreviated(op), CopyBinary, InstallConfig)
	}
	return op
}

func (r *reader) hash(where string) string {
	s := r.text(where)
	if s != "" && !digest.Valid(s) {
		r.add(where, "not 64 lower-case hex digits")
	}
	return s
}

func (r *reader) mode(where string) string {
	s := r.text(where)
	if s == "" {
		return s
	}
	if _, err := ParseMode(s); err != nil {
		r.add(where, "%v", err)
	}
	return s
}

// ParseMode reads permission bits as an octal string of three to five digits,
// such as "0750". setuid, setgid and sticky are refused; which permissions are
// wise is the signer's decision.
func ParseMode(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 8, 32)
	switch {
	case err != nil || len(s) < 3 || len(s) > 5:
		return 0, fmt.Errorf("%q is not an octal mode such as \"0750\"", abbreviated(s))
	case n&^0o777 != 0:
		return 0, fmt.Errorf("%q has setuid, setgid or sticky, or bits beyond: only permissions are allowed", s)
	}
	return uint32(n), nil
}
