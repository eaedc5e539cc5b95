// Package chunk plans the byte ranges of objects and reads whole records from one.
//
// A record belongs to the range that its first byte is in, and its reader reads on past the range's end to finish it.
// What must never happen: a record that two ranges both yield, or neither; a read beyond the object's pinned size;
// memory that grows with an object, a range or a record over the limit.
package chunk

import (
	"context"
	"io"
	"iter"
	"math"
	"strings"

	"github.com/penstock-io/penstock/contracts"
)

// Opener reads objects, each in the version that o pins: n bytes from off on, or to the end where n is negative. An
// object that changed is KindChanged, one that is gone KindMissing.
type Opener interface {
	Open(ctx context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error)
}

// The compressions, as parts name them.
const (
	none = "none"
	gz   = "gzip"
	zst  = "zstd"
)

// Compression is how the object at key is compressed: none, gzip or zstd. auto goes by the key's suffix.
func Compression(f contracts.Format, key string) string {
	if f.Compression != "" && f.Compression != "auto" {
		return f.Compression
	}
	switch key = strings.ToLower(key); {
	case strings.HasSuffix(key, ".gz"), strings.HasSuffix(key, ".bgz"):
		return gz
	case strings.HasSuffix(key, ".zst"):
		return zst
	default:
		return none
	}
}

// Splittable says whether an object can be read from any of its bytes on. Of the others ReadBlocks tells.
func Splittable(_ contracts.Format, compression string) bool { return compression == none }

// isCSV tells the formats whose records the automaton finds from those whose records are lines.
func isCSV(f contracts.Format) bool { return f.Name == "csv" || f.Name == "tsv" }

// NeedsScan says whether a range's records can be found only with the automaton's state at its start: a quoted value
// may hold line breaks. Otherwise the reader aligns itself at the first line break.
func NeedsScan(f contracts.Format) bool { return isCSV(f) && f.CSV.Quote != "" && f.CSV.QuotedNewlines }

// Ranges splits [dataOffset, size) into ranges of segment bytes, the last one shorter: [start, end) each. segment must
// be positive.
func Ranges(size, dataOffset, segment int64) iter.Seq2[int64, int64] {
	return func(yield func(start, end int64) bool) {
		for start := dataOffset; start < size; start += segment {
			if !yield(start, min(size, start+segment)) {
				return
			}
		}
	}
}

// The most that one byte can stand for: deflate's limit, and a four-byte zstd block of 128 KiB.
const (
	maxGzipRatio = 1032
	maxZstdRatio = 32 << 10
)

func ratio(compression string) int64 {
	switch compression {
	case gz:
		return maxGzipRatio
	case zst:
		return maxZstdRatio
	default:
		return 1
	}
}

// Segments is how many segments an object of size stored bytes can have at the most, at least 1: the ordinals to
// reserve for it.
func Segments(size int64, compression string, segment int64) int64 {
	ratio := ratio(compression)
	if size > math.MaxInt64/ratio {
		return math.MaxInt64 / segment
	}
	return max(1, (size*ratio-1)/segment+1)
}

// BlockSegments is how many ordinals to reserve for the blocks that start in [start, end) of a compressed object. Over
// its ranges the counts add up as if by position: blocks that reach into the next ranges find ordinals reserved there,
// where no other block starts.
func BlockSegments(start, end int64, compression string, segment int64) int64 {
	ratio := ratio(compression)
	return end*ratio/segment - start*ratio/segment + 1
}

// SegmentOf is the segment, from 0, of a record at offset in a stream whose records begin at start.
func SegmentOf(offset, start, segmentSize int64) int64 { return (offset - start) / segmentSize }
