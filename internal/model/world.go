package model

// worldTurn are the steps that nobody takes: what goes wrong, and leases that run out.
type worldTurn struct {
	*machine
	s    *state
	emit successors
}

// mishap takes a step that need not happen, if one of its kind is left.
func (t worldTurn) mishap(d step, left func(*state) *uint8, change func(n *state)) {
	n := *t.s
	if !once(left(&n)) {
		return
	}
	d.mishap = true
	change(&n)
	t.emit(d, n)
}

func (t worldTurn) steps() {
	for w := range t.s.workers {
		t.worker(uint8(w))
	}
	for d := range t.s.dispatchers {
		t.dispatcher(uint8(d))
	}
	for j := range uint8(len(t.Jobs)) {
		t.messages(j)
		t.leases(j)
		t.cancel(j)
	}
	t.wipe()
}

// worker dies, or stands still until its lease has run out.
func (t worldTurn) worker(number uint8) {
	w := t.s.workers[number]
	if w.at == idle {
		return
	}
	d := step{who: aWorker, number: number, text: "dies with @chunk", job: w.job, chunk: w.chunk}
	t.mishap(d, func(n *state) *uint8 { return &n.left.WorkerDies }, func(n *state) { n.workers[number] = worker{} })
	if w.overdue {
		return
	}
	d.text = "stands still until its lease of @chunk has run out"
	t.mishap(d, func(n *state) *uint8 { return &n.left.Overdue }, func(n *state) {
		n.workers[number].overdue = true
		n.jobs[w.job].held = n.jobs[w.job].held.without(w.chunk)
	})
}

// dispatcher dies. Runners die one by one: a server that is away ends an attempt, too.
func (t worldTurn) dispatcher(number uint8) {
	left := func(n *state) *uint8 { return &n.left.DispatcherDies }
	d := &t.s.dispatchers[number]
	for j := range d.runners {
		if d.runners[j].at == away {
			continue
		}
		t.mishap(step{who: aDispatcher, number: number, text: "dies with @job", job: uint8(j)}, left, func(n *state) {
			n.dispatchers[number].runners[j] = runner{}
		})
	}
	if d.accepts > 0 {
		s := step{who: aDispatcher, number: number, text: "dies with the message of @job", job: d.accepts - 1}
		t.mishap(s, left, func(n *state) { n.dispatchers[number].accepts, n.dispatchers[number].at = 0, marking })
	}
}

// messages are forgotten one by one.
func (t worldTurn) messages(j uint8) {
	left := func(n *state) *uint8 { return &n.left.Forgotten }
	job := &t.s.jobs[j]
	for c := range uint8(t.chunks(j)) {
		if job.queued.has(c) {
			t.mishap(step{text: "the queue forgets @chunk", job: j, chunk: c}, left, func(n *state) { n.jobs[j].drop(c) })
		}
	}
	if job.mail != absent {
		t.mishap(step{text: "the queue forgets the message of @job", job: j}, left, func(n *state) {
			n.jobs[j].mail = absent
		})
	}
}

// leases of holders that died run out.
func (t worldTurn) leases(j uint8) {
	job := &t.s.jobs[j]
	for c := range uint8(t.chunks(j)) {
		if !job.held.has(c) || t.isHeld(j, c) {
			continue
		}
		n := *t.s
		n.jobs[j].held = n.jobs[j].held.without(c)
		t.emit(step{text: "a lease of @chunk runs out", job: j, chunk: c}, n)
	}
	if job.mail == taken && t.s.dispatchers[0].accepts != j+1 && t.s.dispatchers[1].accepts != j+1 {
		n := *t.s
		n.jobs[j].mail = waiting
		t.emit(step{text: "the lease of the message of @job runs out", job: j}, n)
	}
}

func (t worldTurn) isHeld(j, c uint8) bool {
	for _, w := range t.s.workers {
		if w.at != idle && !w.overdue && w.job == j && w.chunk == c {
			return true
		}
	}
	return false
}

// cancel is Store.SetControl.
func (t worldTurn) cancel(j uint8) {
	if job := &t.s.jobs[j]; !job.cancel && !job.report.stored {
		t.mishap(step{text: "a user cancels @job", job: j}, func(n *state) *uint8 { return &n.left.Cancels },
			func(n *state) { n.jobs[j].cancel = true })
	}
}

// wipe is a NATS store that is lost.
func (t worldTurn) wipe() {
	any := false
	for j := range t.s.jobs {
		any = any || t.s.jobs[j].queued != 0 || t.s.jobs[j].mail != absent
	}
	if !any {
		return
	}
	t.mishap(step{text: "the queue is wiped"}, func(n *state) *uint8 { return &n.left.Wiped }, func(n *state) {
		for j := range n.jobs {
			job := &n.jobs[j]
			job.queued, job.held, job.mail, job.bases = 0, 0, absent, [maxChunks]uint8{}
		}
		if t.Broken == ClockInQueue {
			n.clock = 1
		}
	})
}
