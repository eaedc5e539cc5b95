package model

import "slices"

// simplify makes states equal that cannot be told apart by what follows: who lost the race to seal a plan needs none,
// and of timestamps only the order counts, since ranges are disjoint. In a broken world they may not be.
func (m *machine) simplify(s *state) {
	if m.Broken != None {
		return
	}
	bases := make([]uint8, 0, maxJobs+maxDispatchers*maxJobs)
	for j := range m.Jobs {
		if base := s.jobs[j].plan.base; base > 0 {
			bases = append(bases, base)
		}
		for d := range s.dispatchers {
			r := &s.dispatchers[d].runners[j]
			if r.at != planning && r.at != ahead && r.at != reserved {
				continue
			}
			if s.jobs[j].plan.base > 0 {
				r.plan = plan{}
			} else if r.at != planning {
				bases = append(bases, r.plan.base)
			}
		}
	}
	slices.Sort(bases)
	s.rebase(bases)
}

// rebase moves the ranges of timestamps together.
func (s *state) rebase(bases []uint8) {
	moved := func(time uint8) uint8 {
		for i, base := range slices.Backward(bases) {
			if time >= base {
				return time - base + uint8(i*maxChunks) + 1
			}
		}
		return time
	}
	for j := range s.jobs {
		s.jobs[j].plan.base = moved(s.jobs[j].plan.base)
		for c := range s.jobs[j].bases {
			s.jobs[j].bases[c] = moved(s.jobs[j].bases[c])
		}
	}
	for w := range s.workers {
		s.workers[w].base = moved(s.workers[w].base)
	}
	for d := range s.dispatchers {
		for j := range s.dispatchers[d].runners {
			r := &s.dispatchers[d].runners[j]
			r.plan.base = moved(r.plan.base)
		}
	}
	for c := range s.table {
		s.table[c].time = moved(s.table[c].time)
	}
	s.clock = uint8(len(bases)*maxChunks) + 1
}
