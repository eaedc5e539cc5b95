package workers

import (
	"fmt"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// BenchmarkMerge makes rows of a batch of records: all keys their own, and many records of each.
func BenchmarkMerge(b *testing.B) {
	const records = 10_000
	for _, keys := range []int{records, 100, 1} {
		b.Run(fmt.Sprintf("%d-keys", keys), func(b *testing.B) {
			l := newReading(b, 1).l
			packed := make([][]byte, records)
			for i := range packed {
				packed[i] = cql.AppendValue(nil, fmt.Appendf(nil, "device-%05d", i*7919%keys))
			}
			b.ReportAllocs()
			for b.Loop() {
				l.batch.reset()
				l.batch.open(l.batch.columns[:2], false, false)
				for i, key := range packed {
					values := cql.AppendValue(append(l.batch.rows.tail(), key...), []byte("2026-01-01"))
					row := cql.Row{Values: values, Partition: len(key), Key: len(key)}
					l.batch.add(0, 0, row, &contracts.Record{Offset: int64(i)}, 0)
				}
				if rows := l.batch.finish(base); len(rows) != keys {
					b.Fatalf("%d rows, expected %d", len(rows), keys)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/records, "ns/record")
		})
	}
}
