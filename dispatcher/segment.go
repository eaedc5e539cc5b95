package dispatcher

import "github.com/penstock-io/penstock/contracts"

// Where nobody says how large a segment is to be, it is chosen for each job. What is sorted at once groups the better
// the more of it there is, and each chunk has costs of its own: so it is large, as long as all workers have their share
// of the job.
const (
	// leastSegment is what a worker loads in a second or two: what more workers could save of that is less than what rows
	// cost the database more that are grouped in smaller pieces.
	leastSegment = 8 << 20
	// mostSegment is what a worker of 384 MiB holds two of: rows, raw records and index come to four times a segment.
	mostSegment = 32 << 20
	// shares is how many chunks each worker gets: with fewer the last one of a slow worker is long waited for.
	shares = 3
	// maxHeld bounds the objects that are looked at before the choice. Where there are more, the first of them decide.
	maxHeld = 10_000
)

// hold keeps an object until it is known how much there is to load, or that there is more than enough.
func (p *planner) hold(o contracts.Object) (enough bool) {
	p.held = append(p.held, o)
	p.bytes += o.Size
	return len(p.held) == maxHeld || p.bytes >= mostSegment*shares*int64(max(p.Workers, 1))
}

// segmentFor is the size of the segments of so many bytes: a share of them, in whole MiB.
func segmentFor(bytes int64, workers int) int64 {
	const unit = 1 << 20
	all := int64(shares * max(workers, 1))
	share := (bytes + all*unit - 1) / (all * unit) * unit
	return min(max(share, leastSegment), mostSegment)
}
