package reference

import (
	"fmt"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/chunk/csv"
	"github.com/penstock-io/penstock/contracts"
)

// fuzzSeeds is how many generated files a fuzzer starts from.
const fuzzSeeds = 300

// FuzzCSV splits a file of any bytes, in any dialect, at any chunk size, with its head.
func FuzzCSV(f *testing.F) {
	for seed := range uint64(fuzzSeeds) {
		if s := generate(seed); s.format.Name == "csv" && len(s.data) < 1000 {
			c := s.format.CSV
			flags := byte(c.Skip)<<4 | byte(one(c.Header)|2*one(c.Trim)|4*one(!c.QuotedNewlines))
			f.Add(s.data, c.Delimiter, c.Quote, c.Escape, c.Comment, flags, uint16(s.sizes[0]), uint16(s.limit))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, delimiter, quote, escape, comment string, flags byte, size, limit uint16) {
		s := sample{data: data, limit: 1 + int64(limit), sizes: []int64{1 + int64(size)}, step: int(flags >> 6)}
		s.format = contracts.Format{Name: "csv", Compression: "none", CSV: contracts.CSVFormat{
			Delimiter: delimiter, Quote: quote, Escape: escape, Comment: comment, Null: []string{"", "b"},
			Header: flags&1 != 0, Trim: flags&2 != 0, QuotedNewlines: flags&4 == 0, Skip: int(flags >> 4 & 3),
		}}
		if _, err := csv.New(s.format.CSV); err != nil || len(data)/(1+int(size)) > 1000 {
			return
		}
		file := CSV(data, s.format.CSV, s.limit)
		if s.format.CSV.Header {
			s.limit = max(s.limit, file.DataOffset)
		}
		for i := range file.Width {
			if file.Names == nil {
				s.inputs = append(s.inputs, fmt.Sprint(i))
			} else if !twice(file.Names, file.Names[i]) {
				s.inputs = append(s.inputs, file.Names[i])
			}
		}
		fuzzed(t, s)
	})
}

// FuzzNDJSON splits a file of any bytes at any chunk size.
func FuzzNDJSON(f *testing.F) {
	addLines(f, "ndjson")
	f.Fuzz(func(t *testing.T, data []byte, size, limit uint16) {
		s := sample{data: data, limit: 1 + int64(limit), sizes: []int64{1 + int64(size)}, inputs: []string{"a", "o.x", "é"}}
		s.format = contracts.Format{Name: "ndjson", Compression: "none"}
		if len(data)/(1+int(size)) > 1000 || strings.Count(string(data), "[")+strings.Count(string(data), "{") > 250 {
			return // levels of nesting are another test's
		}
		fuzzed(t, s)
	})
}

// FuzzText splits a file of any bytes at any chunk size.
func FuzzText(f *testing.F) {
	addLines(f, "text")
	f.Fuzz(func(t *testing.T, data []byte, size, limit uint16) {
		s := sample{data: data, limit: 1 + int64(limit), sizes: []int64{1 + int64(size)}, inputs: []string{"rest", "one"}}
		s.format = contracts.Format{Name: "text", Compression: "none"}
		s.format.Text.Fields = []string{"one", "two", "rest"}
		if len(data)/(1+int(size)) > 1000 {
			return
		}
		fuzzed(t, s)
	})
}

func addLines(f *testing.F, format string) {
	f.Helper()
	for seed := range uint64(fuzzSeeds) {
		if s := generate(seed); s.format.Name == format && len(s.data) < 1000 {
			f.Add(s.data, uint16(s.sizes[0]), uint16(s.limit))
		}
	}
}

func fuzzed(t *testing.T, s sample) {
	t.Helper()
	if err := check(t.Context(), s); err != nil {
		t.Fatalf("%v\nlimit %d, inputs %q, %+v\n%q", err, s.limit, s.inputs, s.format, s.data)
	}
}
