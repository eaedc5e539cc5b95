package model

// replayTurn are the steps of a user who has the dead chunks of a job loaded again: dispatcher.Reopen and
// state.Reopening. One that breaks off is begun again sooner or later, which is as if it had only paused.
type replayTurn struct {
	*machine
	s    *state
	emit successors
}

func (t replayTurn) does(number uint8, d step, change func(u *user, j *job)) {
	n := *t.s
	d.who, d.job = aUser, number
	change(&n.user, &n.jobs[number])
	t.emit(d, n)
}

func (t replayTurn) steps() {
	switch u := &t.s.user; u.at {
	case atRest:
		t.begin()
	case shelving:
		t.shelve()
	case marked:
		t.does(u.job, step{text: "takes the report of @job away"}, func(u *user, j *job) {
			u.at, j.report, j.told, j.shelved = reopened, report{}, false, 0
		})
	case reopened:
		t.does(u.job, step{text: "marks @job as active again"}, func(u *user, j *job) { *u, j.life = user{}, active })
	}
}

// begin is Reopen: only of a job that ended with an outcome of every chunk.
func (t replayTurn) begin() {
	for j := range uint8(len(t.Jobs)) {
		docs := &t.s.jobs[j]
		lost := docs.chunks.dead&^docs.chunks.done | docs.shelved
		if t.s.left.Replays == 0 || !docs.report.stored || docs.report.stopped || lost == 0 {
			continue
		}
		n := *t.s
		once(&n.left.Replays)
		n.user = user{at: shelving, job: j, chunks: lost}
		t.emit(step{who: aUser, text: "wants the dead chunks of @job loaded", job: j, mishap: true}, n)
	}
}

// shelve is Reopening.Chunk of each chunk, and the first mark.
func (t replayTurn) shelve() {
	u := &t.s.user
	for c := range uint8(t.chunks(u.job)) {
		if !u.chunks.has(c) {
			continue
		}
		t.does(u.job, step{text: "shelves that @chunk is dead", chunk: c}, func(u *user, j *job) {
			u.chunks, j.revived = u.chunks.without(c), j.revived.with(c)
			j.chunks.dead, j.shelved, j.failures[c] = j.chunks.dead.without(c), j.shelved.with(c), 0
		})
		return
	}
	t.does(u.job, step{text: "marks @job as active"}, func(u *user, j *job) { u.at, j.life = marked, active })
}
