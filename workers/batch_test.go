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
	b := newBatch(&pools{})
	b.open([]cql.Column{{Name: "k", Role: cql.PartitionKey}}, false, false)
	for round := range 2 {
		for s := range segments {
			for k := range keys {
				values := cql.AppendValue(b.rows.tail(), []byte(fmt.Sprint("key", k)))
				row := cql.Row{Values: values, Partition: len(values), Key: len(values)}
				b.add(int64(s), 0, row, &contracts.Record{}, 0)
			}
		}
		if b.groups.n != segments*keys {
			t.Fatalf("round %d: found %d groups, expected %d", round, b.groups.n, segments*keys)
		}
	}
	for i := range b.groups.n {
		g := b.groups.at(int32(i))
		key := b.row(b.packed(g.last), 0).KeyBytes()[4:]
		if g.segment != int64(i/keys) || string(key) != fmt.Sprint("key", i%keys) || b.records(g) != 2 {
			t.Fatalf("group %d: found %+v of key %s", i, g, key)
		}
	}
}
