package state

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/contracts"
)

// What a large job has loaded is a run: pages of entries in order, which count from when the directory lists them.
// Pages of a name always hold the same entries. Where there are many runs some are merged: which, the directory says
// before the first page of the new one is written, so that whoever does it does the same. A name has the directory's
// epoch in it, and no run is listed but in the epoch of its name: a name whose pages were deleted never comes back,
// since who deletes them may have stood still for any time.

// maxRuns is the number of runs above which mergeWidth of them are merged, the smallest: so an entry is written again
// once for each time that the ledger grows by that factor.
const (
	maxRuns    = 16
	mergeWidth = 8
)

// directory is the document that says which runs there are.
type directory struct {
	V       int      `json:"v"`
	Epoch   int      `json:"epoch"`             // merges so far
	Runs    []run    `json:"runs"`              // oldest first
	Merging []string `json:"merging,omitempty"` // runs that become the one of this epoch
	Dropped []run    `json:"dropped,omitempty"` // merged: their pages are to be deleted; without stops
}

// No bucket is called ~.
func runsPrefix(pipeline string) string { return "ledger/" + pipeline + "/~/" }

func directoryKey(pipeline string) string { return runsPrefix(pipeline) + "directory" }

// directory is the one of a pipeline, empty where there is none.
func (s *Store) directory(ctx context.Context, pipeline string) (d directory, seen version, err error) {
	if seen, err = s.look(ctx, directoryKey(pipeline)); err == nil {
		d, err = parseDirectory(seen.data)
	}
	if err != nil {
		return d, seen, fmt.Errorf("read the directory of the ledger of %s: %w", pipeline, err)
	}
	return d, seen, nil
}

func parseDirectory(data []byte) (d directory, err error) {
	if data != nil {
		err = contracts.Unmarshal(data, &d)
	}
	return d, err
}

// errStale says that a directory is not as it was: nothing was written.
var errStale = errors.New("the directory has changed")

// changeDirectory writes what change makes of the directory; false where change is stale.
func (s *Store) changeDirectory(
	ctx context.Context, pipeline string, seen version, change func(d *directory) error,
) (bool, error) {
	_, err := s.updateFrom(ctx, directoryKey(pipeline), seen, func(old []byte) ([]byte, error) {
		d, err := parseDirectory(old)
		if err == nil {
			err = change(&d)
		}
		if err != nil {
			return nil, err
		}
		d.V = contracts.Version
		d.decide()
		return contracts.Marshal(d)
	})
	if errors.Is(err, errStale) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("change the directory of the ledger of %s: %w", pipeline, err)
	}
	return true, nil
}

// decide says which runs are merged next: the smallest, the older of equal ones.
func (d *directory) decide() {
	if len(d.Merging) > 0 || len(d.Runs) <= maxRuns {
		return
	}
	order := slices.Clone(d.Runs)
	slices.SortStableFunc(order, func(a, b run) int { return cmp.Compare(a.Pages, b.Pages) })
	for _, r := range order[:mergeWidth] {
		d.Merging = append(d.Merging, r.Name)
	}
}

func (d *directory) has(of string) bool {
	return slices.ContainsFunc(d.Runs, func(r run) bool { return r.Of == of })
}

func (d *directory) untidy() bool { return len(d.Merging) > 0 || len(d.Dropped) > 0 }

// Entering enters the object versions that a job has loaded in its pipeline's ledger. It holds a few of them: where
// there are more, it is told of all of them twice. Not safe for concurrent use.
type Entering struct {
	store    *Store
	pipeline string
	by       origin
	few      []contracts.Object
	count    int
	last     spot
	mixed    bool // they did not come in order
	digest   hash.Hash
}

// Enter begins to enter what a job has loaded. Nobody sees any of it before Commit.
func (s *Store) Enter(pipeline string, job contracts.JobID, at time.Time) *Entering {
	return &Entering{store: s, pipeline: pipeline, by: origin{Job: job, Loaded: at.UTC()}, digest: sha256.New()}
}

// Note takes an object version. They come in order of bucket and key, if the object store lists them so.
func (e *Entering) Note(o contracts.Object) {
	s := spotOf(o)
	e.mixed = e.mixed || e.count > 0 && s.compare(e.last) <= 0
	e.last = s
	if e.count++; e.count <= ledgerLookups {
		e.few = append(e.few, o)
	}
	note(e.digest, o)
}

// note adds an object version to what tells one set of them from another.
func note(digest hash.Hash, o contracts.Object) {
	s := spotOf(o)
	fmt.Fprintf(digest, "%d %d %d %s%s%s", len(s.Bucket), len(s.Key), len(s.Version), s.Bucket, s.Key, s.Version)
}

// Commit enters what was noted: a few object versions one by one, and such that are in no order; more as a run, for
// which again must give all of them to add once more. It may be done twice. untidy says that MergeLedger has something
// to do.
func (e *Entering) Commit(
	ctx context.Context, again func(add func(contracts.Object) error) error,
) (untidy bool, err error) {
	if e.count > len(e.few) && !e.mixed {
		return e.commitRun(ctx, again)
	}
	g, entering := errgroup.WithContext(ctx)
	g.SetLimit(ledgerLookups)
	add := func(o contracts.Object) error {
		g.Go(func() error { return e.store.AddLedger(entering, e.pipeline, e.by.Job, o, e.by.Loaded) })
		return entering.Err()
	}
	if e.count > len(e.few) {
		err = again(add)
	} else {
		err = eachOf(e.few, add)
	}
	return false, cmp.Or(g.Wait(), err) // which ended the walk, too
}

func eachOf(objects []contracts.Object, do func(contracts.Object) error) error {
	for _, o := range objects {
		if err := do(o); err != nil {
			return err
		}
	}
	return nil
}

// commitRun writes the pages and lists them. Where runs were merged meanwhile, it does it once more under another name.
func (e *Entering) commitRun(
	ctx context.Context, again func(add func(contracts.Object) error) error,
) (untidy bool, err error) {
	of := fmt.Sprintf("%s-%s", e.by.Job, hex.EncodeToString(e.digest.Sum(nil)[:10]))
	for {
		d, seen, err := e.store.directory(ctx, e.pipeline)
		if err != nil || d.has(of) {
			return d.untidy(), err
		}
		written, err := e.write(ctx, again, of, d.Epoch)
		if err != nil {
			return false, err
		}
		listed, err := e.store.changeDirectory(ctx, e.pipeline, seen, func(now *directory) error {
			if now.Epoch != d.Epoch || now.has(of) {
				return errStale
			}
			now.Runs = append(now.Runs, written)
			untidy = len(now.Runs) > maxRuns || now.untidy()
			return nil
		})
		if err != nil || listed {
			return untidy, err
		}
	}
}

// write stores the pages of a run.
func (e *Entering) write(
	ctx context.Context, again func(add func(contracts.Object) error) error, of string, epoch int,
) (run, error) {
	w := e.store.newRun(e.pipeline, fmt.Sprintf("%s-%d", of, epoch), of)
	digest := sha256.New()
	err := again(func(o contracts.Object) error {
		note(digest, o)
		return w.add(ctx, spotOf(o), e.by)
	})
	if err != nil {
		return run{}, err
	}
	if string(digest.Sum(nil)) != string(e.digest.Sum(nil)) {
		return run{}, contracts.Errorf(contracts.KindChanged,
			"what job %s has loaded is not what it was a moment ago: it was reopened, or done late", e.by.Job)
	}
	return w.finish(ctx)
}
