package cassandra

import (
	"bytes"
	"encoding/binary"
	"iter"

	"github.com/penstock-io/penstock/cql"
)

// Bounds of one batch. Batches of one partition are one mutation, and exempt from the server's thresholds; those over
// partitions stay below the ones at which it logs a warning: 10 partitions, 5 KiB.
const (
	maxBatchRows  = 100
	maxBatchBytes = 32 << 10
	maxPartitions = 10
	maxMixedBytes = 5 << 10
)

// What a row costs in the server's count beside its values' bytes: write time, TTL and deletion time of each cell, the
// same of the row, and a path for each element of an unfrozen collection.
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

// batches cuts the sorted rows: many rows of a partition make batches of their own, few share one with their
// neighbours on the ring, which mostly have the same replicas. A row that is too large goes alone.
func (w *Writer) batches(rows []cql.Row) iter.Seq[[]entry] {
	return func(yield func([]entry) bool) {
		var mixed run // complete partitions, adjacent in order
		partitions := 0
		flush := func() bool {
			ok := len(mixed.entries) == 0 || yield(mixed.entries)
			mixed, partitions = run{}, 0
			return ok
		}
		for r := range w.runs(rows) {
			if partitions == maxPartitions || mixed.bytes+r.bytes > maxMixedBytes {
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

// runs cuts the sorted rows into runs. Two runs may be of one partition, if it is large.
func (w *Writer) runs(rows []cql.Row) iter.Seq[run] {
	return func(yield func(run) bool) {
		entries := w.sorted(rows)
		for start := 0; start < len(entries); {
			first := rows[entries[start].row]
			r := run{bytes: w.cost(first)}
			end := start + 1
			for ; end < len(entries) && end-start < maxBatchRows; end++ {
				next := rows[entries[end].row]
				cost := w.cost(next)
				if r.bytes+cost > maxBatchBytes || !bytes.Equal(first.PartitionBytes(), next.PartitionBytes()) {
					break
				}
				r.bytes += cost
			}
			r.entries = entries[start:end]
			if !yield(r) {
				return
			}
			start = end
		}
	}
}

// cost estimates what the server will count for a row. It errs upwards.
func (w *Writer) cost(r cql.Row) int {
	total := rowOverhead
	packed := r.Values
	for i := range w.table.Columns {
		n := int(int32(binary.BigEndian.Uint32(packed)))
		packed = packed[4:]
		if n < 0 {
			total += cellOverhead
			continue
		}
		total += cellOverhead + n
		if n >= 4 && w.multi[i] {
			total += elementOverhead * int(min(binary.BigEndian.Uint32(packed), uint32(n/4)))
		}
		packed = packed[n:]
	}
	return total
}
