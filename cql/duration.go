package cql

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
)

// span is a duration's value. All three have the same sign.
type span struct {
	months, days, nanos int64
}

// unit is one of a duration's units: its name and how many of which part it is.
type unit struct {
	name  string
	part  int // 0 months, 1 days, 2 nanoseconds
	count int64
}

// units in the order in which a duration names them.
var units = [...]unit{
	{"y", 0, 12}, {"mo", 0, 1}, {"w", 1, 7}, {"d", 1, 1}, {"h", 2, 3600e9}, {"m", 2, 60e9}, {"s", 2, 1e9},
	{"ms", 2, 1e6}, {"us", 2, 1e3}, {"ns", 2, 1},
}

const durationExpected = "1h30m, P1Y2M10DT2H30M, P2W or alike"

func appendDuration(dst, text []byte) ([]byte, *Problem) {
	body, negative := text, false
	if len(text) > 0 && text[0] == '-' {
		body, negative = text[1:], true
	}
	var s span
	ok, over := s.parse(body)
	switch {
	case !ok:
		return dst, mismatch(text, "a duration", durationExpected+", units from large to small, each once")
	case over || s.months > math.MaxInt32 || s.days > math.MaxInt32:
		return dst, rangeProblem("%s is out of range for duration: expected at most %d months, %d days and %d ns",
			quoted(text), math.MaxInt32, math.MaxInt32, int64(math.MaxInt64))
	case negative:
		s = span{-s.months, -s.days, -s.nanos}
	}
	return s.append(dst), nil
}

// parse reads a text without its sign; over says that a part does not fit 64 bits.
func (s *span) parse(text []byte) (ok, over bool) {
	switch {
	case len(text) == 0:
		return false, false
	case text[0] != 'P':
		return s.parseUnits(text)
	case bytes.IndexByte(text, '-') >= 0:
		return s.parseAlternative(text[1:])
	case isDigits(bytes.TrimSuffix(text[1:], []byte("W"))):
		return s.parseUnits(text[1:])
	}
	date, clock, timed := bytes.Cut(text[1:], []byte("T"))
	if len(date) == 0 && len(clock) == 0 || timed && len(clock) == 0 {
		return false, false
	}
	okDate, overDate := s.parseISO(date, "YMD", [...]int{0, 1, 3})
	okClock, overClock := s.parseISO(clock, "HMS", [...]int{4, 5, 6})
	return okDate && okClock, overDate || overClock
}

// parseUnits reads numbers with units, in their order.
func (s *span) parseUnits(text []byte) (ok, over bool) {
	for last := -1; len(text) > 0; {
		n := 0
		for n < len(text) && text[n] >= '0' && text[n] <= '9' {
			n++
		}
		end := n
		for end < len(text) && (text[end] < '0' || text[end] > '9') {
			end++
		}
		i := unitIndex(text[n:end])
		if n == 0 || i <= last {
			return false, over
		}
		over = s.add(text[:n], units[i]) || over
		last, text = i, text[end:]
	}
	return true, over
}

// unitIndex finds a unit by its name in any case; µs is us. -1 where there is none.
func unitIndex(name []byte) int {
	if string(name) == "µs" || string(name) == "µS" {
		name = []byte("us")
	}
	for i, u := range units {
		if isFold(name, u.name) {
			return i
		}
	}
	return -1
}

// parseISO reads numbers with the one-letter units of letters, in their order.
func (s *span) parseISO(text []byte, letters string, index [3]int) (ok, over bool) {
	for i := 0; len(text) > 0; i++ {
		n := 0
		for n < len(text) && text[n] >= '0' && text[n] <= '9' {
			n++
		}
		if n == 0 || n == len(text) {
			return false, over
		}
		for i < len(letters) && letters[i] != text[n] {
			i++
		}
		if i == len(letters) {
			return false, over
		}
		over = s.add(text[:n], units[index[i]]) || over
		text = text[n+1:]
	}
	return true, over
}

// parseAlternative reads yyyy-mm-ddThh:mm:ss.
func (s *span) parseAlternative(text []byte) (ok, over bool) {
	const form = "0000-00-00T00:00:00"
	if len(text) != len(form) {
		return false, false
	}
	for i, c := range text {
		if digit := c >= '0' && c <= '9'; digit != (form[i] == '0') || !digit && c != form[i] {
			return false, false
		}
	}
	for i, at := range [...][2]int{{0, 4}, {5, 7}, {8, 10}, {11, 13}, {14, 16}, {17, 19}} {
		s.add(text[at[0]:at[1]], units[[...]int{0, 1, 3, 4, 5, 6}[i]])
	}
	return true, false
}

// add counts digits of a unit in; over says that the sum does not fit.
func (s *span) add(digits []byte, u unit) (over bool) {
	n, _, over := parseInt(digits)
	hi, lo := bits.Mul64(uint64(n), uint64(u.count))
	part := [...]*int64{&s.months, &s.days, &s.nanos}[u.part]
	sum := uint64(*part) + lo
	if over || hi != 0 || lo > math.MaxInt64 || sum > math.MaxInt64 {
		return true
	}
	*part = int64(sum)
	return false
}

func (s span) append(dst []byte) []byte {
	for _, v := range [...]int64{s.months, s.days, s.nanos} {
		dst = appendVint(dst, uint64(v<<1)^uint64(v>>63))
	}
	return dst
}

// appendVint writes an unsigned number as Cassandra does: the leading ones of the first byte count the further bytes.
func appendVint(dst []byte, v uint64) []byte {
	size := max(1, (bits.Len64(v)+6)/7) // bytes in all; each gives one bit to the count
	if size >= 9 {
		return binary.BigEndian.AppendUint64(append(dst, 0xff), v)
	}
	first := byte(0xff << (9 - size))
	dst = append(dst, first|byte(v>>(8*(size-1))))
	for i := size - 2; i >= 0; i-- {
		dst = append(dst, byte(v>>(8*i)))
	}
	return dst
}

// readVint reads what appendVint wrote; n is 0 where b ends too early.
func readVint(b []byte) (v uint64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	extra := bits.LeadingZeros8(^b[0])
	if len(b) < 1+extra {
		return 0, 0
	}
	if extra < 8 {
		v = uint64(b[0]) & (0xff >> extra)
	}
	for _, c := range b[1 : 1+extra] {
		v = v<<8 | uint64(c)
	}
	return v, 1 + extra
}

func readSpan(b []byte) (span, bool) {
	var parts [3]int64
	for i := range parts {
		v, n := readVint(b)
		if n == 0 {
			return span{}, false
		}
		parts[i] = int64(v>>1) ^ -int64(v&1)
		b = b[n:]
	}
	return span{parts[0], parts[1], parts[2]}, len(b) == 0
}

// appendText writes a duration as Cassandra prints it, and zero as 0s.
func (s span) appendText(dst []byte) []byte {
	if s == (span{}) {
		return append(dst, "0s"...)
	}
	rest := [...]uint64{magnitude(s.months), magnitude(s.days), magnitude(s.nanos)}
	if s.months < 0 || s.days < 0 || s.nanos < 0 {
		dst = append(dst, '-')
	}
	for _, u := range units {
		n := rest[u.part] / uint64(u.count)
		if n > 0 && u.name != "w" {
			dst = append(strconv.AppendUint(dst, n, 10), u.name...)
			rest[u.part] %= uint64(u.count)
		}
	}
	return dst
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
