package cql

import "encoding/binary"

// packUUID packs 8-4-4-4-12 hex digits.
func packUUID(room, text []byte) int {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return 0
	}
	le := binary.LittleEndian
	a, odd1 := eightHex(le.Uint64(text))
	b, odd2 := eightHex(uint64(le.Uint32(text[9:])) | uint64(le.Uint32(text[14:]))<<32)
	c, odd3 := eightHex(uint64(le.Uint32(text[19:])) | uint64(le.Uint32(text[24:]))<<32)
	d, odd4 := eightHex(le.Uint64(text[28:]))
	if odd1|odd2|odd3|odd4 != 0 {
		return 0
	}
	_ = room[header+15]
	binary.BigEndian.PutUint32(room, 16)
	le.PutUint64(room[header:], a|b<<32)
	le.PutUint64(room[header+8:], c|d<<32)
	return header + 16
}

// eightHex reads eight hex digits at once, the lowest byte of the word first, into four bytes, the lowest first. odd is
// not 0 where what it read is not what it would write, in lower case: so it need not tell the kinds of bytes apart.
func eightHex(w uint64) (v, odd uint64) {
	v = w&(0x0f*everyByte) + 9*(w>>6&everyByte)
	letters := (v + 6*everyByte) >> 4 & everyByte // 1 where the value is 10 or more
	odd = v&(0xf0*everyByte) | ((v + '0'*everyByte + ('a'-10-'0')*letters) ^ (w | letters<<5))
	v = (v<<4 | v>>8) & 0x00ff00ff00ff00ff
	v = (v | v>>8) & 0x0000ffff0000ffff
	return (v | v>>16) & 0xffffffff, odd
}

// packTimeUUID packs those of version 1.
func packTimeUUID(room, text []byte) int {
	if len(text) != 36 || text[14] != '1' {
		return 0
	}
	return packUUID(room, text)
}
