package state

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/contracts"
)

// ledgerRuns looks entries up in the runs of a ledger, as they were listed when it was first asked. It holds a page of
// each. Asked in order of objects, it reads each page once, and none that has no part in what is asked. Not safe for
// concurrent use.
type ledgerRuns struct {
	store    *Store
	pipeline string
	seen     *version // the directory; nil before the first question
	runs     []*runCursor
}

func (s *Store) ledgerRuns(pipeline string) *ledgerRuns {
	return &ledgerRuns{store: s, pipeline: pipeline}
}

// find is the origin of an object version; nil where the runs do not have it.
func (l *ledgerRuns) find(ctx context.Context, o contracts.Object) (*origin, error) {
	if l.seen == nil {
		if err := l.open(ctx); err != nil {
			return nil, err
		}
	}
	s := spotOf(o)
	for {
		by, err := l.findOpen(ctx, s)
		if contracts.KindOf(err) != contracts.KindMissing {
			return by, err
		}
		before := l.seen.etag // a page is gone: its run was merged since
		if err := l.open(ctx); err != nil {
			return nil, err
		}
		if l.seen.etag == before {
			return nil, unreadable(l.pipeline, fmt.Errorf("%v, though it is listed", err)) // of another kind from here on
		}
	}
}

func (l *ledgerRuns) open(ctx context.Context) error {
	d, seen, err := l.store.directory(ctx, l.pipeline)
	if err != nil {
		return err
	}
	l.seen, l.runs = &seen, make([]*runCursor, len(d.Runs))
	for i, r := range d.Runs {
		l.runs[i] = &runCursor{store: l.store, pipeline: l.pipeline, run: r, number: -1}
	}
	return nil
}

// findOpen asks the pages at hand first, and then for all at once that may have it, too.
func (l *ledgerRuns) findOpen(ctx context.Context, s spot) (*origin, error) {
	var turning []*runCursor
	for _, c := range l.runs {
		if by, err := c.at(s); by != nil || err != nil {
			return by, err
		}
		if from, to := c.span(s); from < to {
			turning = append(turning, c)
		}
	}
	if len(turning) == 0 {
		return nil, nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, c := range turning {
		g.Go(func() error { return c.turn(ctx, s) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, c := range turning {
		if by, err := c.at(s); by != nil || err != nil {
			return by, err
		}
	}
	return nil, nil
}

// runCursor holds one page of a run.
type runCursor struct {
	store    *Store
	pipeline string
	run      run
	number   int // of page; -1 for none
	page     pageCursor
}

// at is the origin of an entry in the page at hand.
func (c *runCursor) at(s spot) (*origin, error) {
	if !c.page.covers(s) {
		return nil, nil
	}
	if found := c.page.seek(s); !found {
		return nil, c.page.check(c.pipeline)
	}
	return &c.page.page.Origins[c.page.by], nil
}

// span is where the page is that covers an entry, but for the one at hand: [from, to), and nowhere where they meet.
func (c *runCursor) span(s spot) (from, to int) {
	r := &c.run
	if r.Pages == 0 || s.compare(r.Stops[0]) < 0 || s.compare(r.Last) > 0 {
		return 0, 0
	}
	if c.number >= 0 && c.page.covers(s) {
		return 0, 0
	}
	low, high := 0, len(r.Stops) // the last stop that does not come after it
	for high-low > 1 {
		if middle := (low + high) / 2; r.Stops[middle].compare(s) <= 0 {
			low = middle
		} else {
			high = middle
		}
	}
	return c.narrow(s, low*r.Step, min((low+1)*r.Step, r.Pages))
}

// narrow leaves out what the page at hand says of a span.
func (c *runCursor) narrow(s spot, from, to int) (int, int) {
	switch {
	case c.number < from || c.number >= to:
		return from, to
	case s.compare(c.page.page.First) < 0:
		return from, c.number
	default:
		return c.number + 1, to
	}
}

// turn gets the page that covers an entry, if there is one. Where the directory does not tell which it is, the next
// one is tried first, since entries are asked for in order, and then the middle.
func (c *runCursor) turn(ctx context.Context, s spot) (err error) {
	from, to := c.span(s)
	for next := c.number >= 0 && c.number+1 == from; from < to; next = false {
		n := (from + to) / 2
		if next {
			n = from
		}
		c.number = -1
		if c.page, err = c.store.openPage(ctx, c.pipeline, c.run.Name, n); err != nil {
			c.page = pageCursor{}
			return err
		}
		c.number = n
		if c.page.covers(s) {
			return nil
		}
		from, to = c.narrow(s, from, to)
	}
	return nil
}
