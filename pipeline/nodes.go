package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// mapping reads a mapping with known keys and says which of the required ones are missing.
func (d *decoder) mapping(path string, n ast.Node, known fields, required ...string) {
	ok := d.pairs(path, n, "a mapping", func(key, p string, value ast.Node) {
		set, ok := known[key]
		if !ok {
			at := d.keys[p]
			d.findings = append(d.findings, Finding{d.file, at.line, at.column,
				fmt.Sprintf("unknown key %q%s", key, under(path)), didYouMean(key, slices.Sorted(maps.Keys(known)))})
			return
		}
		set(p, value)
	})
	for _, key := range required {
		if _, has := d.at[join(path, key)]; ok && !has {
			d.add(path, n, "", "missing key %q%s", key, under(path))
		}
	}
}

// pairs calls fn with each key of a mapping, in its order, and notes where the value stands. It is false where n is no
// mapping.
func (d *decoder) pairs(path string, n ast.Node, expected string, fn func(key, path string, value ast.Node)) bool {
	m, ok := d.resolve(n).(*ast.MappingNode)
	if !ok {
		d.wrongType(path, n, expected)
		return false
	}
	seen := map[string]bool{}
	for _, pair := range m.Values {
		key := keyText(pair.Key)
		p, at := join(path, key), placeOf(pair.Key)
		if seen[key] {
			d.findings = append(d.findings, Finding{d.file, at.line, at.column,
				fmt.Sprintf("key %q stands twice%s", key, under(path)), "keep one of them"})
			continue
		}
		seen[key] = true
		value := d.resolve(pair.Value)
		d.keys[p], d.at[p] = at, valuePlace(value, at)
		fn(key, p, value)
	}
	return true
}

func (d *decoder) list(path string, n ast.Node, fn func(path string, n ast.Node)) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.wrongType(path, n, "a list")
		return
	}
	for i, item := range seq.Values {
		p := join(path, strconv.Itoa(i))
		item = d.resolve(item)
		d.at[p] = valuePlace(item, d.at[path])
		fn(p, item)
	}
}

func (d *decoder) text(dst *string) setter {
	return func(path string, n ast.Node) {
		text, ok := scalarText(n)
		if !ok {
			d.wrongType(path, n, "a string")
			return
		}
		*dst = text
	}
}

// position takes a name, or the number of a field.
func (d *decoder) position(dst *string) setter {
	return func(path string, n ast.Node) {
		if i, ok := n.(*ast.IntegerNode); ok {
			*dst = i.Token.Value
			return
		}
		d.text(dst)(path, n)
	}
}

// texts reads a list of strings; an empty list is not nil.
func (d *decoder) texts(dst *[]string) setter {
	return func(path string, n ast.Node) {
		out := []string{}
		d.list(path, n, func(p string, n ast.Node) {
			var s string
			d.text(&s)(p, n)
			out = append(out, s)
		})
		*dst = out
	}
}

func (d *decoder) boolean(dst *bool) setter {
	return func(path string, n ast.Node) {
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.wrongType(path, n, "true or false")
			return
		}
		*dst = b.Value
	}
}

func (d *decoder) integer(dst *int) setter {
	return func(path string, n ast.Node) {
		i, ok := n.(*ast.IntegerNode)
		if !ok {
			d.wrongType(path, n, "a whole number")
			return
		}
		v, err := strconv.Atoi(fmt.Sprint(i.Value))
		if err != nil {
			d.add(path, n, "", "%s is %s: expected a whole number of at most 64 bits", path, i.Token.Value)
			return
		}
		*dst = v
	}
}

func (d *decoder) wrongType(path string, n ast.Node, expected string) {
	d.bad[path] = true
	hint := ""
	_, null := n.(*ast.NullNode)
	if _, scalar := n.(ast.ScalarNode); scalar && !null && expected == "a string" {
		hint = fmt.Sprintf("write %q", n.GetToken().Value)
	}
	what := path
	if what == "" {
		what = "the spec"
	}
	d.add(path, n, hint, "%s is %s: expected %s", what, describe(n), expected)
}

func (d *decoder) add(path string, n ast.Node, hint, format string, args ...any) {
	at := valuePlace(n, d.at[path])
	d.findings = append(d.findings, Finding{d.file, at.line, at.column, fmt.Sprintf(format, args...), hint})
}

// resolve looks through anchors, aliases and tags, and gives a lone pair its mapping.
func (d *decoder) resolve(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.AnchorNode:
		value := d.resolve(n.Value)
		d.anchors[n.Name.GetToken().Value] = value
		return value
	case *ast.AliasNode:
		if value, ok := d.anchors[n.Value.GetToken().Value]; ok {
			return value
		}
		return n
	case *ast.TagNode:
		return d.resolve(n.Value)
	case *ast.MappingValueNode:
		return &ast.MappingNode{BaseNode: n.BaseNode, Start: n.Start, Values: []*ast.MappingValueNode{n}}
	default:
		return n
	}
}

// scalarText is a string's value: quoted, plain or block.
func scalarText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	default:
		return "", false
	}
}

// keyText is a key as it is written: YAML would make more of null and true.
func keyText(k ast.MapKeyNode) string {
	if s, ok := k.(*ast.StringNode); ok {
		return s.Value
	}
	return k.GetToken().Value
}

func describe(n ast.Node) string {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		text, _ := scalarText(n)
		return fmt.Sprintf("the string %q", text)
	case *ast.BoolNode:
		return "the boolean " + n.Token.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "the number " + n.GetToken().Value
	case *ast.NullNode:
		return "empty"
	case *ast.AliasNode:
		return "the alias " + n.String() + ", whose anchor is not above it"
	default:
		return "something else"
	}
}

func placeOf(n ast.Node) place { return tokenPlace(n.GetToken()) }

func tokenPlace(t *token.Token) place { return place{t.Position.Line, t.Position.Column} }

// valuePlace is where a value starts. Block mappings know the place of their first colon only: their first key's is
// meant. What has no place of its own stands at its key.
func valuePlace(n ast.Node, key place) place {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return placeOf(n.Values[0].Key)
		}
	case *ast.NullNode, nil:
		return key
	}
	if n == nil || n.GetToken() == nil {
		return key
	}
	return placeOf(n)
}

func under(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func parentPath(path string) string { return path[:max(0, strings.LastIndexByte(path, '.'))] }
