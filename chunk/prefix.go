package chunk

import (
	"github.com/penstock-io/penstock/chunk/csv"
	"github.com/penstock-io/penstock/contracts"
)

// Prefix is what the chunks before an offset of one object say: the automaton's state there, the records that start
// before it, and where the quote opened that is open there (-1 for none). At the object's end a Quote that is not -1
// is never closed. The zero value is not usable: start with StartPrefix or PrefixAt.
type Prefix struct {
	State   uint8
	Records int64
	Quote   int64
	Block   int64 // of a compressed object: stored offset of the next block
	Offset  int64 // of a compressed object: decompressed offset of Block
}

// StartPrefix is the prefix at an object's first record.
func StartPrefix() Prefix { return Prefix{State: csv.RecordStart, Quote: -1} }

// PrefixAt is the prefix at a part that follows no other.
func PrefixAt(part contracts.Part) Prefix {
	p := StartPrefix()
	if part.Blocks != nil {
		p.Block, p.Offset = part.Blocks.First, part.Blocks.Start
	}
	return p
}

// Then adds the next chunk's transition function. One that does not know the prefix's state leads to a prefix that is
// not Known, and stays so.
func (p Prefix) Then(outs []contracts.Outcome) Prefix {
	for _, o := range outs {
		if o.Start == p.State && p.Known() {
			c := csv.Compose(contracts.Outcome{End: p.State, Records: p.Records, First: -1, Quote: p.Quote}, o)
			return Prefix{State: c.End, Records: c.Records, Quote: c.Quote, Block: p.Block, Offset: p.Offset}
		}
	}
	return Prefix{State: csv.Unknown, Records: -1, Quote: -1}
}

// Known says whether the prefix was composed of complete scans.
func (p Prefix) Known() bool { return p.State != csv.Unknown }

// covers says that no block starts in a range: one that starts before it goes on to its end or beyond.
func (p Prefix) covers(part contracts.Part) bool { return InBlocks(part) && p.Block >= part.End }

// Accepts says whether the scan of the next part began where the blocks before end. Otherwise what it found counts for
// nothing: ask for it again, with Again's part.
func (p Prefix) Accepts(part contracts.Part, scan contracts.ScanResult) bool {
	return !InBlocks(part) || p.covers(part) || scan.Blocks != nil && scan.Blocks.First == p.Block
}

// Again is the part whose scan knows where the blocks before end.
func (p Prefix) Again(part contracts.Part) contracts.Part {
	part.Blocks = &contracts.Blocks{First: p.Block, Next: -1, Start: p.Offset, End: -1}
	return part
}

// Pass is the prefix behind a part. It is not Known where the scan cannot be accepted.
func (p Prefix) Pass(part contracts.Part, scan contracts.ScanResult) Prefix {
	switch {
	case !InBlocks(part):
		return p.Then(scan.Outcomes)
	case p.covers(part):
		return p
	case !p.Accepts(part, scan):
		return p.Then(nil)
	}
	b := scan.Blocks
	next := p.Then(moved(scan.Outcomes, p.Offset-b.Start))
	next.Block, next.Offset = b.Next, p.Offset+b.End-b.Start
	return next
}

// Placing is what the scans say about one part: the prefix at its start, and where its own blocks end.
type Placing struct {
	Prefix
	blocks *contracts.Blocks
	fault  *contracts.ErrorInfo
}

// With adds the part's own scan, which must be accepted; the zero value where it has none.
func (p Prefix) With(scan contracts.ScanResult) Placing {
	return Placing{Prefix: p, blocks: scan.Blocks, fault: scan.Error}
}

// Loads says whether the part can be loaded. Of blocks with no known end, what can be read is loaded only if it is
// their content that ends the reading.
func (p Placing) Loads(part contracts.Part) bool {
	return !InBlocks(part) || p.fault == nil || p.fault.Kind == contracts.KindInput
}

// Place writes into a part what its load must know: where its records begin, and in which state, and in a compressed
// object its blocks and the ordinals of their segments.
func (p Placing) Place(part contracts.Part, f contracts.Format, segment int64) contracts.Part {
	part.State = p.State
	if isCSV(f) {
		part.Records = p.Records
	}
	if !InBlocks(part) {
		return part
	}
	part = p.Again(part)
	until := part.Object.Size
	switch b := p.blocks; {
	case p.covers(part):
		until, part.Blocks.Next, part.Blocks.End = p.Block, p.Block, p.Offset
	case b != nil:
		until, part.Blocks.Next, part.Blocks.End = b.Next, b.Next, p.Offset+b.End-b.Start
	}
	part.Segment += BlockSegments(part.Start, p.Block, part.Compression, segment) - 1
	part.Segments = BlockSegments(p.Block, until, part.Compression, segment)
	return part
}
