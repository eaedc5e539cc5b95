package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/vm/runtime"
)

// function is one that expressions may call beside those of expr-lang, or instead of one of them.
type function struct {
	call    func(args ...any) (any, error)
	types   []any // nil pointers to function types
	context bool  // the guard calls the function of this name with a dot instead, with the record as its argument
}

// functions replace what expr-lang offers where that depends on the clock, the machine's time zone, the machine's
// architecture or the order of maps, or where it may take any amount of memory. Names with a dot cannot be written:
// the guard puts them in.
var functions = map[string]function{
	"now":      {call: nowOf, types: []any{new(func() time.Time)}, context: true},
	"uuid":     {call: uuidOf, types: []any{new(func() string)}, context: true},
	"date":     {call: dateOf, types: []any{new(func(...any) time.Time)}},
	"timezone": {call: timezoneOf, types: []any{new(func(string) *time.Location)}},
	"int":      {call: intOf, types: []any{new(func(any) int)}},
	"string":   {call: stringOf, types: []any{new(func(any) string)}},
	"keys":     {call: keysOf, types: []any{new(func(any) []any)}},
	"values":   {call: valuesOf, types: []any{new(func(any) []any)}},
	"toPairs":  {call: pairsOf, types: []any{new(func(any) []any)}},
	"uniq":     {call: uniqOf, types: []any{new(func(any) []any)}},
	"repeat":   {call: repeatOf, types: []any{new(func(string, int) string)}},
	"replace": {call: replaceOf, types: []any{new(func(string, string, string) string),
		new(func(string, string, string, int) string)}},
	"join": {call: joinOf, types: []any{new(func(any) string), new(func(any, string) string)}},

	"now.":      {call: nowOf, types: []any{new(func(any) time.Time)}},
	"uuid.":     {call: uuidOf, types: []any{new(func(any) string)}},
	"step.":     {call: stepOf, types: []any{new(func(any) bool)}},
	"element.":  {call: elementOf, types: []any{new(func(any, any) any)}},
	"get.":      {call: getOf, types: []any{new(func(any, any) any)}},
	"sum.":      {call: sumOf, types: []any{new(func(any) any)}},
	"add.":      {call: addOf, types: []any{new(func(any, any) any)}},
	"addInt.":   {call: addOf, types: []any{new(func(int, int) int)}},
	"addText.":  {call: addOf, types: []any{new(func(string, string) string)}},
	"subtract.": {call: subtractOf, types: []any{new(func(any, any) any)}},
	"subInt.":   {call: subtractOf, types: []any{new(func(int, int) int)}},
	"multiply.": {call: multiplyOf, types: []any{new(func(any, any) any)}},
	"mulInt.":   {call: multiplyOf, types: []any{new(func(int, int) int)}},
}

// checkedOperators name the functions that stand for an operator, by what is known of the operands.
var checkedOperators = map[string]struct{ any, ints, texts string }{
	"+": {"add.", "addInt.", "addText."},
	"-": {"subtract.", "subInt.", "subtract."},
	"*": {"multiply.", "mulInt.", "multiply."},
}

func nowOf(args ...any) (any, error) { return args[0].(*scope).now, nil }

func uuidOf(args ...any) (any, error) { return args[0].(*scope).uuid(), nil }

func stepOf(args ...any) (any, error) {
	s := args[0].(*scope)
	if s.steps++; s.steps > maxSteps {
		return nil, fmt.Errorf("more than %d rounds of map, filter and the like", maxSteps)
	}
	return true, nil
}

var dateLayouts = []string{time.DateOnly, time.TimeOnly, time.DateTime, time.RFC3339, time.RFC822, time.RFC850,
	time.RFC1123}

// dateOf is date(text, layout, zone), date(zone, text, layout) or less of it, in UTC where no zone is named: never in
// the machine's own, which time.Parse consults for abbreviations.
func dateOf(args ...any) (any, error) {
	zone := time.UTC
	if z, ok := args[0].(*time.Location); ok && z != nil {
		zone, args = z, args[1:]
	}
	texts := make([]string, len(args))
	for i, a := range args {
		s, ok := a.(string)
		if !ok {
			return nil, fmt.Errorf("date of %s: expected a string", typeName(a))
		}
		texts[i] = s
	}
	layouts := dateLayouts
	switch len(texts) {
	case 1:
	case 3:
		z, err := loadZone(texts[2])
		if err != nil {
			return nil, err
		}
		zone, layouts = z, texts[1:2]
	case 2:
		layouts = texts[1:2]
	default:
		return nil, errors.New("date takes a text, and may take a layout and a time zone")
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, texts[0], zone); err == nil {
			return t, nil
		}
	}
	return nil, fmt.Errorf("date %q: expected the form %s", cut(texts[0]), strings.Join(layouts, " or "))
}

func timezoneOf(args ...any) (any, error) { return loadZone(args[0].(string)) }

func loadZone(name string) (*time.Location, error) {
	if !validZone(name) {
		return nil, fmt.Errorf("unknown time zone %q: expected an IANA name, such as Europe/Berlin", cut(name))
	}
	return time.LoadLocation(name)
}

// intOf refuses floats beyond 64 bits, which Go converts as the processor likes.
func intOf(args ...any) (any, error) {
	switch v := args[0].(type) {
	case string:
		i, err := strconv.Atoi(v)
		if err != nil {
			return nil, fmt.Errorf("int of %q: expected a whole number of at most 64 bits", cut(v))
		}
		return i, nil
	case float64:
		if !(v >= math.MinInt64 && v < math.MaxInt64) {
			return nil, fmt.Errorf("int of %v: beyond 64 bits", v)
		}
		return int(v), nil
	default:
		if r := reflect.ValueOf(v); r.IsValid() && r.CanInt() {
			return int(r.Int()), nil
		}
		return nil, fmt.Errorf("int of %s: expected a number or a string", typeName(v))
	}
}

// stringOf writes times in ISO 8601 and lists and maps as JSON. Functions have no text: Go would print an address.
func stringOf(args ...any) (any, error) {
	switch v := args[0].(type) {
	case nil:
		return nil, errors.New("string of nil: write name ?? \"\" for a default")
	case string:
		return v, nil
	case time.Time:
		return v.Format(time.RFC3339Nano), nil
	case time.Duration, bool, int, int64, float64:
		return fmt.Sprint(v), nil
	case fmt.Stringer:
		return v.String(), nil
	}
	b, err := json.Marshal(args[0])
	if err != nil {
		return nil, fmt.Errorf("string of %s: %w", typeName(args[0]), err)
	}
	return string(b), nil
}

// entries lists a map's keys and values in the order of the keys' texts.
func entries(what string, m any) (keys, values []any, err error) {
	v := reflect.ValueOf(m)
	if v.Kind() != reflect.Map {
		return nil, nil, fmt.Errorf("%s of %s: expected a map", what, typeName(m))
	}
	sorted := v.MapKeys()
	slices.SortFunc(sorted, func(a, b reflect.Value) int {
		return strings.Compare(fmt.Sprintf("%v %[1]T", a.Interface()), fmt.Sprintf("%v %[1]T", b.Interface()))
	})
	for _, k := range sorted {
		keys, values = append(keys, k.Interface()), append(values, v.MapIndex(k).Interface())
	}
	return keys, values, nil
}

func keysOf(args ...any) (any, error) {
	keys, _, err := entries("keys", args[0])
	return keys, err
}

func valuesOf(args ...any) (any, error) {
	_, values, err := entries("values", args[0])
	return values, err
}

func pairsOf(args ...any) (any, error) {
	keys, values, err := entries("toPairs", args[0])
	pairs := make([]any, len(keys))
	for i := range keys {
		pairs[i] = []any{keys[i], values[i]}
	}
	return pairs, err
}

// maxUniq bounds a function that compares each element with each.
const maxUniq = 10_000

func uniqOf(args ...any) (any, error) {
	list, err := listOf("uniq", args[0])
	if err != nil || len(list) > maxUniq {
		return nil, errors.Join(err, tooMany("uniq", len(list), maxUniq))
	}
	var out []any
	for _, v := range list {
		if !slices.ContainsFunc(out, func(o any) bool { return runtime.Equal(v, o) }) {
			out = append(out, v)
		}
	}
	return out, nil
}

func tooMany(what string, n, limit int) error {
	if n <= limit {
		return nil
	}
	return fmt.Errorf("%s of %d elements: expected at most %d", what, n, limit)
}

func listOf(what string, list any) ([]any, error) {
	if l, ok := list.([]any); ok {
		return l, nil
	}
	v := reflect.ValueOf(list)
	if v.Kind() != reflect.Slice && v.Kind() != reflect.Array {
		return nil, fmt.Errorf("%s of %s: expected a list", what, typeName(list))
	}
	out := make([]any, v.Len())
	for i := range out {
		out[i] = v.Index(i).Interface()
	}
	return out, nil
}

// elementOf is list[i], map[key] or text[i] with a computed key. It reaches no methods.
func elementOf(args ...any) (any, error) {
	switch reflect.ValueOf(args[0]).Kind() {
	case reflect.Map, reflect.Slice, reflect.Array, reflect.String:
		return runtime.Fetch(args[0], args[1]), nil
	default:
		return nil, fmt.Errorf("%s has no elements", typeName(args[0]))
	}
}

// getOf is elementOf, and nil where there is no such element.
func getOf(args ...any) (any, error) {
	if list, err := listOf("get", args[0]); err == nil {
		i, ok := args[1].(int)
		if ok && i < 0 {
			i += len(list)
		}
		if !ok || i < 0 || i >= len(list) {
			return nil, nil
		}
		return list[i], nil
	}
	if reflect.ValueOf(args[0]).Kind() != reflect.Map {
		return nil, nil
	}
	return runtime.Fetch(args[0], args[1]), nil
}

// typeName is a type as expressions call it.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "nil"
	case time.Time:
		return "a time"
	case time.Duration:
		return "a duration"
	}
	switch r := reflect.TypeOf(v); r.Kind() {
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map:
		return "a map"
	case reflect.Func:
		return "a function"
	default:
		return "the " + r.Kind().String() + " " + cut(fmt.Sprint(v))
	}
}
