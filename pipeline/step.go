package pipeline

import (
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// step is the short way of a column: what packs a field as most files have it, chosen once for the pipeline. The long
// way is Transformer.column, which tells what any record becomes and why. A step never differs from it: it packs the
// same bytes or gives up.
type step struct {
	input int           // -1: the value is no field
	pack  [8]cql.Packer // by the field's kind; packNothing where only the long way will do
	noted bool          // see Transformer.note
}

// chooseSteps finds the short ways of all columns.
func (c *Compiled) chooseSteps() []step {
	out, partition := make([]step, len(c.columns)), c.table.Count(cql.PartitionKey)
	for i := range c.columns {
		out[i] = c.columns[i].step(c.spec.Nulls == NullsDelete)
		out[i].noted = i+1 == partition || i+1 == c.keys || i == c.time
	}
	return out
}

// step finds the short way of a column. deletes says that null is a value.
func (col *column) step(deletes bool) step {
	s := step{input: -1}
	for kind := range s.pack {
		s.pack[kind] = packNothing
	}
	if col.origin == fromField {
		s.input = col.input
	}
	if !col.key {
		s.pack[contracts.Missing], s.pack[contracts.Null] = cql.PackUnset, cql.PackUnset
		if deletes {
			s.pack[contracts.Null] = cql.PackNull
		}
	}
	for kind := contracts.Text; kind <= contracts.JSON; kind++ {
		if pack := col.packer(kind); pack != nil {
			s.pack[kind] = pack
		}
	}
	return s
}

func (col *column) packer(kind contracts.FieldKind) cql.Packer {
	pack := col.typ.Packer(kind)
	if col.layout != nil && (kind == contracts.Text || kind == contracts.Number) {
		pack = col.layout.Packer()
	}
	if col.alone && pack != nil {
		return filled(pack)
	}
	return pack
}

func packNothing(_, _ []byte) int { return 0 }

// filled leaves empty values to the long way.
func filled(pack cql.Packer) cql.Packer {
	return func(room, text []byte) int {
		if len(text) == 0 {
			return 0
		}
		return pack(room, text)
	}
}
