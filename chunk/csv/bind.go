package csv

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/contracts"
)

// Bind finds the inputs in the head: by the header's names, or by position where the format has none. Each must be
// there, unless strict turns this round: then every name of the header must be an input, and an input that the header
// lacks is at -1. An object without records binds to nothing and is in order, unless it should have had a header.
// Errors are KindInput and say what was found.
func (h Head) Bind(object string, f contracts.CSVFormat, inputs []string, strict bool) (contracts.Binding, error) {
	b := contracts.Binding{DataOffset: h.DataOffset, Width: h.Width}
	switch {
	case h.Width == 0 && f.Header && len(inputs) > 0:
		return b, contracts.At(contracts.KindInput, object, 0, "the file is empty: expected a header line that names %s; "+
			"leave the file out, or set csv.header: false where files have none", list(inputs))
	case h.Width == 0:
		b.Positions = slices.Repeat([]int{-1}, len(inputs))
		return b, nil
	case !f.Header:
		var err error
		if b.Positions, err = positions(inputs); err != nil {
			return contracts.Binding{}, err
		}
		return b, h.checkWidth(object, f, b.Positions)
	}
	b.Positions = make([]int, len(inputs))
	for i, name := range inputs {
		b.Positions[i] = slices.Index(h.Names, name)
	}
	check := h.checkStrict
	if !strict {
		check = h.checkLacks
	}
	if err := check(object, f, inputs); err != nil {
		return contracts.Binding{}, err
	}
	return b, h.checkTwice(object, inputs)
}

// Require wants names to be in the header: the key columns, say, where strict lets the others be absent. An object
// without a header is in order.
func (h Head) Require(object string, f contracts.CSVFormat, names []string) error {
	if h.Names == nil {
		return nil
	}
	return h.checkLacks(object, f, names)
}

// checkLacks wants names to be in the header.
func (h Head) checkLacks(object string, f contracts.CSVFormat, names []string) error {
	lacks := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(h.Names, name) })
	if len(lacks) == 0 {
		return nil
	}
	hint := h.hint(f, lacks[0])
	if hint == "" && len(lacks) == len(names) {
		hint = "; where files have no header, set csv.header: false and `from` to positions from 0"
	}
	return contracts.At(contracts.KindInput, object, -1, "header lacks %s: found %s%s", list(lacks), list(h.Names), hint)
}

// checkTwice wants an input to be one field.
func (h Head) checkTwice(object string, inputs []string) error {
	for _, name := range inputs {
		at := slices.Index(h.Names, name)
		if again := slices.Index(h.Names[at+1:], name); at >= 0 && again >= 0 {
			return contracts.At(contracts.KindInput, object, -1, "header has %q twice, as fields %d and %d of %d: expected "+
				"a mapped name once; rename one of them", name, at+1, at+again+2, len(h.Names))
		}
	}
	return nil
}

// checkStrict wants every name of the header to be an input.
func (h Head) checkStrict(object string, _ contracts.CSVFormat, inputs []string) error {
	for i, name := range h.Names {
		if !slices.Contains(inputs, name) {
			return contracts.At(contracts.KindInput, object, -1, "header has %q as field %d, which is no column: expected "+
				"only %s%s, or a pipeline that maps the names", name, i+1, list(inputs), near(inputs, name))
		}
	}
	return nil
}

// checkWidth wants every position to be a field of the first record.
func (h Head) checkWidth(object string, f contracts.CSVFormat, at []int) error {
	for _, p := range at {
		if p >= h.Width {
			return contracts.At(contracts.KindInput, object, h.DataOffset, "first record has %s, expected at least %d: "+
				"position %d is mapped; is csv.delimiter %q right?", fields(h.Width), p+1, p, f.Delimiter)
		}
	}
	return nil
}

// positions reads inputs of a format without a header.
func positions(inputs []string) ([]int, error) {
	at := make([]int, len(inputs))
	for i, s := range inputs {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return nil, contracts.Errorf(contracts.KindConfig, "input %q: expected a field's position from 0, because "+
				"csv.header is false", s)
		}
		at[i] = int(n)
	}
	return at, nil
}

// hint guesses what went wrong where a name is missing.
func (h Head) hint(f contracts.CSVFormat, name string) string {
	for magic, name := range map[string]string{"\x1f\x8b": "gzip", "\x28\xb5\x2f\xfd": "zstd"} {
		if len(h.Names) > 0 && strings.HasPrefix(h.Names[0], magic) {
			return fmt.Sprintf("; the file begins as %s does: set source.compression: %s", name, name)
		}
	}
	if len(h.Names) > 0 && strings.HasPrefix(h.Names[0], "PK\x03\x04") {
		return "; the file begins as a ZIP does: unpack it, or pack it by gzip or zstd"
	}
	if len(h.Names) == 1 {
		for _, other := range []string{",", ";", "\t", "|"} {
			if other != f.Delimiter && strings.Contains(h.Names[0], other) {
				return fmt.Sprintf("; the header is one field that holds %q: is csv.delimiter %q right?", other, f.Delimiter)
			}
		}
	}
	return near(h.Names, name)
}

// near names the closest of names, if one is close.
func near(names []string, name string) string {
	best, least := "", len(name)/3+2
	for _, n := range names {
		if d := distance(strings.ToLower(strings.TrimSpace(n)), strings.ToLower(name)); d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; is it %q?", best)
}

// distance counts the insertions, deletions and replacements between two names of moderate length.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// cut shortens a name to what an error may hold.
func cut(name string) string {
	const most = 60
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}

// list shows names, at most twenty of them.
func list(names []string) string {
	shown := names[:min(len(names), 20)]
	quoted := make([]string, len(shown))
	for i, n := range shown {
		quoted[i] = strconv.Quote(cut(n))
	}
	text := strings.Join(quoted, ", ")
	if more := len(names) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
