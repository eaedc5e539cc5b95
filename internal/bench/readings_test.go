package bench

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// partitions is how many partition keys the readings have; their rows come in no order.
const partitions = 20_000

// readingsPipeline loads readings into a keyspace of its own.
const readingsPipeline = `name: readings
source: {format: csv}
table: {keyspace: %s, name: readings, partition_key: [device], clustering_key: [ts, seq], create: true}
columns:
  - {name: device, type: text}
  - {name: ts, type: timestamp}
  - {name: seq, type: int}
  - {name: status, type: text}
  - {name: temperature, type: double}
  - {name: pressure, type: float}
  - {name: total, type: bigint}
  - {name: valid, type: boolean}
  - {name: note, type: text}
  - {name: batch, type: uuid}
`

// readings writes a CSV file of at least size bytes, the same at every run, and gives its path and number of rows.
func readings(tb testing.TB, size int64) (path string, rows int64) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "readings.csv")
	f, err := os.Create(path)
	must(tb, err)
	w := bufio.NewWriterSize(f, 1<<20)
	n, err := w.WriteString("device,ts,seq,status,temperature,pressure,total,valid,note,batch\n")
	must(tb, err)
	random := rand.New(rand.NewPCG(1, 2))
	var line []byte
	for written := int64(n); written < size; rows++ {
		line = appendReading(line[:0], random, rows)
		written += int64(len(line))
		_, err := w.Write(line)
		must(tb, err)
	}
	must(tb, w.Flush())
	must(tb, f.Close())
	return path, rows
}

// firstReading is when the first one was taken.
var firstReading = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// appendReading appends record i. Every eighth note is quoted, and holds a delimiter, a quote or a line break.
func appendReading(b []byte, random *rand.Rand, i int64) []byte {
	b = fmt.Appendf(b, "device-%05d,", random.IntN(partitions))
	b = firstReading.Add(time.Duration(i)*time.Millisecond).AppendFormat(b, "2006-01-02T15:04:05.000Z,")
	b = append(strconv.AppendInt(b, i, 10), []string{",ok,", ",warn,", ",fault,", ",,"}[random.IntN(4)]...)
	b = append(strconv.AppendFloat(b, random.Float64()*100-20, 'f', 3, 64), ',')
	b = append(strconv.AppendFloat(b, 950+random.Float64()*100, 'f', 1, 64), ',')
	b = append(strconv.AppendInt(b, random.Int64N(1e12), 10), ',')
	b = append(strconv.AppendBool(b, random.IntN(8) > 0), ',')
	b = append(b, notes[i%int64(len(notes))]...)
	return fmt.Appendf(b, ",%08x-0000-4000-8000-%012x\n", random.Uint32(), random.Uint64()>>16)
}

var notes = []string{"", "calm", "steady", "rising", "falling", "calibrated", `"gusts, then ""calm"""`, "", "", "calm",
	"steady", "rising", "falling", "calibrated", "\"two\nlines\"", ""}
