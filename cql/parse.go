package cql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/contracts"
)

const (
	maxTypeDepth = 16   // of nested type arguments; more is a mistake or an attack
	maxVectorDim = 8192 // Cassandra's own limit
)

// ParseType reads a type in CQL's syntax, such as map<text, frozen<address>>. Names of built-in types are
// case-insensitive. udts holds the user types by their stored name, which a quoted name must equal as written and any
// other in lower case. Errors are KindConfig and name the position (bytes, from 1), what was found and what fits there.
func ParseType(s string, udts map[string]Type) (Type, error) {
	p := parser{src: s, udts: udts}
	p.next()
	t, err := p.parse(0)
	if err == nil && p.token != "" {
		err = p.unexpected("the end of the type")
	}
	if err != nil {
		return Type{}, err
	}
	return t, nil
}

var builtins = func() map[string]Kind {
	m := map[string]Kind{"varchar": Text}
	for k, name := range kindNames {
		m[name] = k
	}
	return m
}()

// parser is a recursive descent over tokens: words, quoted names (with their quotes) and single signs.
type parser struct {
	src   string
	udts  map[string]Type
	token string // "" at the end
	start int    // of token
	pos   int    // behind token
	inner int    // depth of constructors that freeze what is inside
}

func (p *parser) next() {
	for p.pos < len(p.src) && strings.IndexByte(" \t\r\n", p.src[p.pos]) >= 0 {
		p.pos++
	}
	p.start = p.pos
	switch {
	case p.pos == len(p.src):
	case p.src[p.pos] == '"':
		p.pos = quotedEnd(p.src, p.pos)
	case isWord(p.src[p.pos]):
		for p.pos < len(p.src) && isWord(p.src[p.pos]) {
			p.pos++
		}
	default:
		p.pos++
	}
	p.token = p.src[p.start:p.pos]
}

// quotedEnd finds the position behind the closing quote of the name that opens at i; doubled quotes stand for one.
func quotedEnd(s string, i int) int {
	for i++; i < len(s); i++ {
		if s[i] != '"' {
			continue
		}
		if i+1 == len(s) || s[i+1] != '"' {
			return i + 1
		}
		i++
	}
	return len(s)
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (p *parser) errorf(at int, format string, args ...any) error {
	return contracts.Errorf(contracts.KindConfig, "type %q: position %d: %s", p.src, at+1, fmt.Sprintf(format, args...))
}

func (p *parser) unexpected(expected string) error {
	found := strconv.Quote(p.token)
	if p.token == "" {
		found = "the end"
	}
	return p.errorf(p.start, "found %s, expected %s", found, expected)
}

func (p *parser) expect(sign string) error {
	if p.token != sign {
		return p.unexpected(strconv.Quote(sign))
	}
	p.next()
	return nil
}

func (p *parser) parse(depth int) (Type, error) {
	if depth > maxTypeDepth {
		return Type{}, p.errorf(p.start, "nested deeper than %d", maxTypeDepth)
	}
	if p.token != "" && p.token[0] == '"' {
		return p.parseQuoted()
	}
	if p.token == "" || !isWord(p.token[0]) {
		return Type{}, p.unexpected("the name of a type")
	}
	name := strings.ToLower(p.token)
	if name == "frozen" {
		return p.parseFrozen(depth)
	}
	kind, ok := builtins[name]
	if !ok {
		return p.named(name)
	}
	p.next()
	switch kind {
	case List, Set, Map, Tuple:
		return p.parseElems(kind, depth)
	case Vector:
		return p.parseVector(depth)
	default:
		return Type{Kind: kind}, nil
	}
}

func (p *parser) parseQuoted() (Type, error) {
	n := len(p.token)
	if n < 3 || p.token[n-1] != '"' || quotedEnd(p.token, 0) != n {
		return Type{}, p.errorf(p.start, "found %s, expected a quoted name with its closing quote", p.token)
	}
	return p.named(strings.ReplaceAll(p.token[1:n-1], `""`, `"`))
}

// named looks a user type up, or says which types there are.
func (p *parser) named(name string) (Type, error) {
	if t, ok := p.udts[name]; ok {
		p.next()
		t.Kind, t.Name = UDT, name
		return t, nil
	}
	known := []string{"varchar", "frozen"}
	for _, n := range kindNames {
		known = append(known, n)
	}
	for n := range p.udts {
		known = append(known, udtName(n))
	}
	slices.Sort(known)
	hint := ""
	if n := nearest(name, known); n != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", n)
	}
	return Type{}, p.errorf(p.start, "unknown type %s%s: expected one of %s",
		p.token, hint, strings.Join(known, ", "))
}

func (p *parser) parseFrozen(depth int) (Type, error) {
	p.next()
	if err := p.expect("<"); err != nil {
		return Type{}, err
	}
	at := p.start
	p.inner++
	t, err := p.parse(depth + 1)
	p.inner--
	if err != nil {
		return Type{}, err
	}
	if t.Kind < List {
		return Type{}, p.errorf(at, "found frozen<%s>, expected a collection, tuple, vector or user type in frozen<>", t)
	}
	return t.freeze(), p.expect(">")
}

// parseElems reads <T> of list and set, <K, V> of map, <T, …> of tuple.
func (p *parser) parseElems(kind Kind, depth int) (Type, error) {
	t := Type{Kind: kind}
	if err := p.expect("<"); err != nil {
		return t, err
	}
	for {
		e, err := p.parseElem(kind, len(t.Elems), depth)
		if err != nil {
			return t, err
		}
		t.Elems = append(t.Elems, e)
		done := len(t.Elems) == arity(kind) || kind == Tuple && p.token != ","
		if done {
			break
		}
		if err := p.expect(","); err != nil {
			return t, err
		}
	}
	if kind == Tuple {
		t = t.freeze()
	}
	return t, p.expect(">")
}

func arity(kind Kind) int {
	switch kind {
	case Map:
		return 2
	case Tuple:
		return -1
	default:
		return 1
	}
}

// parseElem reads one type argument and refuses what Cassandra refuses there.
func (p *parser) parseElem(kind Kind, index, depth int) (Type, error) {
	at := p.start
	freezes := kind == Tuple || kind == Vector
	if freezes {
		p.inner++
		defer func() { p.inner-- }()
	}
	e, err := p.parse(depth + 1)
	switch {
	case err != nil:
		return e, err
	case e.Multi() && p.inner == 0:
		return e, p.errorf(at, "found %s inside %s, expected frozen<%s>", e, kindNames[kind], e)
	case e.Kind == Counter:
		return e, p.errorf(at, "found counter inside %s, expected another type (bigint?)", kindNames[kind])
	case (kind == Set || kind == Map && index == 0) && e.has(Duration):
		return e, p.errorf(at, "found %s as element of a set or key of a map, expected a type with an order", e)
	default:
		return e, nil
	}
}

func (p *parser) parseVector(depth int) (Type, error) {
	t := Type{Kind: Vector}
	if err := p.expect("<"); err != nil {
		return t, err
	}
	e, err := p.parseElem(Vector, 0, depth)
	if err != nil {
		return t, err
	}
	if err := p.expect(","); err != nil {
		return t, err
	}
	t.Elems = []Type{e}
	t.Dim, err = strconv.Atoi(p.token)
	if err != nil || t.Dim < 1 || t.Dim > maxVectorDim {
		return t, p.unexpected(fmt.Sprintf("the vector's dimension, 1 to %d", maxVectorDim))
	}
	p.next()
	return t.freeze(), p.expect(">")
}

// freeze marks t and all that is in it as frozen, and shares nothing with t.
func (t Type) freeze() Type {
	if t.Kind < List {
		return t
	}
	t.Frozen = true
	t.Elems = slices.Clone(t.Elems)
	for i, e := range t.Elems {
		t.Elems[i] = e.freeze()
	}
	return t
}

// has says that the type is of a kind or holds one.
func (t Type) has(k Kind) bool {
	return t.Kind == k || slices.ContainsFunc(t.Elems, func(e Type) bool { return e.has(k) })
}

// nearest finds the candidate with the fewest edits from name; "" where all differ in more than a third of it.
func nearest(name string, candidates []string) string {
	best, found := max(1, len(name)/3)+1, ""
	for _, c := range candidates {
		if d := distance(name, c); d < best {
			best, found = d, c
		}
	}
	return found
}

// distance counts the insertions, deletions, replacements and swaps of neighbours between two short names.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var rows [65][65]int
	for i := range len(a) + 1 {
		for j := range len(b) + 1 {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
			default:
				rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+differ(a[i-1], b[j-1]))
				if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
					rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
				}
			}
		}
	}
	return rows[len(a)][len(b)]
}

func differ(a, b byte) int {
	if a == b {
		return 0
	}
	return 1
}
