package sqlite_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/table/sqlite"
)

// readings has ten columns, as the loads in docs do.
var readings = cql.Table{Keyspace: "lab", Name: "readings", Columns: []cql.Column{
	column("device", cql.Text, cql.PartitionKey),
	column("ts", cql.Timestamp, cql.ClusteringKey), column("seq", cql.Int, cql.ClusteringKey),
	column("level", cql.Int, cql.Regular), column("flow", cql.Double, cql.Regular),
	column("status", cql.Text, cql.Regular), column("ok", cql.Boolean, cql.Regular),
	column("total", cql.BigInt, cql.Regular), column("site", cql.Text, cql.Regular),
	column("note", cql.Text, cql.Regular),
}}

func reading(i int, at int64) cql.Row {
	be := binary.BigEndian
	device := i * 2_654_435_761 % 20_000
	v := cql.AppendValue(nil, fmt.Appendf(nil, "device-%05d", device))
	partition := len(v)
	v = cql.AppendValue(v, be.AppendUint64(nil, uint64(1_767_225_600_000+int64(i)*1000)))
	v = cql.AppendValue(v, be.AppendUint32(nil, uint32(i)))
	key := len(v)
	v = cql.AppendValue(v, be.AppendUint32(nil, uint32(i%500)))
	v = cql.AppendValue(v, be.AppendUint64(nil, 0x3ff0_0000_0000_0000+uint64(i)))
	v = cql.AppendValue(v, []byte("running"))
	v = cql.AppendValue(v, []byte{byte(i % 2)})
	v = cql.AppendValue(v, be.AppendUint64(nil, uint64(i)*7))
	v = cql.AppendValue(v, fmt.Appendf(nil, "site %d of the valley", i%50))
	v = cql.AppendValue(v, []byte("twenty bytes of note"))
	return cql.Row{Values: v, Partition: partition, Key: key, Timestamp: at}
}

// segment is 80,000 rows, about 8 MB of a file.
const segment = 80_000

func readingsFrom(start int, at int64) []cql.Row {
	rows := make([]cql.Row, segment)
	for i := range rows {
		rows[i] = reading(start+i, at)
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows
}

func benchWriter(b *testing.B, db *sqlite.DB) *sqlite.Writer {
	b.Helper()
	if err := db.Create(b.Context(), readings, nil); err != nil {
		b.Fatal(err)
	}
	w, err := db.Writer(b.Context(), readings, cql.WriteOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return w
}

// benchWrites reports rows per CPU-second of segments that next makes.
func benchWrites(b *testing.B, w *sqlite.Writer, next func(i int) []cql.Row) {
	b.Helper()
	var cpu time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		rows := next(n)
		n++
		before := cpuTime(b)
		b.StartTimer()
		if _, err := w.Write(b.Context(), rows, time.Time{}); err != nil {
			b.Fatal(err)
		}
		cpu += cpuTime(b) - before
	}
	b.ReportMetric(float64(n*segment)/cpu.Seconds(), "rows/cpu-s")
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkFresh(b *testing.B) {
	w := benchWriter(b, open(b))
	benchWrites(b, w, func(i int) []cql.Row { return readingsFrom(i*segment, 1) })
}

func BenchmarkReplayed(b *testing.B) {
	w := benchWriter(b, open(b))
	rows := readingsFrom(0, 1)
	if _, err := w.Write(b.Context(), rows, time.Time{}); err != nil {
		b.Fatal(err)
	}
	benchWrites(b, w, func(int) []cql.Row { return rows })
}

func BenchmarkUpdated(b *testing.B) {
	w := benchWriter(b, open(b))
	if _, err := w.Write(b.Context(), readingsFrom(0, 1), time.Time{}); err != nil {
		b.Fatal(err)
	}
	benchWrites(b, w, func(i int) []cql.Row { return readingsFrom(0, int64(i+2)) })
}
