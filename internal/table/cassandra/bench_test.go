package cassandra

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/testenv"
)

// benchRows is written in a round. A row is about 110 bytes of CSV.
const (
	benchRows = 200_000
	csvBytes  = 110
)

// BenchmarkWrite writes rows of ten columns in no order, a segment's worth of them at a time, by a Writer in several
// settings and by a plain loop over the driver. It reports rows/s and, for a million rows, the CPU-seconds of this
// process and of the server, which is the bench's own and is warmed up first.
func BenchmarkWrite(b *testing.B) {
	server := testenv.StartCassandra(b, testenv.CassandraOptions{HeapMB: 2048, Long: true, Lossy: true, Tuned: true})
	db := opened(b, config(b, server.Addr))
	usual := func(*Writer) {}
	warn := func(partitions, bytes int) func(*Writer) {
		return func(w *Writer) { w.warn = thresholds{partitions, bytes} }
	}
	for round, c := range []struct {
		name       string
		partitions int
		segment    int // MB of CSV
		setting    func(*Writer)
	}{
		{"warm-up", 20_000, 64, usual},
		{"20,000 partitions/64 MB", 20_000, 64, usual},
		{"20,000 partitions/32 MB", 20_000, 32, usual},
		{"20,000 partitions/16 MB", 20_000, 16, usual},
		{"20,000 partitions/8 MB", 20_000, 8, usual},
		{"20,000 partitions/8 MB/30 partitions and 32 KiB", 20_000, 8, warn(30, 32<<10)},
		{"20,000 partitions/64 MB/plain loop", 20_000, 64, nil},
		{"unique/64 MB", benchRows, 64, usual},
		{"unique/64 MB/30 partitions and 32 KiB", benchRows, 64, warn(30, 32<<10)},
	} {
		b.Run(c.name, func(b *testing.B) {
			f := benchFixture(b, db)
			rows := shuffledRows(c.partitions, int64(round))
			w := f.writer(cql.WriteOptions{})
			write := func(rows []cql.Row) { f.write(w, rows...) }
			if c.setting == nil {
				write = plainLoop(b, server.Addr, f.table)
			} else {
				c.setting(w)
			}
			client, there := cpuSeconds(), serverSeconds(b, server.PID())
			for b.Loop() {
				for part := range slices.Chunk(rows, c.segment<<20/csvBytes) {
					write(part)
				}
			}
			n := float64(b.N) * benchRows
			b.ReportMetric(n/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric((cpuSeconds()-client)/n*1e6, "client-s/Mrow")
			b.ReportMetric((serverSeconds(b, server.PID())-there)/n*1e6, "server-s/Mrow")
		})
	}
}

// plainLoop is a loop over the driver at its best settings: rows sorted by key, batches of one partition and up to a
// hundred rows, 32 at a time, their values handed over as bytes, to a session that knows no ring.
func plainLoop(b *testing.B, addr string, table cql.Table) func(rows []cql.Row) {
	cluster := gocql.NewCluster(addr)
	cluster.Timeout, cluster.Consistency, cluster.DisableInitialHostLookup = time.Minute, gocql.LocalOne, true
	s, err := cluster.CreateSession()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	insert := strings.TrimSuffix(cql.Insert(table, false), " USING TIMESTAMP ?")
	return func(rows []cql.Row) {
		rows = slices.Clone(rows)
		slices.SortFunc(rows, func(a, b cql.Row) int { return bytes.Compare(a.KeyBytes(), b.KeyBytes()) })
		batches := make(chan []cql.Row, 32)
		var senders sync.WaitGroup
		for range 32 {
			senders.Go(func() {
				for batch := range batches {
					if err := plainBatch(s, insert, batch); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for start := 0; start < len(rows); {
			end := start + 1
			for end < len(rows) && end-start < 100 && bytes.Equal(rows[end].PartitionBytes(), rows[start].PartitionBytes()) {
				end++
			}
			batches <- rows[start:end]
			start = end
		}
		close(batches)
		senders.Wait()
	}
}

func plainBatch(s *gocql.Session, insert string, rows []cql.Row) error {
	batch := s.NewBatch(gocql.UnloggedBatch)
	for _, r := range rows {
		var args []any
		for packed := r.Values; len(packed) > 0; {
			var v cql.Value
			v, packed = cql.NextValue(packed)
			value := cell(v.Bytes)
			args = append(args, &value)
		}
		batch.Query(insert, args...)
	}
	return s.ExecuteBatch(batch)
}

func benchFixture(b *testing.B, db *DB) *fixture {
	f := &fixture{t: b, db: db, table: benchTable(testenv.Name(b, "bench"))}
	if err := db.Create(b.Context(), f.table, nil); err != nil {
		b.Fatal(err)
	}
	return f
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

// shuffledRows are benchRows rows of so many partitions, in no order, written at ts.
func shuffledRows(partitions int, ts int64) []cql.Row {
	order := rand.New(rand.NewPCG(1, 2)).Perm(benchRows)
	rows := make([]cql.Row, benchRows)
	for i, n := range order {
		rows[i] = benchRow(n%partitions, n)
		rows[i].Timestamp = 1 + ts
	}
	return rows
}

func benchRow(partition, i int) cql.Row {
	be := binary.BigEndian
	r := cql.Row{Timestamp: 1, Values: make([]byte, 0, 176)}
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

// BenchmarkPrepare is what the rows of a segment cost before its first batch is sent: tokens, costs, order and
// batches. It needs no server.
func BenchmarkPrepare(b *testing.B) {
	rows := shuffledRows(20_000, 0)
	w := &Writer{multi: make([]bool, 7), warn: thresholds{usualPartitions, usualBytes}}
	r := new(ring)
	cpu := cpuSeconds()
	batches := 0
	for b.Loop() {
		for range w.batches(rows, r.group(w.sorted(rows))) {
			batches++
		}
	}
	n := float64(b.N) * benchRows
	b.ReportMetric((cpuSeconds()-cpu)/n*1e6, "cpu-s/Mrow")
	b.ReportMetric(n/float64(batches), "rows/batch")
}

// cpuSeconds is what this process has used so far.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// serverSeconds is what another process has used so far, as Linux tells it: in hundredths of a second.
func serverSeconds(b *testing.B, pid int) float64 {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		testenv.Skip(b, "no /proc tells what the server uses: %v", err)
	}
	fields := strings.Fields(string(line[bytes.LastIndexByte(line, ')')+1:]))
	user, errUser := strconv.Atoi(fields[11])
	system, errSystem := strconv.Atoi(fields[12])
	if err := cmp.Or(errUser, errSystem); err != nil {
		b.Fatal(err)
	}
	return float64(user+system) / 100
}
