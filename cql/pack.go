package cql

import (
	"bytes"
	"encoding/binary"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/contracts"
)

// Packer packs a field that is written as most files write it: length and bytes, as AppendValue would pack what
// AppendText makes of the same text. It writes them to the start of room, which has PackRoom bytes more than the text,
// and returns how many they are; 0 where the long way must tell, because the text is rare or wrong. It never allocates.
// What it leaves in room behind these bytes means nothing.
type Packer func(room, text []byte) int

// PackRoom is what a Packer needs beside the length of the text, in bytes.
const PackRoom = 24

// Packer is the short way for fields of a kind, instead of AppendJSON; nil where there is none.
func (t Type) Packer(kind contracts.FieldKind) Packer {
	switch kind {
	case contracts.Text:
		return packers[t.Kind]
	case contracts.Number:
		switch t.Kind {
		case Int, BigInt, SmallInt, TinyInt, Float, Double:
			return packers[t.Kind]
		case Timestamp:
			return packBigInt // milliseconds
		}
	case contracts.Bool:
		if t.Kind == Boolean {
			return packBoolean
		}
	}
	return nil
}

// packers are those of texts.
var packers = [...]Packer{
	ASCII: packPlain, BigInt: packBigInt, Boolean: packBoolean, Date: packDate, Double: packDouble, Float: packFloat,
	Int: packInt, SmallInt: packSmallInt, Text: packText, Timestamp: packTimestamp, TimeUUID: packTimeUUID,
	TinyInt: packTinyInt, UUID: packUUID, Vector: nil,
}

// Packer is the short way for texts and numbers, instead of Append; nil where there is none.
func (l TimeLayout) Packer() Packer {
	switch {
	case l.form == epochMSForm:
		return packBigInt
	case l.form == epochSForm:
		return packSeconds
	case l.form == isoForm && (l.loc == nil || l.loc == time.UTC):
		return packTimestamp
	default:
		return nil
	}
}

// PackNull packs a null, whatever the text.
func PackNull(room, _ []byte) int { return len(AppendNull(room[:0])) }

// PackUnset packs an unset value, whatever the text.
func PackUnset(room, _ []byte) int { return len(AppendUnset(room[:0])) }

// The lengths of values, as they are packed before them, and the bytes of both.
const (
	wide   = 8 // bigint, double, timestamp
	narrow = 4 // int, float, date
	header = 4 // the length itself
	wideN  = header + wide
)

// packWide packs a value of eight bytes.
func packWide(room []byte, v uint64) int {
	_ = room[wideN-1]
	binary.BigEndian.PutUint32(room, wide)
	binary.BigEndian.PutUint64(room[header:], v)
	return wideN
}

// packNarrow packs one of four.
func packNarrow(room []byte, v uint32) int {
	binary.BigEndian.PutUint64(room, narrow<<32|uint64(v))
	return header + narrow
}

// packByte packs one of one.
func packByte(room []byte, v byte) int {
	binary.BigEndian.PutUint32(room, 1)
	room[header] = v
	return header + 1
}

// packText copies text that is UTF-8 without NUL.
func packText(room, text []byte) int {
	if n := packPlain(room, text); n > 0 {
		return n
	}
	if bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(text) {
		return 0
	}
	return len(AppendValue(room[:0], text))
}

// packPlain copies text of which all bytes are ASCII and none is NUL, by words that it looks at as it does. The last
// two overlap.
func packPlain(room, text []byte) int {
	size := len(text)
	binary.BigEndian.PutUint32(room, uint32(size))
	room = room[header : header+size]
	var all uint64 // bits that must be 0
	switch {
	case size >= 8:
		for i := 0; i < size-8; i += 8 {
			all |= copyWord(room[i:], text[i:])
		}
		all |= copyWord(room[size-8:], text[size-8:])
	case size >= 4:
		all = uint64(copyHalf(room, text) | copyHalf(room[size-4:], text[size-4:]))
	default:
		for i, c := range text {
			room[i] = c
			all |= uint64((c | (c - 1)) & 0x80)
		}
	}
	if all != 0 {
		return 0
	}
	return header + size
}

const (
	everyByte = 0x0101010101010101
	highBits  = 0x8080808080808080
)

// copyWord copies eight bytes and returns 0 where all of them are ASCII and none is NUL: taking one off each borrows
// into the highest bit of the lowest byte that is 0, and of no byte below 128 where there is none.
func copyWord(to, from []byte) uint64 {
	w := binary.LittleEndian.Uint64(from)
	binary.LittleEndian.PutUint64(to, w)
	return (w | (w - everyByte)) & highBits
}

// copyHalf does the same with four.
func copyHalf(to, from []byte) uint32 {
	w := binary.LittleEndian.Uint32(from)
	binary.LittleEndian.PutUint32(to, w)
	return (w | (w - everyByte&0xffffffff)) & (highBits & 0xffffffff)
}

func packBoolean(room, text []byte) int {
	switch string(text) {
	case "true", "1":
		return packByte(room, 1)
	case "false", "0":
		return packByte(room, 0)
	default:
		return 0
	}
}
