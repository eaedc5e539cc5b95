package model

// workerTurn are the steps that one worker can take: those of workers.Workers.pull and handle.
type workerTurn struct {
	*machine
	s      *state
	number uint8
	emit   successors
}

// does takes a step that changes the world, the worker, and the job that it works on.
func (t workerTurn) does(d step, change func(n *state, w *worker, j *job)) {
	n := *t.s
	w := &n.workers[t.number]
	d.who, d.number, d.job, d.chunk = aWorker, t.number, w.job, w.chunk
	change(&n, w, &n.jobs[w.job])
	t.emit(d, n)
}

func (t workerTurn) steps() {
	switch t.s.workers[t.number].at {
	case idle:
		t.pull()
	case loading:
		t.isOver()
		t.load()
		t.fail()
	case flushed:
		t.conclude()
	case burying:
		t.does(step{text: "stores that @chunk is dead"}, func(_ *state, w *worker, j *job) { // bury, Store.PutDead
			w.at = buried
			j.chunks.dead = j.chunks.dead.with(w.chunk)
		})
	case buried:
		t.does(step{text: "reads the outcome of @chunk"}, func(_ *state, w *worker, j *job) { // conclude, Store.Completion
			w.at, w.learned = spreading, t.canonical(j.chunks, w.chunk)
		})
	case spreading:
		t.announce()
	case acking:
		t.does(step{text: "acknowledges @chunk", kind: acknowledges}, func(_ *state, w *worker, j *job) { // settle
			j.drop(w.chunk)
			*w = worker{}
		})
	case handing:
		t.handBack()
	}
}

// pull is Puller.Next.
func (t workerTurn) pull() {
	for j := range uint8(len(t.Jobs)) {
		for c := range uint8(t.chunks(j)) {
			if job := &t.s.jobs[j]; job.queued.has(c) && !job.held.has(c) {
				t.take(j, c)
			}
		}
	}
}

func (t workerTurn) take(j, c uint8) {
	n := *t.s
	job := &n.jobs[j]
	n.workers[t.number] = worker{at: loading, job: j, chunk: c, base: job.bases[c]}
	job.held = job.held.with(c)
	d := step{who: aWorker, number: t.number, text: "pulls @chunk", job: j, chunk: c}
	if t.Broken == AckBeforeLoad {
		job.drop(c)
		d.text, d.kind = "pulls and acknowledges @chunk", acknowledges
	}
	t.emit(d, n)
}

// isOver is Workers.isOver, before anything is written: the chunk has an outcome, or its job has ended.
func (t workerTurn) isOver() {
	w := &t.s.workers[t.number]
	docs := &t.s.jobs[w.job]
	if w.wrote != 0 {
		return
	}
	if o := t.canonical(docs.chunks, w.chunk); o != none {
		t.does(step{text: "finds that @chunk has an outcome"}, func(_ *state, w *worker, _ *job) {
			w.through(spreading)
			w.learned = o
		})
	} else if docs.report.stored {
		t.does(step{text: "finds that the job of @chunk has ended"}, func(_ *state, w *worker, _ *job) { w.through(acking) })
	}
}

// load is loader.load: the rows, in whatever order, then the rejects. Both are the same at every try.
func (t workerTurn) load() {
	w := &t.s.workers[t.number]
	writes := t.writes[w.job][w.chunk]
	for i := range uint8(len(writes)) {
		if w.wrote.has(i) {
			continue
		}
		t.does(step{text: "writes row @arg of @chunk", arg: i}, func(n *state, w *worker, _ *job) {
			w.wrote = w.wrote.with(i)
			n.table[writes[i].time].write(cell{w.base + w.chunk, writes[i].value})
		})
	}
	if w.wrote != all(len(writes)) && t.Broken != CompletionBeforeRows {
		return
	}
	t.does(step{text: "stores the rejects of @chunk"}, func(_ *state, w *worker, j *job) {
		w.at = flushed
		j.rejects = j.rejects.with(w.chunk)
	})
	if t.Broken == CompletionBeforeRejects {
		t.does(step{text: "leaves the rejects of @chunk for later"}, func(_ *state, w *worker, _ *job) { w.at = flushed })
	}
}

// conclude is Workers.conclude and Store.PutDone: the first completion counts, and is the one that is told of.
func (t workerTurn) conclude() {
	t.completes(step{text: "stores the completion of @chunk"}, doneFirst)
	if t.s.left.Miscounts > 0 {
		t.completes(step{text: "stores the completion of @chunk, with other counts", mishap: true}, doneSecond)
	}
}

func (t workerTurn) completes(d step, counts outcome) {
	t.does(d, func(n *state, w *worker, j *job) {
		if counts == doneSecond {
			once(&n.left.Miscounts)
		}
		if t.Broken == LastCompletionCounts {
			j.chunks.done = j.chunks.done.without(w.chunk)
		}
		wasDead := j.chunks.dead.has(w.chunk)
		j.chunks.apply(w.chunk, counts)
		j.chunks.dead.put(w.chunk, wasDead) // a document of its own
		w.through(spreading)
		w.learned = doneFirst + outcome(is(j.chunks.second.has(w.chunk)))
	})
}

// announce is Workers.announce: each runner that listens hears of it or does not.
func (t workerTurn) announce() {
	w := &t.s.workers[t.number]
	var listen []uint8
	for d := range uint8(t.Dispatchers) {
		if t.s.dispatchers[d].runners[w.job].at == driving {
			listen = append(listen, d)
		}
	}
	for heard := range set(1 << len(listen)) {
		d := step{text: "tells what became of @chunk: @arg hear it", arg: heard.count()}
		t.does(d, func(n *state, w *worker, j *job) {
			for i, number := range listen {
				if heard.has(uint8(i)) {
					t.hear(n, &n.dispatchers[number].runners[w.job], w.chunk, w.learned)
				}
			}
			w.through(acking)
		})
	}
}

// fail is what settle makes of an error: dead at once, or counted until it is enough.
func (t workerTurn) fail() {
	if t.s.left.Hopeless > 0 {
		t.does(step{text: "finds that @chunk can never be loaded", mishap: true}, func(n *state, w *worker, _ *job) {
			once(&n.left.Hopeless)
			w.through(burying)
		})
	}
	if t.s.left.Faults == 0 {
		return
	}
	t.does(step{text: "fails at @chunk", mishap: true}, func(n *state, w *worker, j *job) { // Store.AddFailure
		once(&n.left.Faults)
		w.through(handing)
		if j.failures[w.chunk]++; int(j.failures[w.chunk]) >= t.Attempts {
			w.at = burying
		}
	})
}

// handBack is handBack: a worker past its lease says nothing.
func (t workerTurn) handBack() {
	if t.s.workers[t.number].overdue && t.Broken != LateNak {
		t.does(step{text: "lets @chunk go"}, func(_ *state, w *worker, _ *job) { *w = worker{} })
		return
	}
	t.does(step{text: "hands @chunk back", kind: handsBack}, func(_ *state, w *worker, j *job) {
		j.held = j.held.without(w.chunk)
		*w = worker{}
	})
}

// through goes to a step that needs no more of the chunk than its name.
func (w *worker) through(at workerStep) {
	*w = worker{at: at, job: w.job, chunk: w.chunk, overdue: w.overdue}
}

// drop removes a chunk's message, whoever has it.
func (j *job) drop(chunk uint8) {
	j.queued, j.held, j.bases[chunk] = j.queued.without(chunk), j.held.without(chunk), 0
}
