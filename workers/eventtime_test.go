package workers

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

const eventTimeSpec = `
name: m
source: {format: ndjson}
table: {keyspace: lab, name: m, partition_key: [p], clustering_key: [c]}
columns:
  - {name: p, type: text}
  - {name: c, type: text}
  - {name: s, type: text, static: true}
  - {name: a, type: text}
  - {name: b, type: text}
  - {name: d, type: text}
  - {name: at, type: timestamp}
nulls: delete
write: {timestamp: at}
allow_unsafe: [event_time_ties]
`

// event is a cell as the oracle holds it.
type event struct {
	at    int64
	value any // string or nil
}

// events writes records of few keys and few times, of which no two segments share one, and gives the table that reading
// them one at a time makes: a later time wins in each cell, at one time the later record.
func events(rnd *rand.Rand, segmentSize int64) (data []byte, cells map[string]string, records int64) {
	var b bytes.Buffer
	latest := map[string]event{}
	pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
	for range 1 + rnd.IntN(60) {
		at := int64(1_000_000 + 1000*rnd.IntN(4) + b.Len()/int(segmentSize))
		r := map[string]any{"p": pick("p1", "p2"), "c": pick("c1", "c2", "c3"), "at": at}
		partition := string(cql.AppendValue(nil, []byte(r["p"].(string))))
		key := partition + string(cql.AppendValue(nil, []byte(r["c"].(string))))
		set := func(cell string, value any) {
			if old, ok := latest[cell]; !ok || at >= old.at {
				latest[cell] = event{at, value}
			}
		}
		set(key+" row", "")
		set(key+" at", string(binary.BigEndian.AppendUint64(nil, uint64(at))))
		for _, column := range []string{"s", "a", "b", "d"} {
			owner := key
			if column == "s" {
				owner = partition
			}
			switch rnd.IntN(4) {
			case 0: // unset
				continue
			case 1:
				r[column] = nil
			default:
				r[column] = pick("u", "v", "w", "x")
			}
			set(owner+" "+column, r[column])
		}
		line, _ := json.Marshal(r) // strings, numbers and nil
		b.Write(append(line, '\n'))
		records++
	}
	cells = map[string]string{}
	for cell, e := range latest {
		if text, ok := e.value.(string); ok {
			cells[cell] = text
		}
	}
	return b.Bytes(), cells, records
}

// TestEventTimeDecides: whatever the segments and their order, and twice, the latest event time wins in each cell.
func TestEventTimeDecides(t *testing.T) {
	t.Parallel()
	c := compiled(t, eventTimeSpec)
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		size := int64(60 + rnd.IntN(3000))
		data, want, records := events(rnd, size)
		table := newMemoryTable(c.Table().Columns, nil)
		r := newRig(c, write(table.write))
		r.source.data["o"] = zipped(data)
		w := work(r.source.part("o", "gzip", 0, chunk.Segments(int64(len(r.source.data["o"])), "gzip", size)))
		w.SegmentSize = size
		l := newLoader(r.Workers)
		for range 2 {
			got, err := l.load(t.Context(), w)
			must(t, err)
			if !got.Counts.Balanced() || got.Counts.Read != records || got.Error != nil {
				t.Fatalf("seed %d: %+v, expected %d records", seed, got, records)
			}
		}
		if got := table.dump(); got != dumpCells(want) {
			t.Fatalf("seed %d: found\n%s\nexpected\n%s\nof\n%s", seed, got, dumpCells(want), data)
		}
	}
}

// TestEventTimeRefusals: of records of one key at several times only those that the database refuses are rejects, and
// their cells fall to the records before them in time.
func TestEventTimeRefusals(t *testing.T) {
	t.Parallel()
	c := compiled(t, eventTimeSpec)
	table := newMemoryTable(c.Table().Columns, isBad)
	r := newRig(c, write(table.write))
	r.source.data["o"] = []byte(`{"p":"p","c":"1","at":30,"a":"bad","b":"3"}
{"p":"p","c":"1","at":20,"a":"2","d":"2"}
{"p":"p","c":"1","at":40,"b":"4"}
{"p":"p","c":"1","at":10,"a":"1","d":"1"}
{"p":"q","c":"1","at":10,"a":"bad"}
`)
	got, err := newLoader(r.Workers).load(t.Context(), work(r.source.part("o", "none", 0, 1)))
	must(t, err)
	if want := (contracts.Counts{Read: 5, Written: 1, Merged: 2, Rejected: 2}); got.Counts != want {
		t.Errorf("found %+v, expected %+v", got.Counts, want)
	}
	rejects := rejected(t, r.rejects.docs)
	if len(rejects) != 2 || rejects["s3://landing/o@0"] != "bad a" {
		t.Errorf("rejected %q", rejects)
	}
	dump := table.dump()
	for column, value := range map[string]string{"a": "2", "b": "4", "d": "2"} {
		if !strings.Contains(dump, fmt.Sprintf(" %s\" = %q", column, value)) {
			t.Errorf("column %s is not %s:\n%s", column, value, dump)
		}
	}
}

// TestEventTimeIsNotReplayed: what asks who wrote a cell is told that it cannot be known.
func TestEventTimeIsNotReplayed(t *testing.T) {
	t.Parallel()
	_, err := replayOf(t, eventTimeSpec, "{}\n", nil, nil)
	if contracts.KindOf(err) != contracts.KindConfig || !strings.Contains(err.Error(), "write.timestamp") {
		t.Errorf("found %v", err)
	}
}
