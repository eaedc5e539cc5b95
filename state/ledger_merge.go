package state

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/contracts"
)

// deletedAtOnce is the number of pages that are deleted at a time.
const deletedAtOnce = 16

// MergeLedger merges runs of a ledger as long as there are too many of them. It may end anywhere: whoever calls it next
// goes on from there. Two at once do the same work twice.
func (s *Store) MergeLedger(ctx context.Context, pipeline string) error {
	for {
		d, seen, err := s.directory(ctx, pipeline)
		switch {
		case err != nil:
		case len(d.Dropped) > 0:
			err = s.sweep(ctx, pipeline, d, seen)
		case len(d.Merging) > 0:
			err = s.merge(ctx, pipeline, d, seen)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// sweep deletes the pages of runs that were merged.
func (s *Store) sweep(ctx context.Context, pipeline string, d directory, seen version) error {
	g, deleting := errgroup.WithContext(ctx)
	g.SetLimit(deletedAtOnce)
	for _, r := range d.Dropped {
		for n := range r.Pages {
			g.Go(func() error { return s.docs.Delete(deleting, runKey(pipeline, r.Name, n)) })
		}
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("delete merged pages of the ledger of %s: %w", pipeline, err)
	}
	_, err := s.changeDirectory(ctx, pipeline, seen, func(now *directory) error {
		before := len(now.Dropped)
		now.Dropped = slices.DeleteFunc(now.Dropped, func(r run) bool {
			return slices.ContainsFunc(d.Dropped, func(gone run) bool { return gone.Name == r.Name })
		})
		if len(now.Dropped) == before {
			return errStale
		}
		return nil
	})
	return err
}

// merge makes one run of those that the directory names, and has it in their place.
func (s *Store) merge(ctx context.Context, pipeline string, d directory, seen version) error {
	merged, err := s.writeMerged(ctx, pipeline, d)
	if contracts.KindOf(err) == contracts.KindMissing {
		now, _, lerr := s.directory(ctx, pipeline)
		if lerr != nil || now.Epoch != d.Epoch {
			return lerr // somebody else was faster
		}
		return unreadable(pipeline, fmt.Errorf("merge runs: %v, though it is listed", err))
	}
	if err != nil {
		return err
	}
	_, err = s.changeDirectory(ctx, pipeline, seen, func(now *directory) error {
		if now.Epoch != d.Epoch {
			return errStale
		}
		now.swap(merged)
		return nil
	})
	return err
}

// swap puts a run in the place of those that were merged into it, and ends the epoch.
func (d *directory) swap(merged run) {
	old := d.Runs
	d.Runs = nil
	for _, r := range old {
		if !slices.Contains(d.Merging, r.Name) {
			d.Runs = append(d.Runs, r)
			continue
		}
		if merged.Pages > 0 {
			d.Runs = append(d.Runs, merged)
			merged.Pages = 0
		}
		d.Dropped = append(d.Dropped, run{Name: r.Name, Pages: r.Pages})
	}
	d.Merging = nil
	d.Epoch++
}

func (s *Store) writeMerged(ctx context.Context, pipeline string, d directory) (run, error) {
	name := fmt.Sprintf("merged-%d", d.Epoch)
	w := s.newRun(pipeline, name, name)
	var heads []*runHead
	defer func() {
		for _, h := range heads {
			h.stop()
		}
	}()
	for _, r := range d.Runs {
		if slices.Contains(d.Merging, r.Name) {
			next, stop := iter.Pull2(s.entries(ctx, pipeline, r))
			heads = append(heads, &runHead{next: next, stop: stop})
		}
	}
	for _, h := range heads {
		if err := h.advance(); err != nil {
			return run{}, err
		}
	}
	for h := leastHead(heads); h != nil; h = leastHead(heads) {
		entry := h.entry
		if err := w.add(ctx, entry.spot, entry.origin); err != nil {
			return run{}, err
		}
		for _, same := range heads { // of equal entries the oldest run's counts
			for same.more && same.entry.spot == entry.spot {
				if err := same.advance(); err != nil {
					return run{}, err
				}
			}
		}
	}
	return w.finish(ctx)
}

// ledgerLine is an entry of a run.
type ledgerLine struct {
	spot
	origin
}

// entries are those of a run, one page in memory at a time.
func (s *Store) entries(ctx context.Context, pipeline string, r run) iter.Seq2[ledgerLine, error] {
	return func(yield func(ledgerLine, error) bool) {
		for n := range r.Pages {
			c, err := s.openPage(ctx, pipeline, r.Name, n)
			for ; err == nil && c.more; c.next() {
				if !yield(ledgerLine{c.spot(), c.page.Origins[c.by]}, nil) {
					return
				}
			}
			if err == nil {
				err = c.check(pipeline)
			}
			if err != nil {
				yield(ledgerLine{}, err)
				return
			}
		}
	}
}

// runHead is the next entry of a run that is merged.
type runHead struct {
	entry ledgerLine
	more  bool
	next  func() (ledgerLine, error, bool)
	stop  func()
}

func (h *runHead) advance() (err error) {
	h.entry, err, h.more = h.next()
	return err
}

// leastHead is the one whose entry is next, the oldest run's of equal ones; nil where all are through.
func leastHead(heads []*runHead) *runHead {
	var best *runHead
	for _, h := range heads {
		if h.more && (best == nil || h.entry.compare(best.entry.spot) < 0) {
			best = h
		}
	}
	return best
}
