package pipeline

import (
	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
)

// guard rewrites a checked tree so that it can do nothing but compute: fields get their prefixes, functions that need
// the record get it, arithmetic is checked, loops are counted, and what depends on the machine is refused.
type guard struct {
	survey
	err error // the first refusal
}

func exprOptions(env types.Map) []expr.Option {
	options := []expr.Option{expr.Env(env), expr.MaxNodes(maxNodes)}
	for name, f := range functions {
		options = append(options, expr.Function(name, f.call, f.types...))
	}
	return options
}

// Visit rewrites one node, after those below it.
func (g *guard) Visit(node *ast.Node) {
	if name, ok := g.field(*node); ok {
		g.replace(node, &ast.IdentifierNode{Value: fieldPrefix + name})
		return
	}
	switch n := (*node).(type) {
	case *ast.MemberNode:
		g.member(node, n)
	case *ast.CallNode:
		g.call(n)
	case *ast.BuiltinNode:
		g.builtin(node, n)
	case *ast.PredicateNode:
		n.Node = &ast.SequenceNode{Nodes: []ast.Node{call("step.", &ast.IdentifierNode{Value: contextName}), n.Node}}
	case *ast.BinaryNode:
		g.arithmetic(node, n)
	case *ast.IdentifierNode:
		if n.Value == "$env" && !g.members[n] {
			g.refuse(n, `$env stands for the record only as $env["name"]`)
		}
	}
}

// member lets data through, and methods by their constant names: a computed name could be that of any method.
func (g *guard) member(node *ast.Node, n *ast.MemberNode) {
	switch p := n.Property.(type) {
	case *ast.IntegerNode:
	case *ast.StringNode:
		if p.Value == "Local" {
			g.refuse(n, "Local is the time zone of the machine, and a replay may run on another: "+
				`use In(timezone("Europe/Berlin")); a field of this name can be read with from`)
		}
	default:
		g.replace(node, call("element.", n.Node, n.Property))
	}
}

// call hands the record to the functions that need it.
func (g *guard) call(n *ast.CallNode) {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || !functions[id.Value].context {
		return
	}
	if len(n.Arguments) > 0 {
		g.refuse(n, id.Value+"() takes no arguments")
		return
	}
	n.Callee = &ast.IdentifierNode{Value: id.Value + "."}
	n.Arguments = []ast.Node{&ast.IdentifierNode{Value: contextName}}
}

func (g *guard) builtin(node *ast.Node, n *ast.BuiltinNode) {
	switch n.Name {
	case "get":
		if len(n.Arguments) == 2 {
			g.replace(node, call("get.", n.Arguments...))
		}
	case "sum":
		list := n.Arguments[0]
		if len(n.Arguments) == 2 {
			list = &ast.BuiltinNode{Name: "map", Arguments: n.Arguments}
		}
		g.replace(node, call("sum.", list))
	}
}

// arithmetic replaces the operators that would wrap around beyond 64 bits, or make a text of any size. Operands whose
// types are known to be floats or times cannot do either.
func (g *guard) arithmetic(node *ast.Node, n *ast.BinaryNode) {
	names, ok := checkedOperators[n.Operator]
	if !ok {
		return
	}
	left, right := n.Left.Type().String(), n.Right.Type().String()
	switch {
	case left == "int" && right == "int":
		g.replace(node, call(names.ints, n.Left, n.Right))
	case left == "string" && right == "string":
		g.replace(node, call(names.texts, n.Left, n.Right))
	case left == "interface {}" || right == "interface {}":
		g.replace(node, call(names.any, n.Left, n.Right))
	}
}

// replace puts a node in another's place, with its position and its type, which nodes above it look at.
func (g *guard) replace(node *ast.Node, with ast.Node) {
	with.SetNature(*(*node).Nature())
	ast.Patch(node, with)
}

func (g *guard) refuse(n ast.Node, message string) {
	if g.err == nil {
		g.err = &file.Error{Location: n.Location(), Message: message}
	}
}

func call(name string, args ...ast.Node) ast.Node {
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: args}
}
