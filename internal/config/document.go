package config

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds on the shape of a document. The parser recurses per level of nesting
// and takes more than linear time in the number of keys, so both are judged on
// the tokens, before it runs: a Go stack that overflows cannot be recovered.
const (
	maxTokens = 10_000
	maxDepth  = 16 // of [ and {; the schema needs 3
)

// parseDocument returns the root of the only document in data, or nil after
// reporting why there is none.
func parseDocument(data []byte, r *report) (root ast.Node) {
	// The library is given bytes from outside; should it panic on some, the
	// boot ends with a message about the file, not with a stack trace.
	defer func() {
		if p := recover(); p != nil {
			r.add(0, 0, "", fmt.Sprintf("the YAML parser cannot read this document (%T); simplify it", p))
			root = nil
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if !checkTokens(tokens, r) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		addSyntax(r, err)
		return nil
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		r.add(1, 1, "", "the document is empty; deploy the node's config again")
		return nil
	}
	return file.Docs[0].Body
}

// addSyntax reports a parser's error by its message and place alone: its full
// text quotes the source, which holds a secret.
func addSyntax(r *report, err error) {
	var placed interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &placed) {
		r.add(0, 0, "", "is not YAML")
		return
	}
	line, col := place(placed.GetToken())
	r.add(line, col, "", "is not YAML: "+placed.GetMessage())
}

// place returns the line and column of a token; 0, 0 if they are not known.
func place(t *token.Token) (line, col int) {
	if t == nil || t.Position == nil {
		return 0, 0
	}
	return t.Position.Line, t.Position.Column
}

// refused returns the error for YAML that a config may not use.
func refused(t token.Type) string {
	switch t {
	case token.AnchorType:
		return "anchors (&name) are not allowed; write the value out"
	case token.AliasType:
		return "aliases (*name) are not allowed; write the value out"
	case token.MergeKeyType:
		return "merge keys (<<) are not allowed; write the keys out"
	case token.TagType:
		return "tags (!name) are not allowed; remove it, and put a string in quotes"
	case token.DirectiveType:
		return "directives (%NAME) are not allowed; remove the line"
	case token.MappingKeyType:
		return "complex keys (?) are not allowed; write key: value"
	default:
		return ""
	}
}

// checkTokens reports whether the parser can safely read the document.
func checkTokens(tokens token.Tokens, r *report) bool {
	before := len(r.problems)
	count, depth, entryLine, documents, content := 0, 0, 0, 0, false
	for _, t := range tokens {
		if t.Type == token.CommentType {
			continue
		}
		line, col := place(t)
		if count++; count > maxTokens {
			r.add(line, col, "", fmt.Sprintf("more than %d words and marks; this is not a config", maxTokens))
			return false
		}
		if msg := refused(t.Type); msg != "" {
			r.add(line, col, "", msg)
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			if depth++; depth > maxDepth {
				r.add(line, col, "", fmt.Sprintf("nested deeper than %d levels", maxDepth))
				return false
			}
		case token.MappingEndType, token.SequenceEndType:
			depth--
		case token.SequenceEntryType:
			if line == entryLine {
				r.add(line, col, "", "a list within a list has no place in a config")
				return false
			}
			entryLine = line
		case token.DocumentHeaderType, token.DocumentEndType:
			if t.Type == token.DocumentHeaderType && (content || documents > 0) {
				r.add(line, col, "", "a second YAML document begins; a config is one document: remove the ---")
				return false
			}
			documents++
			continue
		}
		content = true
	}
	return len(r.problems) == before
}
