package e2e

import (
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

const typesPipeline = `
name: types
source: {format: ndjson}
table:
  keyspace: %s
  name: types
  partition_key: [p, region]
  clustering_key: [c, at]
  create: true
  types: {address: {street: text, zip: int}}
nulls: delete
allow_unsafe: [unfrozen_list]
columns:
  - {name: p, type: text}
  - {name: region, type: int}
  - {name: c, type: uuid}
  - {name: at, type: timestamp}
  - {name: s1, type: text, static: true}
  - {name: s2, type: "map<text, int>", static: true}
  - {name: v_ascii, type: ascii}
  - {name: v_bigint, type: bigint}
  - {name: v_blob, type: blob}
  - {name: v_boolean, type: boolean}
  - {name: v_date, type: date}
  - {name: v_decimal, type: decimal}
  - {name: v_double, type: double}
  - {name: v_duration, type: duration}
  - {name: v_float, type: float}
  - {name: v_inet, type: inet}
  - {name: v_int, type: int}
  - {name: v_smallint, type: smallint}
  - {name: v_text, type: text}
  - {name: v_time, type: time}
  - {name: v_timestamp, type: timestamp}
  - {name: v_timeuuid, type: timeuuid}
  - {name: v_tinyint, type: tinyint}
  - {name: v_uuid, type: uuid}
  - {name: v_varchar, type: varchar}
  - {name: v_varint, type: varint}
  - {name: f_list, type: frozen<list<int>>}
  - {name: f_set, type: frozen<set<text>>}
  - {name: f_map, type: "frozen<map<text, frozen<list<int>>>>"}
  - {name: u_list, type: list<int>}
  - {name: u_set, type: set<text>}
  - {name: u_map, type: "map<text, timestamp>"}
  - {name: v_tuple, type: "tuple<text, int, boolean>"}
  - {name: f_udt, type: frozen<address>}
  - {name: u_udt, type: address}
  - {name: v_vector, type: "vector<float, 3>"}
  - {name: x_uuid, type: uuid, expr: uuid()}
  - {name: x_sum, type: bigint, expr: "v_int == nil ? nil : int(v_int) + 1"}
`

// typesData sets every type twice, empties some of it again, and leaves cells, statics and rows half set.
const typesData = `{"p":"a","region":1,"c":"123e4567-e89b-42d3-a456-426614174000","at":"2026-01-01T00:00:00Z","s1":"first","s2":{"x":1},"v_ascii":"abc","v_bigint":-9223372036854775808,"v_blob":"0x00ff","v_boolean":true,"v_date":"2026-02-28","v_decimal":1234567890.12345678901234567890,"v_double":-1e300,"v_duration":"1y2mo3d4h5m6s","v_float":0.1,"v_inet":"2001:db8::1","v_int":7,"v_smallint":-32768,"v_text":"grüße, \"x\"\n✓","v_time":"23:59:59.999999999","v_timestamp":"1969-12-31T23:59:59.999Z","v_timeuuid":"5b0d6ad0-9b1f-11ee-b9d1-0242ac120002","v_tinyint":-128,"v_uuid":"f23e4567-e89b-42d3-a456-426614174000","v_varchar":"","v_varint":123456789012345678901234567890,"f_list":[3,1,3],"f_set":["b","a"],"f_map":{"k":[1,2],"a":[]},"u_list":[9,8],"u_set":["z","y"],"u_map":{"t":"2026-01-01T00:00:00Z"},"v_tuple":["a",1,null],"f_udt":{"street":"s","zip":1},"u_udt":{"street":"s","zip":null},"v_vector":[0.5,-1,1e10]}
{"p":"a","region":1,"c":"123e4567-e89b-42d3-a456-426614174000","at":"2026-01-01T00:00:00Z","v_ascii":"later","v_text":null,"v_int":8,"u_set":["x"],"u_map":null,"f_udt":null,"v_varint":0}
{"p":"a","region":1,"c":"123e4567-e89b-42d3-a456-426614174001","at":"2026-01-01T00:00:00.001Z","s1":"second","v_boolean":false,"u_list":[],"f_list":[],"u_set":[],"v_double":"NaN","v_float":"-Infinity"}
{"p":"a","region":2,"c":"123e4567-e89b-42d3-a456-426614174000","at":"2026-01-01T00:00:00Z"}
{"p":"b","region":-1,"c":"123e4567-e89b-42d3-a456-426614174000","at":-1,"s1":"kept","s2":{"a":1,"b":2},"u_udt":{"zip":5},"v_duration":"P1M2DT3H","v_decimal":"1e10"}
{"p":"b","region":-1,"c":"123e4567-e89b-42d3-a456-426614174002","at":0,"s1":null,"s2":{},"v_inet":"10.0.0.1","v_blob":"0x"}
{"p":"a","region":1,"c":"123e4567-e89b-42d3-a456-426614174000","at":"2026-01-01T00:00:00Z","v_text":"set again","u_map":{"q":"1970-01-01T00:00:00.000Z"},"u_udt":{"street":"t","zip":2},"v_boolean":null}
`

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
		l.t.Cleanup(func() { db.Close() }) //nolint:errcheck // only read
		return db.Cells(l.t.Context(), table)
	}
	db, err := cassandra.Open(l.t.Context(), cassandra.Config{Hosts: []string{testenv.Cassandra(l.t)}})
	l.must(err)
	l.t.Cleanup(func() { db.Close() }) //nolint:errcheck // only read
	return db.Cells(l.t.Context(), table)
}
