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

// Prefix is what the chunks before an offset of one object say: the automaton's state there, the records that start
// before it, and where the quote opened that is open there (-1 for none). At the object's end a Quote that is not -1
// is never closed. The zero value is not usable: start with StartPrefix.
type Prefix struct {
	State   uint8
	Records int64
	Quote   int64
}

// StartPrefix is the prefix at an object's first record.
func StartPrefix() Prefix { return Prefix{State: csv.RecordStart, Quote: -1} }

// Then adds the next chunk's transition function. One that does not know the prefix's state leads to a prefix that is
// not Known, and stays so.
func (p Prefix) Then(outs []contracts.Outcome) Prefix {
	for _, o := range outs {
		if o.Start == p.State && p.Known() {
			c := csv.Compose(contracts.Outcome{End: p.State, Records: p.Records, First: -1, Quote: p.Quote}, o)
			return Prefix{State: c.End, Records: c.Records, Quote: c.Quote}
		}
	}
	return Prefix{State: csv.Unknown, Records: -1, Quote: -1}
}

// Known says whether the prefix was composed of complete scans.
func (p Prefix) Known() bool { return p.State != csv.Unknown }
