package workers

import (
	"context"

	"github.com/penstock-io/penstock/contracts"
)

// maxListed bounds the records of one part that are loaded by their offsets: they are held in memory.
const maxListed = 1 << 20

// listed are the offsets of a part's records that are to be loaded, each until it was met; nil stands for all records.
type listed map[int64]bool

// listed gives the records that a part names, from the reject objects of the job that rejected them.
func (l *loader) listed(ctx context.Context, part contracts.Part) (listed, error) {
	if part.Only == nil {
		return nil, nil
	}
	if l.w.RejectDocs == nil {
		return nil, contracts.Errorf(contracts.KindConfig,
			"records that job %s rejected: they are not read again here", part.Only.Job)
	}
	address, all := part.Object.Address(), listed{}
	for n := part.Only.First; n <= part.Only.Last; n++ {
		err := l.w.Store.EachReject(ctx, l.w.RejectDocs, part.Only.Job, n, func(r contracts.Reject) error {
			if r.Object != address {
				return nil
			}
			if all[r.Offset] = true; len(all) > maxListed {
				return contracts.At(contracts.KindLimit, address, -1,
					"more than %d rejected records in one part: expected fewer; load the whole object: --whole", maxListed)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// wants says whether the record at an offset is to be loaded, and strikes it off.
func (o listed) wants(offset int64) bool {
	if o == nil {
		return true
	}
	found := o[offset]
	delete(o, offset)
	return found
}

// missed is the error of records that were never met: none begins where they did, as the pipeline reads the object now.
func (o listed) missed(part contracts.Part) error {
	if len(o) == 0 {
		return nil
	}
	first := int64(-1)
	for offset := range o {
		if first < 0 || offset < first {
			first = offset
		}
	}
	return contracts.At(contracts.KindInput, part.Object.Address(), first, "%d rejected records begin where none begins "+
		"as the pipeline reads the object now, this the first: load the whole object: --whole", len(o))
}
