package cql

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// TimeLayout says how a column's timestamps are written. The zero value is iso in UTC.
type TimeLayout struct {
	form   timeForm
	layout string         // Go's, where form is goForm
	loc    *time.Location // of texts that name no zone; nil is UTC
}

type timeForm uint8

const (
	isoForm timeForm = iota
	epochSForm
	epochMSForm
	epochUSForm
	epochNSForm
	goForm
	rfc1123Form
)

var layoutNames = []string{"iso", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "rfc1123"}

// ParseLayout reads a layout's name (iso, epoch_s, epoch_ms, epoch_us, epoch_ns, rfc1123; "" is iso) or a layout in
// Go's notation, such as "02.01.2006 15:04", and the IANA name of the zone for texts that name none ("" is UTC). Errors
// are KindConfig.
func ParseLayout(layout, zone string) (TimeLayout, error) {
	l := TimeLayout{loc: time.UTC}
	var err error
	if zone != "" {
		if l.loc, err = time.LoadLocation(zone); err != nil {
			return l, contracts.Errorf(contracts.KindConfig,
				"zone %q: %w: expected an IANA name, such as Europe/Berlin", zone, err)
		}
	}
	switch i := slices.Index(layoutNames, layout); {
	case layout == "" || i == 0:
	case layout == "rfc1123":
		l.form = rfc1123Form
	case i > 0:
		l.form = timeForm(i)
	case !namesDay(layout):
		hint := ""
		if n := nearest(layout, layoutNames); n != "" {
			hint = " (did you mean " + n + "?)"
		}
		return l, contracts.Errorf(contracts.KindConfig, "layout %q%s: expected one of %s, or a Go layout with year, "+
			"month and day, such as 02.01.2006 15:04:05", layout, hint, strings.Join(layoutNames, ", "))
	default:
		l.form, l.layout = goForm, layout
	}
	return l, nil
}

// namesDay says that texts in a Go layout tell the day that they mean.
func namesDay(layout string) bool {
	day := time.Date(1987, time.November, 23, 0, 0, 0, 0, time.UTC)
	got, err := time.Parse(layout, day.Format(layout))
	return err == nil && got.Year() == day.Year() && got.YearDay() == day.YearDay()
}

// Append appends a timestamp's bytes: milliseconds since 1970. What is finer than a millisecond is dropped, toward the
// past. A wall clock's reading that its zone skips is a problem; one that occurs twice is one of the two, at each try
// the same.
func (l TimeLayout) Append(dst, text []byte) ([]byte, *Problem) {
	switch l.form {
	case isoForm:
		return l.appendISO(dst, text)
	case rfc1123Form:
		return l.appendRFC1123(dst, text)
	case goForm:
		return l.appendGoLayout(dst, text, l.layout)
	default:
		return l.appendEpoch(dst, text)
	}
}

func appendMillis(dst []byte, t time.Time, text []byte) ([]byte, *Problem) {
	const limit = math.MaxInt64/1000 + 1
	ms := t.UnixMilli() // wraps around out of range
	if s := t.Unix(); s < -limit || s > limit || time.UnixMilli(ms).Unix() != s {
		return dst, rangeProblem("%s is out of range for timestamp: expected milliseconds since 1970 of 64 bits",
			quoted(text))
	}
	return binary.BigEndian.AppendUint64(dst, uint64(ms)), nil
}

const isoExpected = "2026-01-31T10:00:00Z or alike, or milliseconds since 1970 (another notation needs a layout)"

func (l TimeLayout) appendISO(dst, text []byte) ([]byte, *Problem) {
	if digits, _ := unsign(text); isDigits(digits) {
		l.form = epochMSForm
		return l.appendEpoch(dst, text)
	}
	var c civil
	rest, ok, valid := c.parseDay(text)
	if ok && len(rest) > 0 {
		var clock bool
		if rest, ok, clock = c.parseAfterDay(rest); !clock {
			valid = false
		}
	}
	if !ok {
		return dst, mismatch(text, "a timestamp", isoExpected)
	}
	offset, zoned, known := parseZone(rest)
	switch {
	case !known:
		return dst, mismatch(text, "a timestamp", isoExpected)
	case !valid:
		return dst, rangeProblem("%s is no day or time of the calendar: expected %s", quoted(text), isoExpected)
	case zoned:
		return appendMillis(dst, c.in(time.UTC).Add(-offset), text)
	default:
		return l.appendLocal(dst, &c, text)
	}
}

// parseAfterDay reads T or a blank and the clock.
func (c *civil) parseAfterDay(text []byte) (rest []byte, ok, valid bool) {
	if text[0] != 'T' && text[0] != 't' && text[0] != ' ' {
		return text, false, false
	}
	rest, ok, valid, _ = c.parseClock(text[1:])
	return rest, ok, valid
}

// parseZone reads what may follow the clock: nothing, Z, +hh:mm, +hhmm or +hh.
func parseZone(text []byte) (offset time.Duration, zoned, ok bool) {
	switch {
	case len(text) == 0:
		return 0, false, true
	case len(text) == 1 && text[0]|0x20 == 'z':
		return 0, true, true
	case text[0] != '+' && text[0] != '-':
		return 0, false, false
	}
	hours, rest, ok := parseDigits(text[1:], 2)
	minutes := 0
	if ok && len(rest) > 0 {
		if rest[0] == ':' {
			rest = rest[1:]
		}
		minutes, rest, ok = parseDigits(rest, 2)
	}
	if !ok || len(rest) > 0 || hours > 18 || minutes > 59 {
		return 0, false, false
	}
	offset = time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if text[0] == '-' {
		offset = -offset
	}
	return offset, true, true
}

// appendLocal reads the clock in the layout's zone.
func (l TimeLayout) appendLocal(dst []byte, c *civil, text []byte) ([]byte, *Problem) {
	loc := l.loc
	if loc == nil {
		loc = time.UTC
	}
	t := c.in(loc)
	if t.Hour() != c.hour || t.Minute() != c.minute {
		return dst, rangeProblem("%s does not exist in %s, where clocks were put forward: expected another time, "+
			"or one with its offset", quoted(text), loc)
	}
	return appendMillis(dst, t, text)
}

func (l TimeLayout) appendEpoch(dst, text []byte) ([]byte, *Problem) {
	whole, frac, dropped := text, int64(0), false
	if l.form == epochSForm {
		whole, frac, dropped = splitSeconds(text)
	}
	n, ok, over := parseInt(whole)
	if !ok || frac < 0 {
		return dst, mismatch(text, "a timestamp in "+layoutNames[l.form], "a whole number since 1970")
	}
	const limit = math.MaxInt64 / 1000
	switch {
	case l.form == epochSForm && (n >= limit || n <= -limit), over:
		return dst, rangeProblem("%s is out of range for timestamp in %s", quoted(text), layoutNames[l.form])
	case l.form == epochSForm && text[0] == '-':
		n = n*1000 - frac
		if dropped {
			n--
		}
	case l.form == epochSForm:
		n = n*1000 + frac
	case l.form == epochUSForm:
		n = floorDiv(n, 1000)
	case l.form == epochNSForm:
		n = floorDiv(n, 1_000_000)
	}
	return binary.BigEndian.AppendUint64(dst, uint64(n)), nil
}

// splitSeconds takes a fraction off: its milliseconds (-1 where it is none) and whether there was more.
func splitSeconds(text []byte) (whole []byte, millis int64, more bool) {
	at := slices.Index(text, '.')
	if at < 0 {
		return text, 0, false
	}
	frac := text[at+1:]
	if !isDigits(frac) {
		return text, -1, false
	}
	for i, unit := 0, int64(100); i < len(frac); i++ {
		millis += int64(frac[i]-'0') * unit
		more = more || unit == 0 && frac[i] != '0'
		unit /= 10
	}
	return text[:at], millis, more
}

func floorDiv(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

// appendRFC1123 takes numeric offsets, GMT and UTC. Other abbreviations are ambiguous, and Go reads them as UTC.
func (l TimeLayout) appendRFC1123(dst, text []byte) ([]byte, *Problem) {
	if _, err := time.Parse(time.RFC1123Z, string(text)); err == nil {
		return l.appendGoLayout(dst, text, time.RFC1123Z)
	}
	return l.appendGoLayout(dst, text, time.RFC1123)
}

func (l TimeLayout) appendGoLayout(dst, text []byte, layout string) ([]byte, *Problem) {
	loc := l.loc
	if loc == nil {
		loc = time.UTC
	}
	t, err := time.ParseInLocation(layout, string(text), loc)
	if err != nil {
		return dst, layoutProblem(text, layout, err)
	}
	if name, offset := t.Zone(); strings.Contains(layout, "MST") && !isKnownZone(t, name, offset, loc) {
		return dst, typeProblem("%s: the zone %s is not known: expected UTC, GMT or one of %s", quoted(text), name, loc)
	}
	if strings.Contains(layout, "MST") || strings.Contains(layout, "Z07") || strings.Contains(layout, "-07") {
		return appendMillis(dst, t, text)
	}
	wall, _ := time.Parse(layout, string(text))
	c := civil{wall.Year(), int(wall.Month()), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond()}
	return l.appendLocal(dst, &c, text)
}

// isKnownZone tells an abbreviation that Go resolved from one that it made up with offset 0.
func isKnownZone(t time.Time, name string, offset int, loc *time.Location) bool {
	return offset != 0 || name == "UTC" || name == "GMT" || name == "" || t.Location() == loc
}

func layoutProblem(text []byte, layout string, err error) *Problem {
	var parse *time.ParseError
	if errors.As(err, &parse) && strings.HasSuffix(parse.Message, "out of range") {
		return rangeProblem("%s%s: expected the layout %s", quoted(text), parse.Message, layout)
	}
	return mismatch(text, "a timestamp", "the layout "+layout)
}
