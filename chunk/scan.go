package chunk

import (
	"context"

	"github.com/penstock-io/penstock/chunk/csv"
	"github.com/penstock-io/penstock/contracts"
)

// ScanPart runs the dialect's automaton over [Start, End) of a CSV object, in one request: one outcome for each state
// in which the range can begin. At the object's end a record that no line break ends is complete, so a quote that is
// open there is never closed.
func ScanPart(ctx context.Context, o Opener, part contracts.Part, f contracts.Format) ([]contracts.Outcome, error) {
	if !isCSV(f) || part.Compression != "" && part.Compression != none {
		return nil, contracts.At(contracts.KindInternal, part.Object.Address(), part.Start,
			"scan of format %s, compression %q: expected plain CSV", f.Name, part.Compression)
	}
	d, err := csv.New(f.CSV)
	if err != nil {
		return nil, err
	}
	end := min(part.End, part.Object.Size)
	src := openRange(ctx, o, part.Object, part.Start, end)
	defer src.Close() // read to its end, or broken
	return d.Scan(src, part.Start, end-part.Start, end == part.Object.Size)
}
