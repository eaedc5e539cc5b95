package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
)

// What one run of an expression may take. They keep a record of the greatest size from filling memory or holding its
// chunk for minutes; sensible expressions stay orders of magnitude below.
const (
	maxNodes  = 1_000     // of an expression's syntax tree
	maxMemory = 1_000_000 // elements of lists and maps
	maxSteps  = 1_000_000 // rounds of map, filter and the like
	maxText   = 16 << 20  // bytes of a text that + or a function makes
)

// program is a compiled expression. It reads its fields from a map under prefixed names, so that a field may be called
// as a function is: date(date).
type program struct {
	vm     *vm.Program
	source string
	column string // "" for where
	index  int    // of the column in the spec; -1 for where
	fields []exprField
}

// exprField is a field that an expression reads.
type exprField struct {
	variable string // in the map
	name     string // in the record
	input    int
}

const (
	fieldPrefix = "field." // no name in an expression has a dot
	contextName = "context."
)

// program compiles the expression at path; nil with findings where it cannot.
func (c *compiler) program(path, column, source string, index int) *program {
	tree, err := parser.Parse(source)
	if err != nil {
		c.exprFinding(path, err)
		return nil
	}
	p := &program{source: source, column: column, index: index}
	env := types.Map{contextName: types.Any}
	for _, name := range fieldNames(tree.Node) {
		input, ok := c.exprInput(path, name)
		if !ok {
			return nil
		}
		p.fields = append(p.fields, exprField{fieldPrefix + name, name, input})
		env[fieldPrefix+name] = types.Any
	}
	g := &guard{survey: newSurvey()}
	options := append(exprOptions(env), expr.Patch(&g.survey), expr.Patch(g))
	p.vm, err = expr.Compile(source, options...)
	if err = cmp.Or(g.err, err); err != nil {
		c.exprFinding(path, err)
		return nil
	}
	if kind := p.vm.Node().Type().Kind(); index < 0 && kind != reflect.Bool && kind != reflect.Interface {
		c.add(path, "", "where gives a %s: expected true or false", kind)
	}
	return p
}

// exprInput finds the source field that a name in an expression stands for.
func (c *compiler) exprInput(path, name string) (int, bool) {
	switch {
	case c.spec.positional():
		digits, ok := strings.CutPrefix(name, "f")
		if !ok || !isPosition(digits) {
			c.add(path, "f0 is the first field", "unknown name %q: without a header, fields are f0, f1 and so on", name)
			return 0, false
		}
		name = digits
	case c.spec.Source.Name == "text" && !slices.Contains(c.spec.textFields(), name):
		c.add(path, didYouMean(name, c.spec.textFields()), "unknown name %q: it is no field of source.text", name)
		return 0, false
	}
	return c.input(name), true
}

func (c *compiler) exprFinding(path string, err error) {
	message, hint := firstWords(err), ""
	var fe *file.Error
	if errors.As(err, &fe) {
		message = fmt.Sprintf("%s (character %d of the expression)", fe.Message, fe.From+1)
		if name, ok := strings.CutPrefix(fe.Message, "unknown name "); ok {
			hint = didYouMean(name, functionNames())
		}
	}
	c.add(path, hint, "%s: %s", exprNoun(path), message)
}

func exprNoun(path string) string {
	if path == "where" {
		return "where"
	}
	return "expr"
}

func functionNames() []string {
	names := slices.Clone(builtin.Names)
	for name := range functions {
		if !strings.Contains(name, ".") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// survey learns what a tree's identifiers are before any is changed: names of functions, variables, or fields.
type survey struct {
	callees   map[ast.Node]bool
	variables map[string]bool
	members   map[ast.Node]bool // $env, where it names a field
}

func newSurvey() survey {
	return survey{callees: map[ast.Node]bool{}, variables: map[string]bool{}, members: map[ast.Node]bool{}}
}

// Visit notes one node.
func (s *survey) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.CallNode:
		s.callees[n.Callee] = true
	case *ast.VariableDeclaratorNode:
		s.variables[n.Name] = true
	case *ast.MemberNode:
		if _, ok := s.field(n); ok {
			s.members[n.Node] = true
		}
	}
}

// field is the name of the record's field that a node reads: name, or $env["any name"].
func (s *survey) field(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return n.Value, n.Value != "$env" && !s.callees[n] && !s.variables[n.Value]
	case *ast.MemberNode:
		id, ok := n.Node.(*ast.IdentifierNode)
		name, constant := n.Property.(*ast.StringNode)
		if ok && constant && id.Value == "$env" {
			return name.Value, true
		}
	}
	return "", false
}

// fieldNames lists the fields that an expression reads, each once, in their order.
func fieldNames(tree ast.Node) []string {
	c := &collector{survey: newSurvey()}
	ast.Walk(&tree, &c.survey)
	ast.Walk(&tree, c)
	return c.names
}

type collector struct {
	survey
	names []string
}

// Visit notes the field that a node reads.
func (c *collector) Visit(node *ast.Node) {
	if name, ok := c.field(*node); ok && !slices.Contains(c.names, name) {
		c.names = append(c.names, name)
	}
}
