package bench

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

// tinyPipeline loads records of which hardly anything but keys are rows: no others take as much memory for their bytes.
const tinyPipeline = `name: readings
source: {format: csv}
table: {keyspace: %s, name: tiny, partition_key: [p], clustering_key: [c], create: true}
columns: [{name: p, type: text}, {name: c, type: text}]
`

// Two segments are as large as any that the planner chooses.
const (
	tinySegment = 32 << 20
	tinyRecords = 2 * tinySegment / tinyLength
	tinyLength  = 8
)

// tiny are records of eight bytes, each of a key of its own, below a header.
func tiny() []byte {
	const digits, keys = "0123456789abcdefghijklmnopqrstuvwxyz", 36 * 36 * 36
	b := make([]byte, 0, (1+tinyRecords)*tinyLength)
	b = append(b, "p,c\n"...)
	for i := range tinyRecords {
		for _, n := range []int{i * 7919 % keys, i / keys} { // in no order
			b = append(b, digits[n/36/36], digits[n/36%36], digits[n%36], ',')
		}
		b[len(b)-1] = '\n'
	}
	return b
}

// BenchmarkLoadTiny loads records of eight bytes in the largest segments by a `penstock worker` at its defaults, which
// is a process of its own: the peak is that of a worker alone.
func BenchmarkLoadTiny(b *testing.B) {
	for _, name := range []string{"tiny.csv", "tiny.csv.gz"} {
		b.Run(name, func(b *testing.B) {
			l := newCassandraLab(b, testenv.S3(b), tinyPipeline)
			l.upload(name, tiny())
			for b.Loop() {
				before := cpuOf(b, l.worker)
				l.loadTiny(name)
				cost{cpu: cpuOf(b, l.worker) - before, peak: peakOf(b, l.worker)}.report(b, loadMiB)
			}
		})
	}
}

func (l *latencyLab) loadTiny(name string) {
	job, err := json.Marshal(contracts.Job{
		Source: []string{"s3://" + l.bucket + "/" + name}, ChunkSize: tinySegment, Force: true,
	})
	must(l.b, err)
	publishJob(l.b, l.conn, l.prefix, job)
	if got := l.awaitEnd().Records; got.Written != tinyRecords || got.Read != tinyRecords {
		l.b.Fatalf("found %+v, expected %d rows read and written", got, tinyRecords)
	}
}

// upload stores data, compressed where its name says so.
func (l *latencyLab) upload(name string, data []byte) {
	if strings.HasSuffix(name, ".gz") {
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		_, err := w.Write(data)
		must(l.b, err)
		must(l.b, w.Close())
		data = zipped.Bytes()
	}
	_, err := l.s3.Upload(l.b.Context(), l.bucket, name, bytes.NewReader(data), int64(len(data)))
	must(l.b, err)
}
