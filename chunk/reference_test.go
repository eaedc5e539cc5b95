package chunk_test

import (
	"fmt"

	"github.com/penstock-io/penstock/contracts"
	slow "github.com/penstock-io/penstock/internal/reference"
)

// reference reads a CSV document as docs/interface.md describes the dialect.
type reference struct {
	doc []byte
	f   contracts.CSVFormat
}

// expect is what a reader without a header must yield from there on, bound to every field of the first record; open is
// where a quote opened that is never closed, or -1.
func (r reference) expect(from int, max int64) (all []got, open int) {
	file := slow.CSV(r.doc[from:], r.f, max)
	for _, rec := range file.Records {
		all = append(all, got{
			Offset: int64(from) + rec.Offset, Length: rec.Length, Raw: rec.Raw, Rule: rec.Rule, Fields: rec.Fields,
		})
	}
	if file.Fault < 0 {
		return all, -1
	}
	return all, from + int(file.Fault)
}

// inputs are the positions of all fields of the first record.
func (r reference) inputs(from int) (names []string) {
	for i := range slow.CSV(r.doc[from:], r.f, 0).Width {
		names = append(names, fmt.Sprint(i))
	}
	return names
}
