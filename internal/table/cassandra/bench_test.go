package cassandra

import (
	"encoding/binary"
	"fmt"
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/testenv"
)

const benchRows = 200_000

// BenchmarkWrite writes rows of ten columns and reports rows/s and the client's CPU-seconds for a million rows.
func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct {
		name       string
		partitions int
	}{
		{"100 rows per partition", benchRows / 100},
		{"one row per partition", benchRows},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkWrite(b, c.partitions) })
	}
}

func benchmarkWrite(b *testing.B, partitions int) {
	db := connected(b)
	table := benchTable(testenv.Name(b, "bench"))
	if err := db.Create(b.Context(), table, nil); err != nil {
		b.Fatal(err)
	}
	w, err := db.Writer(b.Context(), table, cql.WriteOptions{})
	if err != nil {
		b.Fatal(err)
	}
	rows := make([]cql.Row, benchRows)
	for i := range rows {
		rows[i] = benchRow(i%partitions, i)
	}
	cpu := cpuSeconds()
	for b.Loop() {
		if refusals, err := w.Write(b.Context(), rows, time.Now()); err != nil || len(refusals) > 0 {
			b.Fatal(err, refusals)
		}
	}
	n := float64(b.N) * benchRows
	b.ReportMetric(n/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric((cpuSeconds()-cpu)/n*1e6, "cpu-s/Mrow")
}

func benchTable(keyspace string) cql.Table {
	t := cql.Table{Keyspace: keyspace, Name: "readings"}
	add := func(name string, k cql.Kind, r cql.Role) {
		t.Columns = append(t.Columns, cql.Column{Name: name, Type: cql.Type{Kind: k}, Role: r})
	}
	add("device", cql.Text, cql.PartitionKey)
	add("ts", cql.Timestamp, cql.ClusteringKey)
	add("seq", cql.Int, cql.ClusteringKey)
	for i, k := range []cql.Kind{cql.Text, cql.Double, cql.Double, cql.BigInt, cql.Boolean, cql.Text, cql.UUID} {
		add(fmt.Sprint("c", i), k, cql.Regular)
	}
	return t
}

func benchRow(partition, i int) cql.Row {
	be := binary.BigEndian
	r := cql.Row{Timestamp: 1}
	add := func(v []byte) { r.Values = cql.AppendValue(r.Values, v) }
	number := be.AppendUint64(nil, math.Float64bits(float64(i)/8))
	add(fmt.Appendf(nil, "device-%07d", partition))
	r.Partition = len(r.Values)
	add(be.AppendUint64(nil, uint64(1_700_000_000_000+i)))
	add(be.AppendUint32(nil, uint32(i)))
	r.Key = len(r.Values)
	add([]byte("status ok"))
	add(number)
	add(number)
	add(number)
	add([]byte{byte(i & 1)})
	add([]byte("a note of some thirty letters.."))
	add(append(number, number...))
	return r
}

// cpuSeconds is what this process has used so far.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
