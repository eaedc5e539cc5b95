package cql

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Token is the Murmur3Partitioner's token of a partition key, given as Row.PartitionBytes: where on the ring its
// partition lives. scratch is memory to use, which may be nil; hand what is returned to the next call, and there is no
// allocation.
func Token(partition, scratch []byte) (token int64, memory []byte) {
	v, rest := NextValue(partition)
	if len(rest) == 0 {
		return murmur(v.Bytes), scratch
	}
	scratch = appendComponent(scratch[:0], v.Bytes)
	for len(rest) > 0 {
		v, rest = NextValue(rest)
		scratch = appendComponent(scratch, v.Bytes)
	}
	return murmur(scratch), scratch
}

// appendComponent packs a column of a composite partition key as Cassandra's CompositeType does.
func appendComponent(dst, value []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(value)))
	return append(append(dst, value...), 0)
}

const (
	murmurC1 = 0x87c37b91114253d5
	murmurC2 = 0x4cf5ad432745937f
)

// murmur is the first half of MurmurHash3_x64_128 with Cassandra's flaw: the last bytes, those that fill no block of
// 16, are taken as signed. The least number is no token; the greatest stands in for it.
func murmur(b []byte) int64 {
	h1, h2 := uint64(0), uint64(0)
	tail := b
	for ; len(tail) >= 16; tail = tail[16:] {
		h1 ^= mix1(binary.LittleEndian.Uint64(tail))
		h1 = (bits.RotateLeft64(h1, 27)+h2)*5 + 0x52dce729
		h2 ^= mix2(binary.LittleEndian.Uint64(tail[8:]))
		h2 = (bits.RotateLeft64(h2, 31)+h1)*5 + 0x38495ab5
	}
	h2 ^= mix2(signedTail(tail[min(8, len(tail)):]))
	h1 ^= mix1(signedTail(tail[:min(8, len(tail))]))
	h1 ^= uint64(len(b))
	h2 ^= uint64(len(b))
	h1 += h2
	h2 += h1
	h1 = finish(h1) + finish(h2)
	if int64(h1) == math.MinInt64 {
		return math.MaxInt64
	}
	return int64(h1)
}

// signedTail reads up to eight bytes, the first the lowest, each with its sign.
func signedTail(b []byte) uint64 {
	k := uint64(0)
	for i, c := range b {
		k ^= uint64(int64(int8(c))) << (8 * i)
	}
	return k
}

func mix1(k uint64) uint64 { return bits.RotateLeft64(k*murmurC1, 31) * murmurC2 }

func mix2(k uint64) uint64 { return bits.RotateLeft64(k*murmurC2, 33) * murmurC1 }

func finish(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
