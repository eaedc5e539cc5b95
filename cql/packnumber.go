package cql

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// eightDigits reads eight digits at once; the word's lowest byte is the first. Each step joins neighbours: digits to
// pairs in every second byte, pairs to fours, fours to the whole.
func eightDigits(w uint64) (n int64, ok bool) {
	w ^= '0' * everyByte
	if (w|(w+(0x7f-9)*everyByte))&highBits != 0 {
		return 0, false
	}
	w = (w*10 + w>>8) & 0x00ff00ff00ff00ff
	w = (w*100 + w>>16) & 0x0000ffff0000ffff
	return int64((w*10000 + w>>32) & 0xffffffff), true
}

// shortInt reads 1 to 18 digits, which no int64 is too small for, with a minus or without.
func shortInt(text []byte) (n int64, ok bool) {
	if len(text) == 0 {
		return 0, false
	}
	i := minus(text)
	if digits := len(text) - i; digits == 0 || digits > 18 {
		return 0, false
	}
	for ; len(text)-i >= 8; i += 8 {
		eight, ok := eightDigits(binary.LittleEndian.Uint64(text[i:]))
		if !ok {
			return 0, false
		}
		n = n*1e8 + eight
	}
	for ; i < len(text); i++ {
		c := text[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	if text[0] == '-' {
		return -n, true
	}
	return n, true
}

// minus is 1 where a minus comes first, else 0. It is no branch, since which numbers are negative cannot be foreseen.
func minus(text []byte) int { return int((uint32(text[0]^'-') - 1) >> 31) }

func packBigInt(room, text []byte) int {
	n, ok := shortInt(text)
	if !ok {
		return 0
	}
	return packWide(room, uint64(n))
}

func packInt(room, text []byte) int {
	n, ok := shortInt(text)
	if !ok || n != int64(int32(n)) {
		return 0
	}
	return packNarrow(room, uint32(n))
}

func packSmallInt(room, text []byte) int {
	n, ok := shortInt(text)
	if !ok || n != int64(int16(n)) {
		return 0
	}
	binary.BigEndian.PutUint32(room, 2)
	binary.BigEndian.PutUint16(room[header:], uint16(n))
	return header + 2
}

func packTinyInt(room, text []byte) int {
	n, ok := shortInt(text)
	if !ok || n != int64(int8(n)) {
		return 0
	}
	return packByte(room, byte(n))
}

// powers of ten that a double holds exactly, as it does whole numbers up to 2^53.
var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
	1e17, 1e18, 1e19}

// shortFloat reads up to 19 digits, with a minus and a point or without. Where they make no more than 2^53, a division
// of two numbers that are exact is the one rounding that there is, and so the nearest double.
func shortFloat(text []byte) (f float64, ok bool) {
	if len(text) == 0 {
		return 0, false
	}
	sign := minus(text)
	n, places := len(text)-sign, 0
	var v uint64
	if n >= 4 && n <= 8 {
		w := uint64(binary.LittleEndian.Uint32(text[sign:])) |
			uint64(binary.LittleEndian.Uint32(text[len(text)-4:]))<<((8*n-32)&63)
		v, places, ok = pointed(w, n)
	} else {
		v, places, ok = longDecimal(text[sign:])
	}
	return math.Copysign(float64(v)/powers[places], float64(-sign)), ok
}

// pointed reads the n lowest bytes of a word, 4 to 8: digits, one of which may be a point. What is behind it takes its
// place, and zeros come before all of it.
func pointed(w uint64, n int) (v uint64, places int, ok bool) {
	points := w ^ '.'*everyByte
	if first := (points - everyByte) &^ points & highBits; first != 0 {
		at := bits.TrailingZeros64(first) &^ 7
		before := uint64(1)<<(at&63) - 1
		w = w&before | w>>8&^before
		n--
		places = n - at/8
	}
	gap := (64 - 8*n) & 63
	eight, ok := eightDigits(w<<gap | '0'*everyByte&(1<<gap-1))
	return uint64(eight), places, ok
}

// longDecimal reads up to 20 bytes, one by one.
func longDecimal(text []byte) (v uint64, places int, ok bool) {
	if len(text) > len(powers) {
		return 0, 0, false
	}
	point := -1
	for i, c := range text {
		if c == '.' && point < 0 {
			point = i
			continue
		}
		if c -= '0'; c > 9 {
			return 0, 0, false
		}
		v = v*10 + uint64(c)
	}
	digits := len(text)
	if point >= 0 {
		digits--
		places = digits - point
	}
	return v, places, v <= 1<<53 && digits > 0 && digits < len(powers)
}

func packDouble(room, text []byte) int {
	f, ok := shortFloat(text)
	if !ok {
		return 0
	}
	return packWide(room, math.Float64bits(f))
}

// packFloat rounds the double that is nearest to the text once more. That is right but for a double in the middle of
// two floats, from which it cannot be told on which side of it the text was. Texts this short are far from the largest
// float and from the smallest.
func packFloat(room, text []byte) int {
	const dropped = 29 // bits of a double's fraction
	f, ok := shortFloat(text)
	if !ok || math.Float64bits(f)&(1<<dropped-1) == 1<<(dropped-1) {
		return 0
	}
	return packNarrow(room, math.Float32bits(float32(f)))
}
