package config

import (
	"strconv"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// kind is the written form of a value.
type kind int

const (
	kindOther  kind = iota // a mapping, a block scalar, something unheard of
	kindNull               // nothing, ~ or null
	kindBool               // true, false
	kindNumber             // a plain number of any notation
	kindPlain              // a string without quotes
	kindQuoted             // a string in quotes
	kindList
)

// value is one scalar or list with its place.
type value struct {
	kind      kind
	text      string
	items     []value // of a list
	line, col int
	node      ast.Node
}

func valueOf(n ast.Node) value {
	if n == nil {
		return value{kind: kindNull}
	}
	v := value{node: n}
	t := n.GetToken()
	v.line, v.col = place(t)
	switch n := n.(type) {
	case *ast.SequenceNode:
		v.kind = kindList
		for _, item := range n.Values {
			v.items = append(v.items, valueOf(item))
		}
		return v
	case *ast.MappingNode, *ast.MappingValueNode, *ast.LiteralNode:
		return v
	}
	if t == nil {
		return v
	}
	v.text = t.Value
	switch t.Type {
	case token.NullType, token.ImplicitNullType:
		v.kind = kindNull
	case token.BoolType:
		v.kind = kindBool
	case token.IntegerType, token.BinaryIntegerType, token.OctetIntegerType, token.HexIntegerType,
		token.FloatType, token.InfinityType, token.NanType:
		v.kind = kindNumber
	case token.StringType:
		v.kind = kindPlain
	case token.SingleQuoteType, token.DoubleQuoteType:
		v.kind = kindQuoted
	}
	return v
}

func isNull(n ast.Node) bool { return valueOf(n).kind == kindNull }

// describe returns the kind of a node, for messages.
func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a section of keys"
	case *ast.LiteralNode:
		return "a block of text"
	}
	switch valueOf(n).kind {
	case kindNull:
		return "empty"
	case kindBool:
		return "true or false"
	case kindNumber:
		return "a number"
	case kindPlain, kindQuoted:
		return "text"
	case kindList:
		return "a list"
	default:
		return "something else"
	}
}

func (v value) describe() string {
	if v.node == nil {
		return "empty"
	}
	return describe(v.node)
}

// found quotes a short value in a message, and omits a long one, which may
// be a secret in the wrong place.
func (v value) found() string {
	if len(v.text) > 24 {
		return "something longer"
	}
	return strconv.Quote(v.text)
}

func decimal(n int) string { return strconv.Itoa(n) }
