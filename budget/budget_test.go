package budget

import (
	"testing"
	"time"
)

func TestPrice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rates       Rates
		rows, bytes int
		want        time.Duration
	}{
		{Rates{}, 100, 1 << 20, 0},
		{Rates{Rows: 1000}, 100, 1 << 20, 100 * time.Millisecond},
		{Rates{Bytes: 1000}, 100, 5000, 5 * time.Second},
		{Rates{Rows: 1000, Bytes: 1000}, 100, 50, 100 * time.Millisecond},
		{Rates{Rows: 1000, Bytes: 1000}, 100, 500, 500 * time.Millisecond},
		{Rates{Rows: 1000}, 0, 500, 0},
		{Rates{Rows: 3}, 1, 0, 333_333_334},                    // rounded up
		{Rates{Bytes: 1_000_000_000_000}, 1, 1, 1},             // never nothing
		{Rates{Bytes: 1}, 1, 1 << 30, (1 << 30) * time.Second}, // no overflow
	} {
		if got := c.rates.Price(c.rows, c.bytes); got != c.want {
			t.Errorf("%d rows of %d bytes at %+v: found %s, expected %s", c.rows, c.bytes, c.rates, got, c.want)
		}
	}
	if !(Rates{}).None() || (Rates{Rows: 1}).None() || (Rates{Bytes: 1}).None() {
		t.Error("a budget is none where it has neither rows nor bytes")
	}
}

func TestSell(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)
	at := func(begin, end time.Duration) sold { return sold{now.Add(begin), now.Add(end)} }
	ms := time.Millisecond
	for name, c := range map[string]struct {
		last  sold
		begin time.Duration // of the next slice, from now
		wait  time.Duration // instead of it
	}{
		"nothing was sold yet":                {sold{}, 0, 0},
		"the last slice ends in a moment":     {at(-20*ms, 80*ms), 80 * ms, 0},
		"the last slice ended a moment ago":   {at(-120*ms, -20*ms), -20 * ms, 0},
		"nobody bought for an hour":           {at(-time.Hour, -time.Hour+slice), -late, 0},
		"a second is sold ahead":              {at(900*ms, time.Second), time.Second, 0},
		"more is sold ahead":                  {at(950*ms, 1050*ms), 0, 50 * ms},
		"a large batch was sold":              {at(0, time.Minute), 0, 59 * time.Second},
		"a large batch was sold, a while ago": {at(-time.Minute, 0), 0, 0},
		"the clock was put back by a minute":  {at(time.Minute, time.Minute+slice), 0, 0},
		"a large batch, then the clock":       {at(time.Minute, time.Hour), 0, 0},
		"the clock was put back by 5 seconds": {at(5*time.Second, 5*time.Second+slice), 0, 4*time.Second + slice},
		"the clock was put on by an hour":     {at(-time.Hour-slice, -time.Hour), -late, 0},
	} {
		next, wait := c.last.sell(now, 250*ms)
		want := at(c.begin, c.begin+250*ms)
		if c.wait > 0 {
			want = c.last
		}
		if wait != c.wait || !next.Begin.Equal(want.Begin) || !next.End.Equal(want.End) {
			t.Errorf("%s: found %s to %s, wait %s: expected %s to %s, wait %s", name, next.Begin.Sub(now), next.End.Sub(now),
				wait, want.Begin.Sub(now), want.End.Sub(now), c.wait)
		}
	}
}

func TestValuesAreRead(t *testing.T) {
	t.Parallel()
	s := sold{time.Unix(1, 5).UTC(), time.Unix(2, 7).UTC()}
	if got := parse(s.bytes()); got != s {
		t.Errorf("found %+v, expected %+v", got, s)
	}
	for _, lost := range []string{"", "hello", "[]", `{"begin":5}`, `{"begin":"then"}`, "{}"} {
		if got := parse([]byte(lost)); got != (sold{}) {
			t.Errorf("%q: found %+v, expected nothing", lost, got)
		}
	}
}
