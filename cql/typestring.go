package cql

import (
	"slices"
	"strconv"
	"strings"
)

// String writes the type in CQL's syntax; ParseType reads it back. frozen<> is written once, at the outermost frozen
// collection or user type, since it holds for all that is inside.
func (t Type) String() string {
	var b strings.Builder
	t.write(&b, false)
	return b.String()
}

func (t Type) write(b *strings.Builder, inFrozen bool) {
	frozen := t.Frozen && !inFrozen && t.Kind != Tuple && t.Kind != Vector && t.Kind >= List
	if frozen {
		b.WriteString("frozen<")
	}
	switch t.Kind {
	case Invalid:
		b.WriteString("invalid")
	case UDT:
		b.WriteString(udtName(t.Name))
	default:
		b.WriteString(kindNames[t.Kind])
		t.writeElems(b, inFrozen || t.Frozen)
	}
	if frozen {
		b.WriteByte('>')
	}
}

func (t Type) writeElems(b *strings.Builder, inFrozen bool) {
	if len(t.Elems) == 0 {
		return
	}
	sep := "<"
	for _, e := range t.Elems {
		b.WriteString(sep)
		e.write(b, inFrozen)
		sep = ", "
	}
	if t.Kind == Vector {
		b.WriteString(sep + strconv.Itoa(t.Dim))
	}
	b.WriteByte('>')
}

// udtName quotes a user type's name where it would read as another type.
func udtName(name string) string {
	if _, ok := builtins[name]; ok || name == "frozen" {
		return `"` + name + `"`
	}
	return Ident(name)
}

// Equal says that two types are the same, names and fields of user types included.
func (t Type) Equal(o Type) bool {
	return t.Kind == o.Kind && t.Frozen == o.Frozen && t.Name == o.Name && t.Dim == o.Dim &&
		slices.Equal(t.Fields, o.Fields) && slices.EqualFunc(t.Elems, o.Elems, Type.Equal)
}
