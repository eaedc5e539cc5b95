package model

import "fmt"

// judge says what is wrong with a state; "" for nothing.
func (m *machine) judge(s *state) string {
	for j := range uint8(len(m.Jobs)) {
		if wrong := m.judgeJob(s, j); wrong != "" {
			return fmt.Sprintf("job %d: %s", j+1, wrong)
		}
	}
	if wrong := m.judgeLedger(s); wrong != "" {
		return wrong
	}
	return m.judgeTable(s)
}

func (m *machine) judgeJob(s *state, number uint8) string {
	j := &s.jobs[number]
	switch r := &j.report; {
	case j.chunks.done&^j.rejects != 0:
		return "a chunk is done whose rejects are not stored"
	case !r.stored:
		return ""
	case r.chunks.done&^j.chunks.done != 0 || r.chunks.dead&^(j.chunks.dead|j.shelved) != 0:
		return "the report says more than the store"
	case (r.chunks.second^j.chunks.second)&r.chunks.done != 0:
		return "the report has other counts than the completions"
	case !r.stopped && r.chunks.ended()|j.plan.skipped != all(m.chunks(number)):
		return "the report leaves a chunk out"
	}
	return ""
}

// judgeLedger: what is in the ledger was loaded, by one job or another.
func (m *machine) judgeLedger(s *state) string {
	for o := range uint8(maxChunks) {
		if s.ledger.has(o) && !m.isLoaded(s, o) {
			return fmt.Sprintf("object %d is in the ledger and not loaded", o+1)
		}
	}
	return ""
}

func (m *machine) isLoaded(s *state, object uint8) bool {
	for j, job := range m.Jobs {
		of := set(0)
		for c, chunk := range job.Chunks {
			of.put(uint8(c), uint8(chunk.Object) == object)
		}
		if of != 0 && of&^s.jobs[j].chunks.done == 0 {
			return true
		}
	}
	return false
}

// judgeTable compares with the sequential oracle: one reader takes the jobs one after the other, and of each its
// records in order. A cell has the value of the last chunk that is done and sets it, or that of a later one which is
// not done.
func (m *machine) judgeTable(s *state) string {
	for c := range s.table {
		var want cell
		right := s.table[c] == want
		for _, j := range m.order(s) {
			for n, chunk := range m.Jobs[j].Chunks {
				value, sets := lastSet(chunk.Records, uint8(c))
				if !sets || s.jobs[j].plan.base == 0 || s.jobs[j].plan.skipped.has(uint8(n)) {
					continue
				}
				then := cell{s.jobs[j].plan.base + uint8(n), value}
				if s.jobs[j].chunks.done.has(uint8(n)) {
					want, right = then, s.table[c] == then
				} else {
					right = right || s.table[c] == then
				}
			}
		}
		if !right {
			return fmt.Sprintf("cell %d has the value %d of timestamp %d: one reader would have left %d of timestamp %d, "+
				"or the value of a later chunk that is not done", c+1, s.table[c].value, s.table[c].time, want.value, want.time)
		}
	}
	return ""
}

// lastSet is what a reader of the records leaves in a cell.
func lastSet(records []Record, cell uint8) (value uint8, sets bool) {
	for _, r := range records {
		if r.Cell == cell {
			value, sets = r.Value, true
		}
	}
	return value, sets
}

// order is that of the jobs: one that was planned after the other's end is the later one; else the timestamps decide.
func (m *machine) order(s *state) []uint8 {
	first, second := s.jobs[0].plan, s.jobs[1].plan
	switch {
	case len(m.Jobs) == 1:
		return []uint8{0}
	case first.after, !second.after && first.base > second.base:
		return []uint8{1, 0}
	}
	return []uint8{0, 1}
}

// judgeStep says what is wrong with a step.
func (m *machine) judgeStep(d step, from, to *state) string {
	job := &from.jobs[d.job]
	switch {
	case d.kind == acknowledges && (job.chunks.ended()|job.revived)&(1<<d.chunk) == 0 && !job.report.stored:
		return "acknowledged before the completion was stored"
	case d.kind == handsBack && from.workers[d.number].overdue:
		return "handed back by a worker past its lease: that hits the newer delivery"
	case d.who != aUser && job.report.stored && to.jobs[d.job].report != job.report:
		return "the report was changed"
	}
	if d.who == aDispatcher {
		return judgeRunner(d, from, to)
	}
	return m.judgeFolds(from, to)
}

// judgeRunner: who reads that a chunk is done does not take it for dead; who reports leaves out nothing that he could
// have read.
func judgeRunner(d step, from, to *state) string {
	before, after := from.jobs[d.job], to.jobs[d.job]
	r, was := &to.dispatchers[d.number].runners[d.job], &from.dispatchers[d.number].runners[d.job]
	switch {
	case d.kind == learns && r.fold.dead&^was.fold.dead&before.chunks.done != 0:
		return "a chunk that is done was read as dead"
	case !before.report.stored && after.report.stored && was.knew&^after.report.chunks.ended() != 0:
		return "the report leaves out what was stored before its attempt began"
	}
	return ""
}

// judgeFolds: done stays done.
func (m *machine) judgeFolds(from, to *state) string {
	for d := range from.dispatchers {
		for j := range from.dispatchers[d].runners {
			was, r := &from.dispatchers[d].runners[j], &to.dispatchers[d].runners[j]
			if was.at == r.at && was.fold.done&^r.fold.done != 0 {
				return "a chunk that was done became dead"
			}
		}
	}
	return ""
}
