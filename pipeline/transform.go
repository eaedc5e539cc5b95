package pipeline

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// ObjectContext is what records of one object have in common. With the record it decides all that a row is.
type ObjectContext struct {
	Job      contracts.JobID
	BaseTime time.Time // when the job was accepted: what now() gives
	Object   contracts.Object
}

// Result says what became of a record.
type Result uint8

// The results.
const (
	Rowed    Result = iota // a row was appended
	Filtered               // where said no
	Rejected               // it became no row, and the problem says why
)

// Transformer turns the records of one object into rows. It is not safe for concurrent use.
type Transformer struct {
	c         *Compiled
	ctx       ObjectContext
	objects   []objectColumn // beside c.columns; of use for fromObject
	partition int            // columns of the partition key
	nulls     bool           // a null is a value: nulls: delete
	scratch   []byte
	scope     *scope // nil where the pipeline has no expressions

	// Of the record under way.
	partitionEnd, keyEnd int   // in what is appended to
	time                 int64 // in microseconds; 0 where the pipeline has no event time
}

// objectColumn is a packed value that all records of an object share.
type objectColumn struct {
	packed  []byte
	problem *contracts.Problem
}

// Bind prepares for the records of one object.
func (c *Compiled) Bind(ctx ObjectContext) *Transformer {
	t := &Transformer{
		c: c, ctx: ctx, objects: make([]objectColumn, len(c.columns)), partition: c.table.Count(cql.PartitionKey),
		nulls: c.spec.Nulls == NullsDelete,
	}
	if c.expressions() {
		t.scope = newScope(c, ctx)
	}
	for i := range c.columns {
		if c.columns[i].origin == fromObject {
			o := &t.objects[i]
			o.packed, o.problem = t.column(nil, i, nil)
		}
	}
	return t
}

// Transform appends the record's packed row to dst. The row's values alias out from len(dst) on; its timestamp is 0, or
// under EventTime that of the record. Where the record becomes no row, out is dst as it was, and p says why it is
// rejected. The record must be readable: a record with a Problem is the caller's to reject.
func (t *Transformer) Transform(r *contracts.Record, dst []byte) (
	out []byte, row cql.Row, res Result, p *contracts.Problem,
) {
	if t.scope != nil {
		if res, p = t.scope.admit(r, t.c.where); res != Rowed {
			return dst, cql.Row{}, res, p
		}
	}
	base := len(dst)
	if out, p = t.columns(dst, r); p != nil {
		return out[:base], cql.Row{}, Rejected, p
	}
	row.Values, row.Timestamp = out[base:], t.time
	row.Partition, row.Key = t.partitionEnd-base, t.keyEnd-base
	return out, row, Rowed, nil
}

// columns packs the values, in the short way where it is open to them.
func (t *Transformer) columns(out []byte, r *contracts.Record) (_ []byte, p *contracts.Problem) {
	steps, fields := t.c.steps, r.Fields
	for i := range steps {
		s, start, size := &steps[i], len(out), 0
		if uint(s.input) < uint(len(fields)) {
			f := &fields[s.input]
			if cap(out)-start < len(f.Bytes)+cql.PackRoom {
				out = grow(out, len(f.Bytes)+cql.PackRoom)
			}
			size = s.pack[f.Kind&7](out[start:cap(out)], f.Bytes)
			out = out[:start+size]
		}
		if size == 0 {
			if out, p = t.other(out, i, r); p != nil {
				return out, p
			}
		}
		if s.noted {
			if p = t.note(i, len(out), out[start:]); p != nil {
				return out, p
			}
		}
	}
	return out, nil
}

// grow makes room for n bytes. It is rare, and stays out of the loop, whose registers it would take.
//
//go:noinline
func grow(out []byte, n int) []byte { return slices.Grow(out, n) }

// note keeps what the row says of a column beside its value: that the key or the event time is in it.
func (t *Transformer) note(i, end int, packed []byte) (p *contracts.Problem) {
	if i+1 == t.partition {
		t.partitionEnd = end
	}
	if i+1 == t.c.keys {
		t.keyEnd = end
	}
	if i == t.c.time {
		t.time, p = eventTime(packed, t.c.columns[i].name)
	}
	return p
}

// other packs what is no field, or has no short way.
func (t *Transformer) other(out []byte, i int, r *contracts.Record) ([]byte, *contracts.Problem) {
	switch t.c.columns[i].origin {
	case fromObject:
		return append(out, t.objects[i].packed...), t.objects[i].problem
	case fromOffset:
		t.scratch = strconv.AppendInt(t.scratch[:0], r.Offset, 10)
		out = slices.Grow(out, len(t.scratch)+cql.PackRoom)
		if size := t.c.steps[i].pack[contracts.Text](out[len(out):cap(out)], t.scratch); size > 0 {
			return out[:len(out)+size], nil
		}
	}
	return t.column(out, i, r)
}

// column packs one value: room for its length, the value, then the length.
func (t *Transformer) column(out []byte, i int, r *contracts.Record) ([]byte, *contracts.Problem) {
	col, start := &t.c.columns[i], len(out)
	out, kind, p := t.value(append(out, 0, 0, 0, 0), i, r)
	if p != nil {
		return out, p
	}
	if kind == contracts.Missing || kind == contracts.Null {
		switch {
		case col.key:
			return out, keyProblem(col.name, kind)
		case kind == contracts.Null && t.nulls:
			return cql.AppendNull(out[:start]), nil
		default:
			return cql.AppendUnset(out[:start]), nil
		}
	}
	if col.decimal {
		t.scratch = col.typ.AppendClusteringKey(t.scratch[:0], out[start+4:])
		out = append(out[:start+4], t.scratch...)
	}
	n := len(out) - start - 4
	switch {
	case n == 0 && col.alone:
		return out, &contracts.Problem{Rule: contracts.RuleKey, Column: col.name,
			Reason: "the partition key is empty: expected at least one byte"}
	case col.typ.Multi() && hollow(col.typ, out[start+4:]):
		return cql.AppendNull(out[:start]), nil
	}
	binary.BigEndian.PutUint32(out[start:], uint32(n))
	return out, nil
}

// eventTime is the write time that a packed timestamp stands for.
func eventTime(packed []byte, column string) (micros int64, p *contracts.Problem) {
	v, _ := cql.NextValue(packed)
	if v.Bytes == nil {
		return 0, &contracts.Problem{Rule: contracts.RuleKey, Column: column,
			Reason: "write.timestamp is null or missing: expected the record's event time"}
	}
	millis := int64(binary.BigEndian.Uint64(v.Bytes))
	if millis > math.MaxInt64/1000 || millis < -math.MaxInt64/1000 {
		return 0, &contracts.Problem{Rule: contracts.RuleRange, Column: column, Value: strconv.FormatInt(millis, 10),
			Reason: "event time is beyond what a write time can be: expected a year from -290308 to 294247"}
	}
	return 1000 * millis, nil
}

// hollow says that a value of many cells has none: to Cassandra an empty unfrozen collection is null.
func hollow(t cql.Type, value []byte) bool {
	if t.Kind != cql.UDT {
		return binary.BigEndian.Uint32(value) == 0
	}
	for len(value) > 0 {
		if int32(binary.BigEndian.Uint32(value)) >= 0 {
			return false
		}
		value = value[4:]
	}
	return true
}

func keyProblem(column string, kind contracts.FieldKind) *contracts.Problem {
	found := "null"
	if kind == contracts.Missing {
		found = "missing"
	}
	return &contracts.Problem{Rule: contracts.RuleKey, Column: column,
		Reason: "key column is " + found + ": expected a value"}
}

// value appends a value's bytes. The kind tells only whether there is one: Missing and Null append nothing.
func (t *Transformer) value(out []byte, i int, r *contracts.Record) (
	[]byte, contracts.FieldKind, *contracts.Problem,
) {
	col := &t.c.columns[i]
	switch col.origin {
	case fromOffset:
		t.scratch = strconv.AppendInt(t.scratch[:0], r.Offset, 10)
		out, p := col.appendField(out, contracts.Field{Kind: contracts.Text, Bytes: t.scratch})
		return out, contracts.Text, p
	case fromObject:
		value, ok := objectValue(col.meta, t.ctx.Object, t.ctx.Job)
		if !ok {
			return out, contracts.Null, nil
		}
		out, p := col.appendField(out, contracts.Field{Kind: contracts.Text, Bytes: []byte(value)})
		return out, contracts.Text, p
	case fromExpr:
		return t.scope.appendTo(out, col)
	default:
		f := r.Fields[col.input]
		if f.Kind == contracts.Missing || f.Kind == contracts.Null {
			return out, f.Kind, nil
		}
		out, p := col.appendField(out, f)
		return out, f.Kind, p
	}
}

// appendField appends a field that has a value.
func (col *column) appendField(out []byte, f contracts.Field) ([]byte, *contracts.Problem) {
	var p *cql.Problem
	switch {
	case col.layout != nil && (f.Kind == contracts.Text || f.Kind == contracts.Number):
		out, p = col.layout.Append(out, f.Bytes)
	case f.Kind == contracts.Text:
		out, p = col.typ.AppendText(out, f.Bytes)
	default:
		out, p = col.typ.AppendJSON(out, f.Kind, f.Bytes)
	}
	if p != nil {
		return out, col.problem(p, f.Bytes)
	}
	return out, nil
}

// problem gives a value's problem its column and value.
func (col *column) problem(p *cql.Problem, value []byte) *contracts.Problem {
	return &contracts.Problem{Rule: p.Rule, Column: col.name, Value: cut(string(value[:min(len(value), maxValue+1)])),
		Reason: p.Reason}
}

// maxValue bounds the value that a problem repeats, in bytes.
const maxValue = 256

// cut shortens text to what a problem may hold, at the start of a character.
func cut(s string) string {
	if len(s) <= maxValue {
		return s
	}
	end := maxValue
	for end > maxValue-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
