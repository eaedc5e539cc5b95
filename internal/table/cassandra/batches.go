package cassandra

import (
	"bytes"
	"encoding/binary"
	"iter"

	"github.com/penstock-io/penstock/cql"
)

// Bounds of one batch. Batches of one partition are one mutation, and exempt from the server's thresholds; those over
// partitions stay below the ones at which it logs a warning (thresholds.go).
const (
	maxBatchRows  = 100
	maxBatchBytes = 32 << 10
)

// What a row costs in the server's count beside its values' bytes: write time, TTL and deletion time of each cell, the
// same of the row, and a path for each element of an unfrozen collection. Keys are no cells.
const (
	rowOverhead     = 40
	cellOverhead    = 20
	elementOverhead = 40
)

// lanes are the parts of the ring that a call writes to at once.
const lanes = 8

// spread orders batches so that those in flight together belong to different parts of the ring, and so to different
// nodes. Each part keeps its order, which the server stores faster.
func spread(batches [][]entry) iter.Seq[[]entry] {
	return func(yield func([]entry) bool) {
		part := (len(batches) + lanes - 1) / lanes
		for i := range part {
			for at := i; at < len(batches); at += part {
				if !yield(batches[at]) {
					return
				}
			}
		}
	}
}

// run is rows of one partition that fit a batch.
type run struct {
	entries []entry
	bytes   int
}

// batches cuts rows in the order of their entries: many rows of a partition make batches of their own, few share one
// with their neighbours. A row that is too large goes alone.
func (w *Writer) batches(rows []cql.Row, entries []entry) iter.Seq[[]entry] {
	return func(yield func([]entry) bool) {
		var mixed run // complete partitions, adjacent in order
		partitions := 0
		flush := func() bool {
			ok := len(mixed.entries) == 0 || yield(mixed.entries)
			mixed, partitions = run{}, 0
			return ok
		}
		for r := range runs(rows, entries) {
			if partitions == w.warn.partitions || mixed.bytes+r.bytes > w.warn.bytes {
				if !flush() {
					return
				}
			}
			if partitions == 0 {
				mixed, partitions = r, 1
				continue
			}
			n := len(mixed.entries)
			mixed.entries = mixed.entries[:n+len(r.entries)] // the run that follows in the same slice
			mixed.bytes += r.bytes
			partitions++
		}
		flush()
	}
}

// runs cuts the entries into runs. Two runs may be of one partition, if it is large.
func runs(rows []cql.Row, entries []entry) iter.Seq[run] {
	return func(yield func(run) bool) {
		for start := 0; start < len(entries); {
			first := entries[start]
			r := run{bytes: int(first.cost)}
			end := start + 1
			for ; end < len(entries) && end-start < maxBatchRows; end++ {
				next := entries[end]
				if r.bytes+int(next.cost) > maxBatchBytes || !samePartition(rows, first, next) {
					break
				}
				r.bytes += int(next.cost)
			}
			r.entries = entries[start:end]
			if !yield(r) {
				return
			}
			start = end
		}
	}
}

func samePartition(rows []cql.Row, a, b entry) bool {
	return a.token == b.token && bytes.Equal(rows[a.row].PartitionBytes(), rows[b.row].PartitionBytes())
}

// cost estimates what the server will count for a row. It errs upwards.
func (w *Writer) cost(r cql.Row) int {
	total := rowOverhead + r.Key
	packed := r.Values[r.Key:]
	for _, multi := range w.multi {
		n := int(int32(binary.BigEndian.Uint32(packed)))
		packed = packed[4:]
		total += cellOverhead
		if n < 0 {
			continue
		}
		total += n
		if n >= 4 && multi {
			total += elementOverhead * int(min(binary.BigEndian.Uint32(packed), uint32(n/4)))
		}
		packed = packed[n:]
	}
	return total
}
