package workers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

const offsetSpec = `
name: p
source: {format: ndjson}
table: {keyspace: lab, name: t, partition_key: [o]}
columns:
  - {name: o, type: bigint, from: $offset}
  - {name: n, type: int}
%s`

// lines are records of some twenty bytes.
func lines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "{\"n\":%d,\"x\":\"%s\"}\n", i, strings.Repeat("x", i%7))
	}
	return b.Bytes()
}

// TestStreamSegments: each record of a stream is written at its segment's timestamp, by its offset alone.
func TestStreamSegments(t *testing.T) {
	t.Parallel()
	const size = 100
	times := map[int64]int64{} // by offset
	note := func(_ context.Context, rows []cql.Row) ([]cql.Refusal, error) {
		for _, row := range rows {
			v, _ := cql.NextValue(row.Values)
			offset := int64(0)
			for _, b := range v.Bytes {
				offset = offset<<8 | int64(b)
			}
			times[offset] = row.Timestamp
		}
		return nil, nil
	}
	r := newRig(compiled(t, fmt.Sprintf(offsetSpec, "")), write(note))
	data := lines(60)
	r.source.data["o"] = zipped(data)
	w := work(r.source.part("o", "gzip", 7, 1000))
	w.SegmentSize = size
	c, err := newLoader(r.Workers).load(t.Context(), w)
	if err != nil || c.Counts.Written != 60 || c.Error != nil || c.Bytes != int64(len(r.source.data["o"])) {
		t.Fatalf("found %+v, %v", c, err)
	}
	offset := int64(0)
	for line := range bytes.Lines(data) {
		if want := base + 7 + offset/size; times[offset] != want {
			t.Errorf("record at %d: written at %d, expected %d", offset, times[offset], want)
		}
		offset += int64(len(line))
	}
}

func TestStreamBeyondItsSegments(t *testing.T) {
	t.Parallel()
	r := newRig(compiled(t, fmt.Sprintf(offsetSpec, "")), write(accepting))
	r.source.data["o"] = zipped(lines(60))
	w := work(r.source.part("o", "gzip", 0, 2))
	w.SegmentSize = 100
	c, err := newLoader(r.Workers).load(t.Context(), w)
	if err != nil || !c.Counts.Balanced() || c.Error == nil || c.Error.Kind != contracts.KindInput ||
		c.Error.Offset == nil {
		t.Errorf("found %+v, %v", c, err)
	}
}

// TestPackedParts: the objects of a chunk do not share their errors.
func TestPackedParts(t *testing.T) {
	t.Parallel()
	r := newRig(compiled(t, fmt.Sprintf(offsetSpec, "")), write(accepting))
	r.source.data = map[string][]byte{"a": lines(3), "b": lines(4), "c": zipped(lines(50))[:40], "d": lines(2), "e": nil}
	r.source.fail["b"] = contracts.At(contracts.KindChanged, "s3://landing/b", -1, "changed")
	var parts []contracts.Part
	for i, key := range slices.Sorted(maps.Keys(r.source.data)) {
		compression := "none"
		if key == "c" {
			compression = "gzip"
		}
		parts = append(parts, r.source.part(key, compression, int64(i), 1))
	}
	got, err := newLoader(r.Workers).load(t.Context(), work(parts...))
	must(t, err)
	kinds := make([]contracts.Kind, len(got.Parts))
	written := make([]int64, len(got.Parts))
	for i, p := range got.Parts {
		if written[i] = p.Counts.Written; p.Error != nil {
			kinds[i] = p.Error.Kind
		}
		if !p.Counts.Balanced() {
			t.Errorf("part %d: %+v", i, p.Counts)
		}
	}
	if !slices.Equal(kinds, []contracts.Kind{"", contracts.KindChanged, contracts.KindInput, "", ""}) {
		t.Errorf("found errors %q", kinds)
	}
	if written[0] != 3 || written[1] != 0 || written[3] != 2 || written[4] != 0 {
		t.Errorf("found %v", written)
	}
	if got.Error == nil || got.Error.Kind != contracts.KindChanged || *got.Error.Object != "s3://landing/b" {
		t.Errorf("found %+v, expected the first failed part's error", got.Error)
	}
}

// TestErrorsThatAreNoObjects: what may pass, and what is nobody's fault, leaves the chunk without an outcome.
func TestErrorsThatAreNoObjects(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source, rejects error
	}{
		"store away":             {contracts.At(contracts.KindUnavailable, "s3://landing/o", -1, "down"), nil},
		"a fault of ours":        {contracts.At(contracts.KindInternal, "s3://landing/o", 3, "oops"), nil},
		"without coordinates":    {contracts.Errorf(contracts.KindDenied, "no"), nil},
		"rejects are not stored": {nil, contracts.At(contracts.KindDenied, "s3://rejects/r", -1, "no")},
	} {
		r, w := oneRow(t, write(accepting))
		r.source.fail["o"] = c.source
		if c.rejects != nil {
			r.Rejects = deniedRejects{c.rejects}
		}
		got, err := newLoader(r.Workers).load(t.Context(), w)
		if want := max(contracts.KindOf(c.source), contracts.KindOf(c.rejects)); contracts.KindOf(err) != want {
			t.Errorf("%s: found %+v, %v, expected an error of kind %s", name, got, err, want)
		}
	}
}

type deniedRejects struct{ err error }

func (d deniedRejects) Put(context.Context, string, []byte) error { return d.err }

// TestPackedStreamsAreWrittenInTurn: objects that share a chunk for being small as stored may be large as read.
func TestPackedStreamsAreWrittenInTurn(t *testing.T) {
	t.Parallel()
	c := compiled(t, fmt.Sprintf(offsetSpec, ""))
	table := newMemoryTable(c.Table().Columns, nil)
	r := newRig(c, write(table.write))
	var parts []contracts.Part
	for i := range 8 {
		key := fmt.Sprint(i)
		r.source.data[key] = zipped(lines(50))
		parts = append(parts, r.source.part(key, "gzip", int64(i), 1))
	}
	w := work(parts...)
	w.SegmentSize = int64(len(lines(50)))
	got, err := newLoader(r.Workers).load(t.Context(), w)
	if err != nil || got.Counts.Written != 400 || table.widest > 100 {
		t.Errorf("found %+v, %v, %d rows at once", got.Counts, err, table.widest)
	}
}

// rejectRig has more than nine megabytes of rejects.
func rejectRig(t testing.TB) (*rig, contracts.ChunkWork) {
	t.Helper()
	r := newRig(compiled(t, fmt.Sprintf(offsetSpec, "")), write(accepting))
	var b bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&b, "{\"n\":\"x%d\",\"x\":\"%s\"}\n", i, strings.Repeat("<", 9000))
	}
	b.WriteString("{\"n\":\"\xff\"}\n")
	r.source.data["o"] = b.Bytes()
	return r, work(r.source.part("o", "none", 42, 1))
}

// TestRejectObjects are of a bounded size and named by their content, and the same at every try.
func TestRejectObjects(t *testing.T) {
	t.Parallel()
	r, w := rejectRig(t)
	l := newLoader(r.Workers)
	c, err := l.load(t.Context(), w)
	must(t, err)
	if c.Counts.Rejected != 1001 || len(c.Rejects) != 3 || len(r.rejects.docs) != 3 {
		t.Fatalf("found %+v", c)
	}
	record := int64(0)
	for i, key := range c.Rejects {
		data := r.rejects.docs[key]
		sum := sha256.Sum256(data)
		if want := "p/j1/000000000042-" + hex.EncodeToString(sum[:]) + ".ndjson"; key != want {
			t.Errorf("found key %s, expected %s", key, want)
		}
		if len(data) > rejectObjectSize+20_000 || i < 2 && len(data) < rejectObjectSize {
			t.Errorf("object %d has %d bytes", i, len(data))
		}
		for line := range bytes.Lines(data) {
			record++
			expectReject(t, line, record)
		}
	}
	if record != 1001 {
		t.Errorf("found %d rejects", record)
	}
	c2, err := l.load(t.Context(), w)
	if err != nil || !slices.Equal(c.Rejects, c2.Rejects) || len(r.rejects.docs) != 3 {
		t.Errorf("another try: found %v, %v", c2.Rejects, err)
	}
}

func expectReject(t *testing.T, line []byte, record int64) {
	t.Helper()
	var r contracts.Reject
	must(t, json.Unmarshal(line, &r))
	switch {
	case r.Record == nil || *r.Record != record || r.Object != "s3://landing/o" || r.Version != "e1" || r.Job != "j1":
		t.Errorf("found %+v, expected record %d", r, record)
	case record == 1001:
		if r.Raw != nil || string(r.RawBase64) != "{\"n\":\"\xff\"}" {
			t.Errorf("found %s", line)
		}
	case r.Raw == nil || int64(len(*r.Raw)) != r.Length || r.Column != "n" || r.Rule != contracts.RuleType:
		t.Errorf("found %.200s", line)
	}
}

// TestGroupsOfRejectsOnly write nothing and merge nothing.
func TestGroupsOfRejectsOnly(t *testing.T) {
	t.Parallel()
	c := compiled(t, plainSpec)
	table := newMemoryTable(c.Table().Columns, func(column string, _ []byte) bool { return column == "n" })
	r := newRig(c, write(table.write))
	r.source.data["o"] = []byte(strings.Repeat("{\"k\":\"a\",\"n\":1}\n", 50) + "{\"k\":\"b\",\"n\":2}\n{\"k\":\"c\"}\n")
	got, err := newLoader(r.Workers).load(t.Context(), work(r.source.part("o", "none", 0, 1)))
	want := contracts.Counts{Read: 52, Written: 1, Rejected: 51}
	if err != nil || got.Counts != want || got.Rules[contracts.RuleDatabase] != 51 {
		t.Errorf("found %+v, %v, expected %+v", got, err, want)
	}
}

// TestHalfASegmentIsNotWritten: an object that fails for another reason than its content may be read further at the
// next try, and then rows of half a segment would meet those of the whole at the same timestamps.
func TestHalfASegmentIsNotWritten(t *testing.T) {
	t.Parallel()
	const address = "s3://landing/b"
	text := lines(20)
	expired := contracts.At(contracts.KindDenied, address, -1, "expired")
	changed := contracts.At(contracts.KindChanged, address, -1, "changed")
	garbage := contracts.At(contracts.KindInput, address, 3, "garbage")
	for name, c := range map[string]struct {
		late    broken
		written int64
		kind    contracts.Kind
	}{
		"denied in the middle":    {broken{len(text) / 2, expired, nil}, 0, contracts.KindDenied},
		"changed when it is shut": {broken{0, nil, changed}, 0, contracts.KindChanged},
		"changed, whatever else":  {broken{len(text) / 2, garbage, changed}, 0, contracts.KindChanged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var rows int64
			r := newRig(compiled(t, fmt.Sprintf(offsetSpec, "")), write(
				func(_ context.Context, all []cql.Row) ([]cql.Refusal, error) {
					rows += int64(len(all))
					return nil, nil
				}))
			r.source.data = map[string][]byte{"a": lines(3), "b": text, "c": lines(4)}
			r.source.late = map[string]broken{"b": c.late}
			got, err := newLoader(r.Workers).load(t.Context(), work(
				r.source.part("a", "none", 0, 1), r.source.part("b", "none", 1, 1), r.source.part("c", "none", 2, 1)))
			must(t, err)
			part := got.Parts[1]
			if part.Error == nil || part.Error.Kind != c.kind || part.Counts.Written != c.written || !part.Counts.Balanced() {
				t.Errorf("found %+v, error %+v; expected kind %s, nothing written", part.Counts, part.Error, c.kind)
			}
			if rows != 7 || got.Parts[0].Counts.Written != 3 || got.Parts[2].Counts.Written != 4 {
				t.Errorf("found %d rows written, %+v: expected 7, those of the other objects", rows, got.Parts)
			}
		})
	}
}
