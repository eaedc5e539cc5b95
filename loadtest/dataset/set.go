// Package dataset makes the files that loaders are compared on: readings of ten columns, each row a function of the
// seed and its number alone.
//
// What must never happen: two machines, or two runs, that compare loaders on different bytes; a half-written file that
// is taken for a whole one; a value that tools read in different ways (an empty field, a quote, a line break: what
// tools lose there is another test's business).
package dataset

import "fmt"

// Order says how the rows of a set lie in its files.
type Order int

// Orders of rows.
const (
	Shuffled Order = iota // rows of a partition are spread over the file
	Sorted                // the same rows, partition by partition
	Unique                // each row is its own partition
)

// Format of the files.
type Format string

// Formats that are compared.
const (
	CSV    Format = "csv"    // with a header
	NDJSON Format = "ndjson" // an object a line
)

// Set is one of the comparisons' inputs. Two sets that are equal have the same bytes.
type Set struct {
	Name       string // by which it is asked for: 1, 1b, …
	Title      string
	Rows       int64
	Partitions int64 // 0 where each row is its own
	Order      Order
	NoteBytes  int // length of the note; 0 is a word
	Format     Format
	Count      int64 // of files
	Alone      bool  // too large to compare with others: Penstock alone, once
}

// rowsPerPartition of the sets with few partitions, at any size: a million rows have 20,000.
const rowsPerPartition = 50

// Sets are all sets, for so many rows in the first.
func Sets(rows int64) []Set {
	few := max(1, rows/rowsPerPartition)
	wide := max(1, rows/5)
	return []Set{
		{Name: "1", Title: "few partitions, shuffled", Rows: rows, Partitions: few, Format: CSV, Count: 1},
		{Name: "1b", Title: "few partitions, sorted", Rows: rows, Partitions: few, Order: Sorted, Format: CSV, Count: 1},
		{Name: "2", Title: "one partition per row", Rows: rows, Order: Unique, Format: CSV, Count: 1},
		{Name: "3", Title: "rows of 1 KB", Rows: wide, Partitions: max(1, wide/rowsPerPartition), NoteBytes: 920,
			Format: CSV, Count: 1},
		{Name: "4", Title: "the rows of file 1 as NDJSON", Rows: rows, Partitions: few, Format: NDJSON, Count: 1},
		{Name: "5", Title: "the rows of file 1 in small files", Rows: rows, Partitions: few, Format: CSV,
			Count: max(1, rows/100)},
		{Name: "6", Title: "one large file", Rows: 44 * rows, Partitions: 44 * few, Format: CSV, Count: 1, Alone: true},
	}
}

// Find gives the sets of these names in their order, for so many rows in the first.
func Find(names []string, rows int64) ([]Set, error) {
	var found []Set
	for _, name := range names {
		n := len(found)
		for _, s := range Sets(rows) {
			if s.Name == name {
				found = append(found, s)
			}
		}
		if len(found) == n {
			return nil, fmt.Errorf("no file is called %q: expected 1, 1b, 2, 3, 4, 5 or 6", name)
		}
	}
	return found, nil
}

// Column of the table that every set fits.
type Column struct{ Name, Type string }

// Columns in the order of the files. The first is the partition key, the next two are the clustering key.
func Columns() []Column {
	return []Column{
		{"device", "text"}, {"ts", "timestamp"}, {"seq", "int"}, {"status", "text"}, {"temperature", "double"},
		{"pressure", "float"}, {"total", "bigint"}, {"valid", "boolean"}, {"note", "text"}, {"trace", "uuid"},
	}
}
