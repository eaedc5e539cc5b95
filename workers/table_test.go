package workers

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/penstock-io/penstock/cql"
)

// memoryTable applies rows as Cassandra does: of two writes of one cell the later timestamp wins; at one timestamp a
// deletion, and else the greater value. It refuses rows by a predicate on cells.
type memoryTable struct {
	columns []cql.Column
	bad     func(column string, value []byte) bool
	mu      sync.Mutex
	cells   map[string]memoryCell // by key of row or partition, and column
	calls   int
	widest  int // rows of one call
}

type memoryCell struct {
	at    int64
	value []byte // nil: deleted
}

func newMemoryTable(columns []cql.Column, bad func(string, []byte) bool) *memoryTable {
	return &memoryTable{columns: columns, bad: bad, cells: map[string]memoryCell{}}
}

func (m *memoryTable) write(_ context.Context, rows []cql.Row) (refused []cql.Refusal, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	m.widest = max(m.widest, len(rows))
	for i := len(rows) - 1; i >= 0; i-- { // neither rows nor refusals come in any order
		if column := m.refuses(rows[i]); column != "" {
			refused = append(refused, cql.Refusal{Row: i, Reason: "bad " + column})
			continue
		}
		m.apply(rows[i])
	}
	return refused, nil
}

func (m *memoryTable) refuses(r cql.Row) string {
	packed := r.Values
	var v cql.Value
	for _, c := range m.columns {
		if v, packed = cql.NextValue(packed); v.Bytes != nil && m.bad != nil && m.bad(c.Name, v.Bytes) {
			return c.Name
		}
	}
	return ""
}

func (m *memoryTable) apply(r cql.Row) {
	packed := r.Values
	var v cql.Value
	m.set(string(r.KeyBytes())+" row", r.Timestamp, []byte{})
	for _, c := range m.columns {
		if v, packed = cql.NextValue(packed); v.Unset || c.Role <= cql.ClusteringKey {
			continue
		}
		owner := r.KeyBytes()
		if c.Role == cql.Static {
			owner = r.PartitionBytes()
		}
		m.set(string(owner)+" "+c.Name, r.Timestamp, v.Bytes)
	}
}

func (m *memoryTable) set(name string, at int64, value []byte) {
	old, ok := m.cells[name]
	if ok && (old.at > at || old.at == at && (old.value == nil || value != nil && bytes.Compare(old.value, value) >= 0)) {
		return
	}
	m.cells[name] = memoryCell{at, bytes.Clone(value)}
}

// dump is what a reader of the table sees.
func (m *memoryTable) dump() string {
	seen := map[string]string{}
	for name, c := range m.cells {
		if c.value != nil {
			seen[name] = string(c.value)
		}
	}
	return dumpCells(seen)
}

func dumpCells(cells map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(cells)) {
		fmt.Fprintf(&b, "%q = %q\n", name, cells[name])
	}
	return b.String()
}
