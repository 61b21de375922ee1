package manifest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrMalformed: the bytes are not a manifest of version 1.
var ErrMalformed = errors.New("not a manifest of version 1")

// Problem is one thing wrong with a manifest. Where names its place as a JSON
// pointer, "" for the whole.
type Problem struct {
	Where  string
	Reason string
}

func (p Problem) String() string {
	if p.Where == "" {
		return p.Reason
	}
	return p.Where + ": " + p.Reason
}

// Parse reads a manifest strictly: unknown or duplicate members, trailing data
// and wrong types are errors. Every problem that can be told is in the error,
// which is ErrMalformed.
func Parse(data []byte) (*Manifest, error) {
	m, problems := parse(data)
	if len(problems) == 0 {
		return m, nil
	}
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.String()
	}
	return nil, fmt.Errorf("%w: %s", ErrMalformed, strings.Join(texts, "; "))
}

// Lint lists every problem of a manifest that does not need the disk to be seen.
func Lint(data []byte) []Problem {
	_, problems := parse(data)
	return problems
}

// document is the manifest with every member optional and numbers as written,
// so that all of its problems are found in one pass.
type document struct {
	Version           *string        `json:"version"`
	BinaryPath        *string        `json:"binary_path"`
	Operations        *[]operation   `json:"operations"`
	Serial            jsontext.Value `json:"serial"`
	AllowRollbackFrom jsontext.Value `json:"allow_rollback_from"`
	NotAfter          *string        `json:"not_after"`
}

type operation struct {
	Op     *string `json:"op"`
	Src    *string `json:"src"`
	Dst    *string `json:"dst"`
	BLAKE3 *string `json:"blake3"`
	Mode   *string `json:"mode"`
}

func parse(data []byte) (*Manifest, []Problem) {
	if len(data) > MaxBytes {
		return nil, []Problem{{"", fmt.Sprintf("%d bytes, the limit is %d", len(data), MaxBytes)}}
	}
	var doc document
	if err := json.Unmarshal(data, &doc, json.RejectUnknownMembers(true)); err != nil {
		return nil, []Problem{decodeProblem(err)}
	}
	if strings.TrimSpace(string(data)) == "null" {
		return nil, []Problem{{"", "null is no manifest"}}
	}
	var l linter
	m := &Manifest{BinaryPath: l.optional("/binary_path", doc.BinaryPath)}
	m.Version = l.required("/version", doc.Version)
	if doc.Version != nil && m.Version != "1" {
		l.add("/version", "%q is not a version that this binary reads, want \"1\"", m.Version)
	}
	m.Serial = l.whole("/serial", doc.Serial)
	m.AllowRollbackFrom = l.whole("/allow_rollback_from", doc.AllowRollbackFrom)
	if doc.NotAfter != nil {
		if t, err := time.Parse(time.RFC3339, *doc.NotAfter); err != nil {
			l.add("/not_after", "%q is not a time as RFC 3339 writes it", *doc.NotAfter)
		} else {
			m.NotAfter = &t
		}
	}
	if doc.Operations == nil {
		l.add("/operations", "missing")
		return m, l.problems
	}
	if n := len(*doc.Operations); n > MaxOperations {
		l.add("/operations", "%d operations, the limit is %d", n, MaxOperations)
		return m, l.problems
	}
	m.Operations = make([]Operation, 0, len(*doc.Operations))
	for i, op := range *doc.Operations {
		m.Operations = append(m.Operations, l.operation("/operations/"+strconv.Itoa(i), op))
	}
	return m, l.problems
}

// decodeProblem names the place of a syntax or type error.
func decodeProblem(err error) Problem {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return Problem{string(syntax.JSONPointer), fmt.Sprintf("at byte %d: %v", syntax.ByteOffset, syntax.Err)}
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		reason := fmt.Sprintf("at byte %d: a JSON %s does not belong here", semantic.ByteOffset, semantic.JSONKind)
		if errors.Is(err, json.ErrUnknownName) {
			reason = fmt.Sprintf("at byte %d: unknown member", semantic.ByteOffset)
		}
		return Problem{string(semantic.JSONPointer), reason}
	}
	return Problem{"", err.Error()}
}

type linter struct{ problems []Problem }

func (l *linter) add(where, format string, args ...any) {
	l.problems = append(l.problems, Problem{where, fmt.Sprintf(format, args...)})
}

func (l *linter) required(where string, s *string) string {
	if s == nil || *s == "" {
		l.add(where, "missing or empty")
		return ""
	}
	return *s
}

func (l *linter) optional(where string, s *string) string {
	if s == nil {
		return ""
	}
	return l.required(where, s)
}

func (l *linter) whole(where string, v jsontext.Value) *int64 {
	if v == nil || v.Kind() == 'n' {
		return nil
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || n < 0 || n > maxWhole {
		l.add(where, "%s is not a whole number from 0 to %d", abbreviated(string(v)), int64(maxWhole))
		return nil
	}
	return &n
}

func abbreviated(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

func (l *linter) operation(where string, op operation) Operation {
	out := Operation{
		Op: l.required(where+"/op", op.Op), Src: l.required(where+"/src", op.Src), Dst: l.required(where+"/dst", op.Dst),
		BLAKE3: l.optional(where+"/blake3", op.BLAKE3), Mode: l.optional(where+"/mode", op.Mode),
	}
	if out.Op != "" && out.Op != CopyBinary && out.Op != InstallConfig {
		l.add(where+"/op", "%q is not an operation; there are %s and %s", abbreviated(out.Op), CopyBinary, InstallConfig)
	}
	if out.BLAKE3 != "" {
		if raw, err := hex.DecodeString(out.BLAKE3); err != nil || len(raw) != 32 || strings.ToLower(out.BLAKE3) != out.BLAKE3 {
			l.add(where+"/blake3", "not 64 lower-case hex digits")
		}
	}
	if out.Mode != "" {
		if _, err := ParseMode(out.Mode); err != nil {
			l.add(where+"/mode", "%v", err)
		}
	}
	return out
}

// ParseMode reads permission bits as an octal string such as "0750". setuid,
// setgid and sticky are refused, and so is writing for everybody.
func ParseMode(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 8, 32)
	switch {
	case err != nil || len(s) < 3 || len(s) > 5:
		return 0, fmt.Errorf("%q is not an octal mode such as \"0750\"", abbreviated(s))
	case n > math.MaxUint16 || n&^0o777 != 0:
		return 0, fmt.Errorf("%q has setuid, setgid or sticky, or bits beyond: only permissions are allowed", s)
	case n&0o002 != 0:
		return 0, fmt.Errorf("%q is writable for everybody", s)
	}
	return uint32(n), nil
}
