package budget

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// Cell is a small value that all processes share, with the clock of whoever keeps it.
type Cell interface {
	// Load gives the value and its revision, nil and 0 where there is none, and what the keeper's clock shows at the
	// return.
	Load(ctx context.Context) (value []byte, revision uint64, now time.Time, err error)
	// Swap stores a value over that of a revision; false says that there is another revision by now. After an error it
	// may be stored or not.
	Swap(ctx context.Context, value []byte, revision uint64) (bool, error)
}

// Purse holds the time that one process has bought of one pipeline's. It is safe for concurrent use.
type Purse struct {
	cell Cell
	name string
	log  *slog.Logger
	now  func() time.Time
	turn chan struct{} // holds one token while somebody spends; the others wait in line

	left  time.Duration // bought and not spent
	from  time.Time     // when it may be spent, by our clock
	until time.Time     // when what is left of it is lost
	next  time.Time     // when the next slice may be bought: a while after the last one's end, so that others have theirs
	binds bool          // the last slice was waited for
}

// NewPurse makes a purse for the pipeline of that name. cell is the pipeline's; now is time.Now, but for tests.
func NewPurse(name string, cell Cell, log *slog.Logger, now func() time.Time) *Purse {
	return &Purse{cell: cell, name: name, log: log, now: now, turn: make(chan struct{}, 1)}
}

// Pace gives what a writer calls before each batch: it waits until all that the pipeline's workers write stays within
// the rates. Errors: interrupted (the context ended, at once), those of the cell; one of kind unavailable after half a
// minute without an answer.
func (p *Purse) Pace(r Rates) func(ctx context.Context, rows, bytes int) error {
	return func(ctx context.Context, rows, bytes int) error { return p.spend(ctx, r.Price(rows, bytes)) }
}

// spend waits until time of that length may be spent. It is spent only where the error is nil.
func (p *Purse) spend(ctx context.Context, price time.Duration) error {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return p.interrupted(ctx)
	}
	if p.now().After(p.until) {
		p.left = 0
	}
	if p.left < price {
		if err := p.buy(ctx, max(slice, price-p.left)); err != nil {
			return err
		}
	}
	if err := p.waitUntil(ctx, p.from); err != nil {
		return err
	}
	p.left -= price
	return nil
}

// patience is how long nothing but errors is taken for an answer.
const patience = 30 * time.Second

// buy adds a slice to the purse.
func (p *Purse) buy(ctx context.Context, length time.Duration) error {
	waited := p.next.After(p.now())
	if err := p.waitUntil(ctx, p.next); err != nil {
		return err
	}
	answered := p.now()
	for n := 1; ; n++ {
		bought, wait, err := p.bid(ctx, length)
		waited = waited || wait > 0
		switch {
		case bought:
			p.tell(waited || p.from.After(p.now()))
			return nil
		case err == nil:
			answered = p.now()
		case contracts.KindOf(err) != contracts.KindUnavailable || p.now().Sub(answered) > patience:
			return err
		}
		if err := p.wait(ctx, min(wait, ahead)+jitter(n)); err != nil {
			return err
		}
	}
}

// jitter grows with each try, up to two slices: the more there are who want to buy, the less often each asks.
func jitter(n int) time.Duration { return rand.N(time.Duration(min(n, 20)) * slice / 10) }

// bid tries to buy a slice. wait is how long there is none to be had.
func (p *Purse) bid(ctx context.Context, length time.Duration) (bought bool, wait time.Duration, err error) {
	value, revision, there, err := p.cell.Load(ctx)
	if err != nil {
		return false, 0, err
	}
	here := p.now()
	next, wait := parse(value).sell(there, length)
	if wait > 0 {
		return false, wait, nil
	}
	if bought, err = p.cell.Swap(ctx, next.bytes(), revision); !bought || err != nil {
		return false, 0, err
	}
	p.take(length, here.Add(next.Begin.Sub(there)))
	return true, 0, nil
}

// take puts a slice into the purse that begins, by our clock, at begin.
func (p *Purse) take(length time.Duration, begin time.Time) {
	p.left += length
	p.from, p.next = begin, begin.Add(length+rand.N(slice))
	if now := p.now(); begin.Before(now) {
		p.from = now
	}
	p.until = p.from.Add(kept)
}

// tell logs when rows begin to wait for the budget.
func (p *Purse) tell(waits bool) {
	if waits && !p.binds {
		p.log.Debug("the budget binds: rows wait for it", "pipeline", p.name)
	}
	p.binds = waits
}

func (p *Purse) waitUntil(ctx context.Context, t time.Time) error { return p.wait(ctx, t.Sub(p.now())) }

func (p *Purse) wait(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return p.interrupted(ctx) // whatever d is: select chooses at random
	}
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return p.interrupted(ctx)
	case <-timer.C:
		return nil
	}
}

func (p *Purse) interrupted(ctx context.Context) error {
	return contracts.Errorf(contracts.KindInterrupted, "wait for the budget of pipeline %s: %w", p.name,
		context.Cause(ctx))
}
