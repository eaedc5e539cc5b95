package csv

import "github.com/penstock-io/penstock/contracts"

// Scanner runs the automaton from every state in which a chunk can begin, over bytes that come piece by piece and whose
// number nobody knows. Make one with NewScanner.
type Scanner struct {
	d      *Dialect
	outs   []contracts.Outcome
	offset int64
}

// NewScanner begins a scan; the first byte's offset is 0.
func (d *Dialect) NewScanner() *Scanner { return &Scanner{d: d, outs: d.identity()} }

// Write runs the automaton over b. It never fails.
func (s *Scanner) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n := min(len(rest), scanBlock)
		if s.offset < firstBlock {
			n = min(n, firstBlock)
		}
		s.d.advance(s.outs, rest[:n], s.offset)
		s.offset += int64(n)
		rest = rest[n:]
	}
	return len(b), nil
}

// Outcomes is the transition function of what was written, as of Scan; last says that the object ends here.
func (s *Scanner) Outcomes(last bool) []contracts.Outcome {
	if last {
		for i, o := range s.outs {
			s.outs[i] = Compose(o, s.d.finish(o.End))
		}
	}
	return s.outs
}
