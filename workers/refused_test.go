package workers

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/chunk/csv"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// noFives refuses each row of offsetSpec whose n divides by five, and notes n.
func noFives(refusedBefore func(n []int)) write {
	return func(_ context.Context, rows []cql.Row) (refused []cql.Refusal, _ error) {
		var all []int
		for i, row := range rows {
			_, rest := cql.NextValue(row.Values)
			v, _ := cql.NextValue(rest)
			if n := int(binary.BigEndian.Uint32(v.Bytes)); n%5 == 0 {
				all = append(all, n)
				refused = append(refused, cql.Refusal{Row: i, Reason: "no fives"})
			}
		}
		refusedBefore(all)
		return refused, nil
	}
}

// rejectsOf are the lines of a completion's reject objects, in order.
func rejectsOf(t testing.TB, r *rig, c contracts.Completion) (all []contracts.Reject) {
	t.Helper()
	for _, key := range c.Rejects {
		for line := range bytes.Lines(r.rejects.docs[key]) {
			var reject contracts.Reject
			must(t, json.Unmarshal(line, &reject))
			all = append(all, reject)
		}
	}
	return all
}

// TestRefusedRecords: a row that the database refuses is a reject with the bytes of its record, however these are got.
func TestRefusedRecords(t *testing.T) {
	t.Parallel()
	const records = 400
	data := lines(records)
	third := len(data) / 3
	members := [][]byte{zipped(data[:third]), zipped(data[third : 2*third]), zipped(data[2*third:])}
	first, next := int64(len(members[0])), int64(len(members[0])+len(members[1]))
	for _, c := range []struct {
		name   string
		stored []byte
		part   func(p *contracts.Part)
		size   int64 // of a segment
		kept   bool
	}{
		{"whole", data, func(*contracts.Part) {}, 1 << 20, false},
		{"split", data, func(p *contracts.Part) {
			p.Start, p.End, p.Whole, p.Records = int64(third), int64(2*third), false, -1
		}, 1 << 20, false},
		{"gzip", zipped(data), func(p *contracts.Part) { p.Compression = "gzip" }, 1 << 20, false},
		{"some segments", zipped(data), func(p *contracts.Part) {
			p.Compression, p.Segments = "gzip", checkpointSegments
		}, 1000, false},
		{"long stream", zipped(data), func(p *contracts.Part) { p.Compression, p.Segments = "gzip", 1000 }, 100, true},
		{"bgzip", slices.Concat(members...), func(p *contracts.Part) {
			p.Start, p.End, p.Whole, p.Records, p.Compression, p.Segments = first, next, false, -1, "gzip", 1000
			p.State = csv.InRecord
			p.Blocks = &contracts.Blocks{First: first, Next: next, Start: int64(third), End: int64(2 * third)}
		}, 1000, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var refused []int
			w := noFives(func(n []int) { refused = append(refused, n...) })
			r := newRig(compiled(t, fmt.Sprintf(offsetSpec, "")), w)
			r.source.data["o"] = c.stored
			p := r.source.part("o", "none", 0, 1)
			c.part(&p)
			w1 := work(p)
			w1.SegmentSize = c.size
			l := newLoader(r.Workers)
			got, err := l.load(t.Context(), w1)
			must(t, err)
			all := rejectsOf(t, r, got)
			if got.Error != nil || len(all) != len(refused) || len(all) < records/20 || l.batch.kept != c.kept {
				t.Fatalf("%d rejects, expected %d; kept %t; %v", len(all), len(refused), l.batch.kept, got.Error)
			}
			if n := int64(len(all)); got.Counts.Rejected != n || got.Rules[contracts.RuleDatabase] != n {
				t.Errorf("found %+v and %v, expected %d rejected", got.Counts, got.Rules, n)
			}
			for i, reject := range all {
				want := string(data[reject.Offset:][:reject.Length])
				if *reject.Raw != want || !strings.HasPrefix(want, fmt.Sprintf(`{"n":%d,`, refused[i])) {
					t.Errorf("reject %d: found %+v, raw %q, expected %q of %d", i, reject, *reject.Raw, want, refused[i])
				}
				if p.Records == 0 && *reject.Record != int64(refused[i])+1 || p.Records < 0 && reject.InChunk == 0 {
					t.Errorf("record %d: found %+v", refused[i], reject)
				}
			}
		})
	}
}

// TestRefusedRecordsOfAChangedObject: what cannot be read again is an error of that object alone, and the counts say
// what is in the table.
func TestRefusedRecordsOfAChangedObject(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*store){
		"no record begins here": func(s *store) {
			s.data["b"] = bytes.Repeat([]byte("{\"n\":1}\n"), 4000)[:len(s.data["b"])]
		},
		"etag": func(s *store) {
			s.fail["b"] = contracts.At(contracts.KindChanged, "s3://landing/b", -1, "another etag: expected e1")
		},
		"the end": func(s *store) {
			s.late = map[string]broken{"b": {shut: contracts.At(contracts.KindChanged, "s3://landing/b", -1, "the end")}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r *rig
			refused := 0
			r = newRig(compiled(t, fmt.Sprintf(offsetSpec, "")), noFives(func(n []int) {
				refused = len(n)
				change(r.source)
			}))
			var parts []contracts.Part
			for i, key := range []string{"a", "b", "c"} {
				r.source.data[key] = lines(100)
				parts = append(parts, r.source.part(key, "none", int64(i), 1))
			}
			c, err := newLoader(r.Workers).load(t.Context(), work(parts...))
			must(t, err)
			if c.Error == nil || c.Error.Kind != contracts.KindChanged || *c.Error.Object != "s3://landing/b" ||
				!strings.Contains(c.Error.Message, name) || c.Error != c.Parts[1].Error {
				t.Fatalf("found %+v", c.Error)
			}
			for i, p := range c.Parts {
				lost := int64(100) - p.Counts.Read
				if p.Counts.Written != 80 || !p.Counts.Balanced() || i != 1 && lost+int64(refused) != 60 {
					t.Errorf("part %d: found %+v of %d refused in all", i, p.Counts, refused)
				}
			}
		})
	}
}

// TestRefusedRecordsOfAStoreThatIsAway: the chunk has no outcome yet.
func TestRefusedRecordsOfAStoreThatIsAway(t *testing.T) {
	t.Parallel()
	var r *rig
	r = newRig(compiled(t, fmt.Sprintf(offsetSpec, "")), noFives(func([]int) {
		r.source.fail["o"] = contracts.Errorf(contracts.KindUnavailable, "no store")
	}))
	r.source.data["o"] = lines(10)
	if _, err := newLoader(r.Workers).load(t.Context(), work(r.source.part("o", "none", 0, 1))); contracts.KindOf(err) !=
		contracts.KindUnavailable {
		t.Errorf("found %v", err)
	}
}
