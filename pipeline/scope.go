package pipeline

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/penstock-io/penstock/contracts"
)

// scope is where the expressions of one record run. Fields are decoded once a record, when one first needs them.
type scope struct {
	vm      vm.VM
	fields  map[string]any
	decoded []uint64 // for each input, the record for which it is in fields
	serial  uint64   // of the record, from 1
	record  *contracts.Record
	now     time.Time
	seed    []byte // of uuid(): the object
	index   int    // of the column being made; -1 for where
	steps   int
	scratch []byte // a result as text
}

func newScope(c *Compiled, ctx ObjectContext) *scope {
	o := ctx.Object
	s := &scope{
		vm: vm.VM{MemoryBudget: maxMemory}, fields: map[string]any{}, decoded: make([]uint64, len(c.inputs)),
		now:  ctx.BaseTime.UTC().Round(0),
		seed: []byte(strings.Join([]string{o.Bucket, o.Key, o.Version(), ""}, "\x00")),
	}
	s.fields[contextName] = s
	return s
}

// admit goes on to a record: it is Rowed unless where, which may be nil, drops or rejects it.
func (s *scope) admit(r *contracts.Record, where *program) (Result, *contracts.Problem) {
	s.record = r
	s.serial++
	if where == nil {
		return Rowed, nil
	}
	keep, p := s.holds(where)
	switch {
	case p != nil:
		return Rejected, p
	case !keep:
		return Filtered, nil
	default:
		return Rowed, nil
	}
}

// uuid is the same for the same column of the same record of the same version of an object: a UUID of version 8.
func (s *scope) uuid() string {
	h := sha256.New()
	h.Write(s.seed)
	var where [16]byte
	binary.BigEndian.PutUint64(where[:], uint64(s.record.Offset))
	binary.BigEndian.PutUint64(where[8:], uint64(s.index))
	h.Write(where[:])
	u := h.Sum(nil)[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// holds runs where.
func (s *scope) holds(p *program) (bool, *contracts.Problem) {
	v, problem := s.run(p)
	if problem != nil {
		return false, problem
	}
	keep, ok := v.(bool)
	if !ok {
		return false, p.failed(fmt.Sprintf("it gave %s: expected true or false", typeName(v)))
	}
	return keep, nil
}

// appendTo runs a column's expression and appends what it gives.
func (s *scope) appendTo(out []byte, col *column) ([]byte, contracts.FieldKind, *contracts.Problem) {
	v, problem := s.run(col.program)
	if problem != nil || v == nil {
		return out, contracts.Null, problem
	}
	if f, ok := s.field(v); ok {
		out, problem = col.appendField(out, f)
		return out, contracts.JSON, problem
	}
	out, p := col.typ.AppendGo(out, v)
	if p != nil {
		return out, contracts.Null, col.problem(p, []byte(show(v)))
	}
	return out, contracts.JSON, nil
}

// field is what most expressions give as the field that AppendGo would take it for, without garbage.
func (s *scope) field(v any) (f contracts.Field, ok bool) {
	switch v := v.(type) {
	case string:
		f.Kind, s.scratch = contracts.Text, append(s.scratch[:0], v...)
	case int:
		f.Kind, s.scratch = contracts.Number, strconv.AppendInt(s.scratch[:0], int64(v), 10)
	case bool:
		f.Kind, s.scratch = contracts.Bool, strconv.AppendBool(s.scratch[:0], v)
	default:
		return f, false
	}
	f.Bytes = s.scratch
	return f, true
}

func (s *scope) run(p *program) (any, *contracts.Problem) {
	for i := range p.fields {
		if problem := s.decode(p, &p.fields[i]); problem != nil {
			return nil, problem
		}
	}
	s.index, s.steps = p.index, 0
	v, err := s.vm.Run(p.vm, s.fields)
	if err != nil {
		return nil, p.failed(firstWords(err))
	}
	return v, nil
}

// decode puts a field where expressions find it.
func (s *scope) decode(p *program, f *exprField) *contracts.Problem {
	if s.decoded[f.input] == s.serial {
		return nil
	}
	field := s.record.Fields[f.input]
	if !utf8.Valid(field.Bytes) {
		return &contracts.Problem{Rule: contracts.RuleEncoding, Column: p.column, Value: cut(string(field.Bytes)),
			Reason: fmt.Sprintf("field %q is not UTF-8: expressions take no other text (is the file Latin-1?)", f.name)}
	}
	v, err := goValue(field)
	if err != nil {
		return p.failed(fmt.Sprintf("field %q: %v", f.name, err))
	}
	s.fields[f.variable] = v
	s.decoded[f.input] = s.serial
	return nil
}

// goValue is a field as expressions see it: nil for missing and null.
func goValue(f contracts.Field) (any, error) {
	switch f.Kind {
	case contracts.Missing, contracts.Null:
		return nil, nil
	case contracts.Text:
		return string(f.Bytes), nil
	case contracts.Bool:
		return len(f.Bytes) > 0 && f.Bytes[0] == 't', nil
	case contracts.Number:
		return number(string(f.Bytes))
	}
	dec := json.NewDecoder(bytes.NewReader(f.Bytes))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not JSON: something follows the value")
	}
	return numbers(v)
}

// number is an int, or a float for what has a fraction or an exponent. A whole number beyond 64 bits stays text: a
// float would change its digits.
func number(s string) (any, error) {
	if strings.ContainsAny(s, ".eE") {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, fmt.Errorf("the number %s is beyond a double", cut(s))
		}
		return v, nil
	}
	if v, err := strconv.Atoi(s); err == nil {
		return v, nil
	}
	return s, nil
}

// numbers replaces the numbers inside a decoded document.
func numbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		return number(v.String())
	case []any:
		for i := range v {
			if v[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = numbers(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// failed is the problem of an expression that gave no value.
func (p *program) failed(words string) *contracts.Problem {
	noun := "expr"
	if p.index < 0 {
		noun = "where"
	}
	return &contracts.Problem{Rule: contracts.RuleExpr, Column: p.column,
		Reason: fmt.Sprintf("%s %q: %s", noun, cut(p.source), cut(words))}
}

// firstWords is an expression's error without the drawing of where it is.
func firstWords(err error) string {
	var fe *file.Error
	if errors.As(err, &fe) {
		return fe.Message
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}

// show writes a value for a reject.
func show(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	if b, err := json.Marshal(v); err == nil {
		return string(b)
	}
	return fmt.Sprint(v)
}
