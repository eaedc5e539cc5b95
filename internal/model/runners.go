package model

// runnerTurn are the steps of one dispatcher with one job: those of dispatcher.runner.
type runnerTurn struct {
	*machine
	s           *state
	number, job uint8
	emit        successors
}

func (t runnerTurn) runner() *runner { return &t.s.dispatchers[t.number].runners[t.job] }
func (t runnerTurn) stored() *job    { return &t.s.jobs[t.job] }

// does takes a step that changes the world, the runner, and its job's documents.
func (t runnerTurn) does(d step, change func(n *state, r *runner, j *job)) {
	n := *t.s
	d.who, d.number, d.job = aDispatcher, t.number, t.job
	change(&n, &n.dispatchers[t.number].runners[t.job], &n.jobs[t.job])
	t.emit(d, n)
}

func (t runnerTurn) steps() {
	switch t.runner().at {
	case away, preparing, ahead, planning, reserved, catching:
		t.prepare()
	case driving:
		t.drive()
	default:
		t.end()
	}
}

// prepare is findJobs, attempt and prepare.
func (t runnerTurn) prepare() {
	switch t.runner().at {
	case away:
		if t.stored().life != active { // findJobs, Store.ActiveJobs
			return
		}
		t.does(step{text: "takes @job on"}, func(_ *state, r *runner, j *job) { // attempt, Store.Report
			if r.at = preparing; j.report.stored {
				r.at = telling
			} else if t.May.Cancels > 0 {
				r.knew = j.chunks.ended()
			}
		})
	case preparing:
		t.plan()
	case ahead: // gather: the sources are listed while timestamps are reserved
		t.list(reserved)
	case planning: // Store.Reserve
		t.reserve()
	case reserved:
		t.seal()
	case catching: // status.CatchUp
		t.does(step{text: "reads the outcomes of @job", kind: learns}, func(_ *state, r *runner, j *job) {
			r.at = driving
			for c := range uint8(t.chunks(t.job)) {
				r.fold.apply(c, t.canonical(j.chunks, c))
			}
		})
	}
}

// plan is Dispatcher.plan: the sealed plan, or else what the sources and the ledger say now, before timestamps are
// reserved or after. Whatever keeps a runner from that, a user may cancel the job all the same: giveUp. A runner that
// was handed the job as it was stored does not look for a plan, and is overtaken by whoever has sealed one; so is one
// that looked just before.
func (t runnerTurn) plan() {
	if t.stored().plan.base > 0 && t.Broken != PlanAgain { // Store.Plan
		t.does(step{text: "reads the plan of @job"}, func(_ *state, r *runner, j *job) { r.at, r.plan = catching, j.plan })
	}
	if t.stored().plan.base == 0 || t.Broken == PlanAgain || t.handed() {
		t.list(planning)
		t.reserveThen(ahead)
	}
	if t.stored().cancel {
		t.giveUp()
	}
}

// handed says whether a runner may go on as if nothing were stored of its job though a plan is: there is another
// dispatcher that has sealed one.
func (t runnerTurn) handed() bool { return t.Dispatchers > 1 }

// list is planInto.
func (t runnerTurn) list(then runnerStep) {
	t.does(step{text: "lists the objects of @job"}, func(n *state, r *runner, _ *job) {
		r.at = then
		for c, chunk := range t.Jobs[t.job].Chunks {
			r.plan.skipped.put(uint8(c), n.ledger.has(uint8(chunk.Object)))
		}
	})
}

// giveUp ends a job that a user cancelled while it cannot be prepared.
func (t runnerTurn) giveUp() {
	t.does(step{text: "gives @job up", kind: learns}, func(_ *state, r *runner, j *job) {
		r.at, r.stops, r.plan = emptying, true, j.plan
		if t.Broken == ReportFromNothing {
			return
		}
		for c := range uint8(t.chunks(t.job)) { // giveUp, recollect
			r.fold.apply(c, t.canonical(j.chunks, c))
		}
	})
}

// reserve is Store.Reserve: a range of the clock that nobody had.
func (t runnerTurn) reserve() {
	if t.Broken == BaseFromWallClock {
		t.reads(t.s.clock)
		t.reads(1) // it stepped back
		return
	}
	t.reserveThen(reserved)
}

func (t runnerTurn) reserveThen(then runnerStep) {
	t.does(step{text: "reserves timestamps for @job"}, func(n *state, r *runner, _ *job) {
		r.at, r.plan.base, r.plan.after = then, n.clock, t.otherEnded(n)
		if t.Broken != BaseAfterPublish {
			n.clock += uint8(t.chunks(t.job))
		}
	})
}

// reads takes the time for a base.
func (t runnerTurn) reads(now uint8) {
	t.does(step{text: "takes the time for the base of @job"}, func(n *state, r *runner, _ *job) {
		r.at, r.plan.base, r.plan.after = reserved, now, t.otherEnded(n)
		n.clock = now + uint8(t.chunks(t.job))
	})
}

func (t runnerTurn) otherEnded(n *state) bool {
	return len(t.Jobs) == 2 && n.jobs[1-t.job].report.stored
}

// seal is PlanWriter.Seal: the first plan counts.
func (t runnerTurn) seal() {
	t.does(step{text: "seals a plan of @job"}, func(_ *state, r *runner, j *job) {
		if r.at = catching; j.plan.base == 0 || t.Broken == PlanAgain {
			j.plan = r.plan
		}
		if t.Broken != PublishUnsealed {
			r.plan = j.plan
		}
	})
}

// drive is runner.drive: fill the window, hear (see workerTurn.announce), reconcile, until all have an outcome.
func (t runnerTurn) drive() {
	r, j := t.runner(), t.stored()
	if j.cancel { // stopped
		t.does(step{text: "sees that @job is cancelled"}, func(_ *state, r *runner, _ *job) {
			r.at, r.stops, r.out = emptying, true, 0
		})
	}
	if t.complete(r) {
		t.does(step{text: "has an outcome of every chunk of @job"}, func(_ *state, r *runner, j *job) {
			if r.at, r.out = entering, 0; t.Broken == ForgetFirst {
				j.life = forgotten
			}
		})
		return
	}
	t.fill()
	t.reconcile()
}

func (t runnerTurn) complete(r *runner) bool {
	return r.plan.skipped|r.fold.ended() == all(t.chunks(t.job))
}

// fill is window.fill: the next chunk that has no outcome, if there is room.
func (t runnerTurn) fill() {
	r := t.runner()
	passed := r.plan.skipped | r.fold.ended() | r.out
	c, more := passed.first(t.chunks(t.job))
	if !more || t.Window > 0 && int(r.out.count()) >= t.Window {
		return
	}
	t.does(step{text: "publishes @chunk", chunk: c}, func(n *state, r *runner, j *job) {
		r.out = r.out.with(c)
		t.publish(n, r, j, c)
	})
}

// publish is window.publish and Queue.PublishChunks: content where the chunk is queued already.
func (t runnerTurn) publish(n *state, r *runner, j *job, c uint8) {
	if t.Broken == BaseAfterPublish {
		n.clock = max(n.clock, r.plan.base+uint8(t.chunks(t.job)))
	}
	if !j.queued.has(c) {
		j.queued, j.bases[c] = j.queued.with(c), r.plan.base
	}
}

// reconcile is window.reconcile: what is out is looked up, and published again if it has no outcome.
func (t runnerTurn) reconcile() {
	r, j := t.runner(), t.stored()
	for c := range uint8(t.chunks(t.job)) {
		if !r.out.has(c) || t.Broken == NewsOnly {
			continue
		}
		if o := t.canonical(j.chunks, c); o != none {
			t.does(step{text: "looks @chunk up", chunk: c, kind: learns}, func(_ *state, r *runner, _ *job) {
				t.fold(r, c, o)
			})
		}
		if t.Broken != PublishOnce && !j.queued.has(c) {
			t.does(step{text: "publishes @chunk again", chunk: c}, func(n *state, r *runner, j *job) { t.publish(n, r, j, c) })
		}
	}
}

// hear is runner.hear.
func (m *machine) hear(n *state, r *runner, c uint8, o outcome) {
	if m.Broken == FoldBySequence {
		c = min(r.heard, maxChunks-1)
		r.heard++
	}
	m.fold(r, c, o)
	if m.Broken == LedgerWithNews {
		for j := range m.Jobs {
			n.ledger = n.ledger.with(uint8(m.Jobs[j].Chunks[c].Object))
		}
	}
}

// fold is runner.fold: what has an outcome is not out any more.
func (m *machine) fold(r *runner, c uint8, o outcome) {
	if m.Broken == DeadBeatsDone && o == dead {
		r.fold.done = r.fold.done.without(c)
	}
	r.fold.apply(c, o)
	r.out = r.out.without(c)
}

// canonical is Store.Completion: done beats dead.
func (m *machine) canonical(o outcomes, c uint8) outcome {
	if m.Broken == DeadBeatsDone && o.dead.has(c) {
		return dead
	}
	return o.canonical(c)
}

// end is runner.end and announce.
func (t runnerTurn) end() {
	switch t.runner().at {
	case emptying: // Queue.Purge
		t.does(step{text: "empties the queue of @job"}, func(_ *state, r *runner, j *job) {
			j.queued, j.held, j.bases = 0, 0, [maxChunks]uint8{}
			r.at = entering
		})
	case entering:
		t.tally()
	case ending:
		t.report()
	case telling: // Queue.PublishEvent
		t.does(step{text: "tells that @job has ended"}, func(_ *state, r *runner, j *job) { r.at, j.told = dismissed, true })
	case dismissed: // Store.Forget
		t.does(step{text: "takes @job off the active list"}, func(_ *state, r *runner, j *job) {
			j.life = forgotten
			if *r = (runner{at: minding}); t.Broken == ForgetBlindly || t.May.Replays == 0 {
				*r = runner{}
			}
		})
	case minding: // the job may have been reopened meanwhile
		t.does(step{text: "looks whether @job has ended"}, func(_ *state, r *runner, j *job) {
			if *r = (runner{}); !j.report.stored {
				j.life = active
			}
		})
	}
}

// tally is runner.tally: what is dead is looked up, and objects that are loaded are entered in the ledger, one after
// the other, or all at once as a run. Pages of runs, and merging them, change nothing that is in it.
func (t runnerTurn) tally() {
	if t.runner().fold.dead&^t.stored().chunks.ended() != 0 && t.Broken != DeathBelieved { // fates
		t.does(step{text: "finds that @job was reopened"}, func(_ *state, r *runner, j *job) {
			if *r = (runner{at: preparing}); j.report.stored {
				r.at = telling
			}
		})
		return
	}
	missing := t.loaded() &^ t.s.ledger
	if missing.count() > 1 {
		t.does(step{text: "lists a run of all objects of @job"}, func(n *state, _ *runner, _ *job) { // Entering.Commit
			n.ledger |= missing
		})
	}
	for o := range uint8(maxChunks) {
		if missing.has(o) {
			t.does(step{text: "enters object @arg in the ledger", arg: o}, func(n *state, _ *runner, _ *job) { // AddLedger
				n.ledger = n.ledger.with(o)
			})
			return
		}
	}
	if t.May.Replays == 0 { // else what was read may change before the report is stored
		t.report()
		return
	}
	t.does(step{text: "has tallied the objects of @job"}, func(_ *state, r *runner, _ *job) { r.at = ending })
}

// report is Store.EndJob: the first one counts.
func (t runnerTurn) report() {
	t.does(step{text: "stores the report of @job"}, func(_ *state, r *runner, j *job) {
		if !j.report.stored || t.Broken == LastReportCounts {
			j.report = report{stored: true, stopped: r.stops, chunks: r.fold}
		}
		*r = runner{at: telling}
	})
}

// loaded are the objects of which every chunk is done, as the runner knows.
func (t runnerTurn) loaded() set {
	whole, partly := set(0), set(0)
	for c, chunk := range t.Jobs[t.job].Chunks {
		if o := uint8(chunk.Object); t.runner().fold.done.has(uint8(c)) {
			whole = whole.with(o)
		} else {
			partly = partly.with(o)
		}
	}
	return whole &^ partly
}
