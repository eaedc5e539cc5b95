package cql

import (
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

func layout(t testing.TB, name, zone string) TimeLayout {
	t.Helper()
	l, err := ParseLayout(name, zone)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTimeLayout(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ layout, zone, text, want string }{
		{"", "", "2026-01-01T00:00:00", "2026-01-01T00:00:00.000Z"},
		{"iso", "Europe/Berlin", "2026-07-01T12:00:00", "2026-07-01T10:00:00.000Z"},
		{"iso", "Europe/Berlin", "2026-07-01", "2026-06-30T22:00:00.000Z"},
		{"iso", "Europe/Berlin", "2026-07-01T12:00:00Z", "2026-07-01T12:00:00.000Z"},
		{"iso", "Asia/Kolkata", "2026-07-01 12:00:00.5-03", "2026-07-01T15:00:00.500Z"},
		{"iso", "", "1767225600000", "2026-01-01T00:00:00.000Z"},
		{"epoch_s", "", "1767225600", "2026-01-01T00:00:00.000Z"},
		{"epoch_s", "", "1767225600.1239", "2026-01-01T00:00:00.123Z"},
		{"epoch_s", "", "-1.5", "1969-12-31T23:59:58.500Z"},
		{"epoch_s", "", "-1.0005", "1969-12-31T23:59:58.999Z"},
		{"epoch_s", "", "-0.001", "1969-12-31T23:59:59.999Z"},
		{"epoch_ms", "", "-1", "1969-12-31T23:59:59.999Z"},
		{"epoch_us", "", "1767225600123999", "2026-01-01T00:00:00.123Z"},
		{"epoch_us", "", "-1", "1969-12-31T23:59:59.999Z"},
		{"epoch_ns", "", "1767225600123999999", "2026-01-01T00:00:00.123Z"},
		{"rfc1123", "", "Thu, 01 Jan 2026 00:00:00 GMT", "2026-01-01T00:00:00.000Z"},
		{"rfc1123", "", "Thu, 01 Jan 2026 00:00:00 +0100", "2025-12-31T23:00:00.000Z"},
		{"02.01.2006 15:04", "Europe/Berlin", "01.07.2026 12:00", "2026-07-01T10:00:00.000Z"},
		{"02.01.2006 15:04 -0700", "Europe/Berlin", "01.07.2026 12:00 +0000", "2026-07-01T12:00:00.000Z"},
		{"02.01.2006 15:04 MST", "Europe/Berlin", "01.07.2026 12:00 CEST", "2026-07-01T10:00:00.000Z"},
		{"20060102", "", "20260701", "2026-07-01T00:00:00.000Z"},
		{time.RFC3339Nano, "", "2026-07-01T12:00:00.9999Z", "2026-07-01T12:00:00.999Z"},
	} {
		value, p := layout(t, c.layout, c.zone).Append(nil, []byte(c.text))
		if p != nil {
			t.Errorf("%s %s %q: %s", c.layout, c.zone, c.text, p.Reason)
			continue
		}
		got, err := Type{Kind: Timestamp}.AppendCanonical(nil, value)
		if err != nil || string(got) != c.want {
			t.Errorf("%s %s %q became %s, %v, want %s", c.layout, c.zone, c.text, got, err, c.want)
		}
	}
}

func TestTimeLayoutProblems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		layout, zone, text string
		rule               contracts.Rule
		reason             string
	}{
		{"iso", "Europe/Berlin", "2026-03-29T02:30:00", "range", "does not exist in Europe/Berlin, where clocks were put"},
		{"02.01.2006 15:04", "Europe/Berlin", "29.03.2026 02:30", "range", "does not exist in Europe/Berlin"},
		{"02.01.2006", "", "31.02.2026", "range", "day out of range: expected the layout 02.01.2006"},
		{"02.01.2006", "", "2026-01-01", "type", `"2026-01-01" is not a timestamp: expected the layout 02.01.2006`},
		{"02.01.2006 15:04 MST", "", "01.07.2026 12:00 EST", "type", "the zone EST is not known: expected UTC, GMT"},
		{"rfc1123", "", "Thu, 01 Jan 2026 00:00:00 PST", "type", "the zone PST is not known"},
		{"epoch_s", "", "1767225600.", "type", "is not a timestamp in epoch_s: expected a whole number since 1970"},
		{"epoch_s", "", "2026-01-01", "type", "is not a timestamp in epoch_s"},
		{"epoch_s", "", "9223372036854776", "range", "is out of range for timestamp in epoch_s"},
		{"epoch_ms", "", "1.5", "type", "is not a timestamp in epoch_ms"},
		{"epoch_ns", "", "99999999999999999999", "range", "is out of range for timestamp in epoch_ns"},
		{"epoch_s", "", "", "type", "an empty text is not a timestamp in epoch_s"},
	} {
		got, p := layout(t, c.layout, c.zone).Append(nil, []byte(c.text))
		switch {
		case p == nil:
			t.Errorf("%s %s %q became %x, want a problem", c.layout, c.zone, c.text, got)
		case p.Rule != c.rule || !strings.Contains(p.Reason, c.reason):
			t.Errorf("%s %s %q:\n got %s: %s\nwant %s: %s", c.layout, c.zone, c.text, p.Rule, p.Reason, c.rule, c.reason)
		}
	}
}

func TestParseLayoutErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ layout, zone, want string }{
		{"epoch_sec", "", `layout "epoch_sec" (did you mean epoch_s?): expected one of iso, epoch_s`},
		{"15:04:05", "", `or a Go layout with year, month and day`},
		{"yyyy-MM-dd", "", `layout "yyyy-MM-dd": expected one of iso`},
		{"iso", "Berlin", `zone "Berlin"`},
	} {
		_, err := ParseLayout(c.layout, c.zone)
		if err == nil || !strings.Contains(err.Error(), c.want) || contracts.KindOf(err) != contracts.KindConfig {
			t.Errorf("ParseLayout(%q, %q): %v, want %q and kind config", c.layout, c.zone, err, c.want)
		}
	}
}
