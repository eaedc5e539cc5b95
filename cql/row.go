package cql

import (
	"context"
	"encoding/binary"
	"time"
)

// Row is one row, packed: for each column of its table a 32-bit big-endian length and as many bytes, as the native
// protocol sends values. Length -1 is null, -2 unset.
type Row struct {
	Values    []byte
	Partition int   // end of the partition key's values in Values
	Key       int   // end of the primary key's values in Values
	Timestamp int64 // microseconds: what the row is written USING
}

// PartitionBytes are the partition key's packed values: equal partitions are equal bytes.
func (r Row) PartitionBytes() []byte { return r.Values[:r.Partition] }

// KeyBytes are the primary key's packed values: equal keys are equal bytes.
func (r Row) KeyBytes() []byte { return r.Values[:r.Key] }

// The lengths that stand for no value.
const (
	nullLength  = -1
	unsetLength = -2
)

// AppendValue packs a value.
func AppendValue(dst, value []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(value)))
	return append(dst, value...)
}

// AppendNull packs a null.
func AppendNull(dst []byte) []byte { return binary.BigEndian.AppendUint32(dst, uint32(0xffffffff)) }

// AppendUnset packs an unset value.
func AppendUnset(dst []byte) []byte { return binary.BigEndian.AppendUint32(dst, uint32(0xfffffffe)) }

// Value is one packed value, read back.
type Value struct {
	Bytes []byte // nil for null and unset; empty, not nil, for an empty value
	Unset bool
}

// Null says that the value is null, not unset.
func (v Value) Null() bool { return v.Bytes == nil && !v.Unset }

// NextValue reads the first packed value and returns what follows it. Values that were packed by this package only.
func NextValue(packed []byte) (v Value, rest []byte) {
	n := int32(binary.BigEndian.Uint32(packed))
	rest = packed[4:]
	switch n {
	case unsetLength:
		return Value{Unset: true}, rest
	case nullLength:
		return Value{}, rest
	default:
		return Value{Bytes: rest[:n:n]}, rest[n:]
	}
}

// WriteOptions hold for all rows of a pipeline.
type WriteOptions struct {
	Consistency string // ONE, LOCAL_QUORUM, …; "" is LOCAL_QUORUM
	TTL         int64  // seconds from the job's base time that a row lives; 0 is for ever
	// Pace is called before each batch is sent, which waits until it returns; an error of it ends the write. bytes are
	// those of the rows' packed values. It is safe for concurrent use. nil: no batch waits.
	Pace func(ctx context.Context, rows, bytes int) error
	// Meter is told what becomes of each batch. nil: nobody counts.
	Meter WriteMeter
}

// WriteMeter counts what a writer sends: batches to Cassandra, transactions of SQLite. It is called by many goroutines.
type WriteMeter interface {
	// Batch is told of one that the database acknowledged.
	Batch(rows int, took time.Duration)
	// Retry is told of one that is sent again, and of why, in one word.
	Retry(reason string)
}

// Refusal is a row that the database will never take, in the database's words.
type Refusal struct {
	Row    int // index in what was written
	Reason string
}

// CellRow is one row read back from a table with the write time of each cell, for tests and verification.
type CellRow struct {
	Values []Value // in the table's column order
	Times  []int64 // microseconds; 0 for key columns and for cells without a value
}
