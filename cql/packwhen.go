package cql

import "encoding/binary"

// The bytes of a word that are digits in 26-01-31 and 10:20:30, and those that are not.
const (
	trioDigits = 0x0101_0001_0100_0101
	trioSigns  = 0x0000_0100_0001_0000
)

// trio reads three numbers of two digits with a sign between them, from eight bytes. Exclusive-or leaves the digits'
// values, and 0 where the sign is; then each byte is joined with the next one to a number.
func trio(text []byte, sign uint64) (a, b, c uint, ok bool) {
	w := binary.LittleEndian.Uint64(text) ^ ('0'*trioDigits | sign*trioSigns)
	if (w|(w+((0x7f-9)*trioDigits|0x7f*trioSigns)))&highBits != 0 {
		return 0, 0, 0, false
	}
	w = w*10 + w>>8
	return uint(w & 0xff), uint(w >> 24 & 0xff), uint(w >> 48 & 0xff), true
}

// dayOf reads yyyy-mm-dd from the first ten bytes, of the years 1 to 9999, as days since 1970.
func dayOf(text []byte) (days int64, ok bool) {
	thousands, hundreds := uint(text[0]-'0'), uint(text[1]-'0')
	year, month, day, ok := trio(text[2:10], '-')
	if !ok || thousands > 9 || hundreds > 9 {
		return 0, false
	}
	return daysSince1970(year+1000*thousands+100*hundreds, month, day)
}

func daysSince1970(year, month, day uint) (days int64, ok bool) {
	if year == 0 || month-1 > 11 || !isDay(year, month, day) {
		return 0, false
	}
	if month < 3 { // a year from March on has its leap day at its end
		year, month = year-1, month+12
	}
	return int64(365*year+year/4-year/100+year/400+(153*month-457)/5+day) - 719469, true
}

func isDay(year, month, day uint) bool {
	return day-1 < 28 || day > 0 && int(day) <= daysIn(int(year), int(month))
}

// packTimestamp packs 2026-01-31T10:20:30 with or without a fraction and a zone, UTC where there is none, 2026-01-31,
// and milliseconds.
func packTimestamp(room, text []byte) int {
	if len(text) == len("2026-01-31T10:20:30.000Z") {
		if millis, ok := isoMillis((*[24]byte)(text)); ok {
			return packWide(room, uint64(millis))
		}
	}
	if len(text) != 10 && len(text) < 19 {
		return packBigInt(room, text)
	}
	millis, ok := dayOf(text)
	millis *= secondsPerDay * 1000
	if ok && len(text) > 10 {
		var clock int64
		clock, ok = clockOf(text[10:])
		millis += clock
	}
	if !ok {
		return 0
	}
	return packWide(room, uint64(millis))
}

// isoMillis reads 2026-01-31T10:20:30.000Z, eight bytes at once, as trio does.
func isoMillis(text *[24]byte) (millis int64, ok bool) {
	const (
		date, dateSigns   = 0x2d30302d30303030, 0x7f00007f00000000 // 0000-00-
		clock, clockSigns = 0x30303a3030543030, 0x00007f00007f0000 // 00T00:00
		last, lastSigns   = 0x5a3030302e30303a, 0x7f0000007f00007f // :00.000Z
		beyond9           = (0x7f - 9) * everyByte
	)
	le := binary.LittleEndian
	a, b, c := le.Uint64(text[:])^date, le.Uint64(text[8:])^clock, le.Uint64(text[16:])^last
	if (a|(a+(beyond9|dateSigns))|b|(b+(beyond9|clockSigns))|c|(c+(beyond9|lastSigns)))&highBits != 0 {
		return 0, false
	}
	thousandths := int64(c >> 48 & 0xff)
	a, b, c = a*10+a>>8, b*10+b>>8, c*10+c>>8
	days, ok := daysSince1970(uint(100*(a&0xff)+a>>16&0xff), uint(a>>40&0xff), uint(b&0xff))
	hour, minute, second := int64(b>>24&0xff), int64(b>>48&0xff), int64(c>>8&0xff)
	millis = 1000*(secondsPerDay*days+3600*hour+60*minute+second) + 10*int64(c>>32&0xff) + thousandths
	return millis, ok && hour <= 23 && minute <= 59 && second <= 59
}

// clockOf reads T10:20:30 and what follows it, as milliseconds.
func clockOf(text []byte) (millis int64, ok bool) {
	hour, minute, second, ok := trio(text[1:9], ':')
	if !ok || hour > 23 || minute > 59 || second > 59 || text[0] != 'T' && text[0] != ' ' {
		return 0, false
	}
	millis = int64(hour*3600+minute*60+second) * 1000
	return afterSeconds(millis, text[9:])
}

// afterSeconds adds a fraction, and takes off what a zone is ahead.
func afterSeconds(millis int64, text []byte) (_ int64, ok bool) {
	var c civil
	text, ok = c.parseFraction(text)
	ahead, _, known := parseZone(text)
	return millis + int64(c.nanos/1e6) - ahead.Milliseconds(), ok && known
}

func packDate(room, text []byte) int {
	if len(text) != 10 {
		return 0
	}
	days, ok := dayOf(text)
	if !ok {
		return 0
	}
	return packNarrow(room, uint32(days+epochDay))
}

// packSeconds packs whole seconds since 1970, up to 15 digits of them.
func packSeconds(room, text []byte) int {
	n, ok := shortInt(text)
	if !ok || n >= 1e15 || n <= -1e15 {
		return 0
	}
	return packWide(room, uint64(1000*n))
}
