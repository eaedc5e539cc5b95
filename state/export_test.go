package state

import "context"

// SmallPages makes the pages of a store's ledger so small that a test needs few entries.
func (s *Store) SmallPages(entries int) *Store {
	s.page = entries
	return s
}

// MaxRuns is the number of runs above which MergeWidth of them are merged.
const (
	MaxRuns    = maxRuns
	MergeWidth = mergeWidth
)

// RunKeys are the keys of all pages that a ledger's directory lists, and whether there is something to merge.
func (s *Store) RunKeys(ctx context.Context, pipeline string) (keys []string, runs int, untidy bool, err error) {
	d, _, err := s.directory(ctx, pipeline)
	for _, r := range d.Runs {
		for n := range r.Pages {
			keys = append(keys, runKey(pipeline, r.Name, n))
		}
	}
	return keys, len(d.Runs), d.untidy(), err
}
