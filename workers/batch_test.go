package workers

import (
	"fmt"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// TestGroups: a group is a key in a segment, however many there are of either.
func TestGroups(t *testing.T) {
	t.Parallel()
	const segments, keys = 3000, 3
	b := newBatch()
	b.reset([]cql.Column{{Name: "k", Role: cql.PartitionKey}})
	for round := range 2 {
		for s := range segments {
			for k := range keys {
				from := len(b.rows)
				b.rows = cql.AppendValue(b.rows, []byte(fmt.Sprint("key", k)))
				row := cql.Row{Values: b.rows[from:], Partition: len(b.rows) - from, Key: len(b.rows) - from}
				b.add(int64(s), 0, row, &contracts.Record{}, 0)
			}
		}
		if len(b.groups) != segments*keys {
			t.Fatalf("round %d: found %d groups, expected %d", round, len(b.groups), segments*keys)
		}
	}
	for i, g := range b.groups {
		if g.segment != int64(i/keys) || string(b.keyOf(g.last)[4:]) != fmt.Sprint("key", i%keys) || g.count != 2 {
			t.Fatalf("group %d: found %+v of key %s", i, g, b.keyOf(g.last))
		}
	}
}
