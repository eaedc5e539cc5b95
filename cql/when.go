package cql

import (
	"encoding/binary"
	"math"
	"time"
)

const (
	secondsPerDay = 86400
	epochDay      = 1 << 31 // a date's number for 1970-01-01
)

// civil is a wall clock's reading.
type civil struct {
	year, month, day     int
	hour, minute, second int
	nanos                int
}

// parseDigits reads n digits.
func parseDigits(text []byte, n int) (value int, rest []byte, ok bool) {
	if len(text) < n || !isDigits(text[:n]) {
		return 0, text, false
	}
	for _, c := range text[:n] {
		value = value*10 + int(c-'0')
	}
	return value, text[n:], true
}

// after reads a sign and then n digits.
func after(sign byte, text []byte, n int) (value int, rest []byte, ok bool) {
	if len(text) == 0 || text[0] != sign {
		return 0, text, false
	}
	return parseDigits(text[1:], n)
}

// parseYear reads four digits, or, behind a sign, four to nine.
func parseYear(text []byte) (year int, rest []byte, ok bool) {
	digits, negative := unsign(text)
	n := 4
	for len(digits) < len(text) && n < 9 && n < len(digits) && digits[n] >= '0' && digits[n] <= '9' {
		n++
	}
	year, rest, ok = parseDigits(digits, n)
	if negative {
		year = -year
	}
	return year, rest, ok
}

// parseDay reads yyyy-mm-dd; ok says that the form is right, valid that the day is in the calendar.
func (c *civil) parseDay(text []byte) (rest []byte, ok, valid bool) {
	if c.year, rest, ok = parseYear(text); !ok {
		return rest, false, false
	}
	if c.month, rest, ok = after('-', rest, 2); !ok {
		return rest, false, false
	}
	if c.day, rest, ok = after('-', rest, 2); !ok {
		return rest, false, false
	}
	return rest, true, c.month >= 1 && c.month <= 12 && c.day >= 1 && c.day <= daysIn(c.year, c.month)
}

func daysIn(year, month int) int {
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		return 29
	}
	return [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
}

// parseClock reads hh:mm[:ss[.fffffffff]].
func (c *civil) parseClock(text []byte) (rest []byte, ok, valid, seconds bool) {
	if c.hour, rest, ok = parseDigits(text, 2); !ok {
		return rest, false, false, false
	}
	if c.minute, rest, ok = after(':', rest, 2); !ok {
		return rest, false, false, false
	}
	if c.second, rest, seconds = after(':', rest, 2); seconds {
		if rest, ok = c.parseFraction(rest); !ok {
			return rest, false, false, false
		}
	}
	return rest, true, c.hour < 24 && c.minute < 60 && c.second < 60, seconds
}

// parseFraction reads an optional point with one to nine digits.
func (c *civil) parseFraction(text []byte) (rest []byte, ok bool) {
	if len(text) == 0 || text[0] != '.' {
		return text, true
	}
	digits, unit := 0, 100_000_000
	for rest = text[1:]; len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9'; rest = rest[1:] {
		if digits++; digits > 9 {
			return rest, false
		}
		c.nanos += int(rest[0]-'0') * unit
		unit /= 10
	}
	return rest, digits > 0
}

func (c *civil) in(loc *time.Location) time.Time {
	return time.Date(c.year, time.Month(c.month), c.day, c.hour, c.minute, c.second, c.nanos, loc)
}

// clockNanos is the time of day.
func (c *civil) clockNanos() int64 {
	return (int64(c.hour)*3600+int64(c.minute)*60+int64(c.second))*1e9 + int64(c.nanos)
}

func appendDate(dst, text []byte) ([]byte, *Problem) {
	if digits, _ := unsign(text); isDigits(digits) {
		return appendDayNumber(dst, text)
	}
	var c civil
	rest, ok, valid := c.parseDay(text)
	switch {
	case !ok || len(rest) > 0:
		return dst, mismatch(text, "a date", "yyyy-mm-dd, such as 2026-01-31")
	case !valid:
		return dst, rangeProblem("%s is no day of the calendar: expected yyyy-mm-dd, such as 2026-01-31", quoted(text))
	}
	return appendDays(dst, c.in(time.UTC).Unix()/secondsPerDay, text)
}

// appendDayNumber takes Cassandra's numbers of days for common years only. The other numbers that people have in such a
// column (days since 1970, 20260131) would be years in the millions before Christ.
func appendDayNumber(dst, text []byte) ([]byte, *Problem) {
	const first, last = -719528, 2932896 // 0000-01-01 and 9999-12-31, in days since 1970
	n, _, over := parseInt(text)
	if n -= epochDay; over || n < first || n > last {
		return dst, rangeProblem("%s is no number of a day between the years 0 and 9999, where 2147483648 is "+
			"1970-01-01: expected yyyy-mm-dd, such as 2026-01-31", quoted(text))
	}
	return appendDays(dst, n, text)
}

func appendDays(dst []byte, days int64, text []byte) ([]byte, *Problem) {
	if days < math.MinInt32 || days > math.MaxInt32 {
		return dst, rangeProblem("%s is out of range for date: expected -5877641-06-23 to +5881580-07-11", quoted(text))
	}
	return binary.BigEndian.AppendUint32(dst, uint32(days+epochDay)), nil
}

func appendTime(dst, text []byte) ([]byte, *Problem) {
	const expected = "hh:mm:ss[.fffffffff], such as 09:30:00"
	var c civil
	rest, ok, valid, seconds := c.parseClock(text)
	switch {
	case !ok || !seconds || len(rest) > 0:
		return dst, mismatch(text, "a time", expected)
	case !valid:
		return dst, rangeProblem("%s is no time of day: expected %s, before 24:00:00", quoted(text), expected)
	}
	return binary.BigEndian.AppendUint64(dst, uint64(c.clockNanos())), nil
}
