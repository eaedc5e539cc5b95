package e2e

import (
	_ "embed"
	"encoding/hex"
	"fmt"
	"iter"
	"os"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/table/cassandra"
	"github.com/penstock-io/penstock/internal/table/sqlite"
	"github.com/penstock-io/penstock/internal/testenv"
	"github.com/penstock-io/penstock/pipeline"
)

//go:embed testdata/types.yaml
var typesPipeline string

// typesData sets every type twice, empties some of it again, and leaves cells, statics and rows half set.
//
//go:embed testdata/types.ndjson
var typesData string

// cell is what a target holds in one column of one row: the value's bytes, and how long after the job's base it was
// written.
type cell struct {
	value string // hex; "null"
	after int64  // microseconds
}

// TestSameCells loads one file of every type into SQLite and into Cassandra: each cell has the same bytes, and was
// written by the same segment.
func TestSameCells(t *testing.T) {
	t.Parallel()
	for _, size := range []string{"8MiB", "100B"} {
		t.Run(size, func(t *testing.T) {
			t.Parallel()
			wide, local := newLab(t), newFileLab(t)
			local.keyspace = wide.keyspace
			source := wide.putText("types.ndjson", typesData) // one object for both, since uuid() derives from it
			tables := map[*lab]map[string][]cell{}
			for _, l := range []*lab{wide, local} {
				path := l.file("types.yaml", fmt.Sprintf(typesPipeline, l.keyspace))
				r := l.report(l.run("load", "--output", "json", "--chunk-size", size, path, source), 0)
				if r.Records.Read != 7 || (r.Chunks.Total > 1) != (size == "100B") {
					t.Errorf("report %+v", r)
				}
				tables[l] = l.cells(path)
			}
			columns := wide.typesTable(wide.dir + "/types.yaml").Columns
			if len(tables[wide]) != 5 || len(tables[local]) != 5 {
				t.Errorf("%d rows in Cassandra, %d in SQLite, expected 5", len(tables[wide]), len(tables[local]))
			}
			for key, want := range tables[wide] {
				got := tables[local][key]
				if got == nil {
					t.Errorf("row %s is not in SQLite", key)
					continue
				}
				for i, c := range columns {
					if got[i] != want[i] {
						t.Errorf("row %s, column %s: SQLite has %+v, Cassandra %+v", key, c.Name, got[i], want[i])
					}
				}
			}
		})
	}
}

// typesTable is the table as the pipeline declares it.
func (l *lab) typesTable(path string) cql.Table {
	l.t.Helper()
	source, err := os.ReadFile(path)
	l.must(err)
	spec, findings := pipeline.Parse(path, source)
	if len(findings) > 0 {
		l.t.Fatal(findings)
	}
	compiled, findings := pipeline.Compile(spec, nil)
	if len(findings) > 0 {
		l.t.Fatal(findings)
	}
	return compiled.Table()
}

// cells reads the table back, by key.
func (l *lab) cells(path string) map[string][]cell {
	l.t.Helper()
	table := l.typesTable(path)
	first := int64(0)
	rows := [][]cell{}
	for row, err := range l.openTable(table) {
		l.must(err)
		cells := make([]cell, len(row.Values))
		for i, v := range row.Values {
			cells[i] = cell{hex.EncodeToString(v.Bytes), row.Times[i]}
			if v.Bytes == nil {
				cells[i].value = "null"
			}
			if at := row.Times[i]; at > 0 && (first == 0 || at < first) {
				first = at
			}
		}
		rows = append(rows, cells)
	}
	byKey := map[string][]cell{}
	for _, cells := range rows {
		key := []string{}
		for i, c := range cells {
			if c.after > 0 {
				cells[i].after -= first
			}
			if r := table.Columns[i].Role; r == cql.PartitionKey || r == cql.ClusteringKey {
				key = append(key, c.value)
			}
		}
		byKey[strings.Join(key, " ")] = cells
	}
	return byKey
}

// openTable reads a table by the code that conformance tests read it with.
func (l *lab) openTable(table cql.Table) iter.Seq2[cql.CellRow, error] {
	l.t.Helper()
	if l.db != "" {
		db, err := sqlite.Open(l.t.Context(), l.db)
		l.must(err)
		l.t.Cleanup(func() { db.Close() })
		return db.Cells(l.t.Context(), table)
	}
	db, err := cassandra.Open(l.t.Context(), cassandra.Config{Hosts: []string{testenv.Cassandra(l.t)}})
	l.must(err)
	l.t.Cleanup(func() { db.Close() })
	return db.Cells(l.t.Context(), table)
}
