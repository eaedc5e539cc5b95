package model

// acceptTurn are the steps of one dispatcher with job messages: Dispatcher.acceptAll, Accept and settle.
type acceptTurn struct {
	*machine
	s      *state
	number uint8
	emit   successors
}

func (t acceptTurn) does(number uint8, text string, change func(d *dispatcher, j *job)) {
	n := *t.s
	change(&n.dispatchers[t.number], &n.jobs[number])
	t.emit(step{who: aDispatcher, number: t.number, text: text, job: number}, n)
}

func (t acceptTurn) steps() {
	d := &t.s.dispatchers[t.number]
	if d.accepts == 0 {
		t.take()
		return
	}
	number := d.accepts - 1
	switch d.at {
	case marking: // Store.AcceptJob, first half
		t.does(number, "marks @job as active", func(d *dispatcher, j *job) {
			if d.at = storing; j.life == unknown {
				j.life = listed
			} else if j.life == forgotten {
				j.life = active
			}
		})
	case storing: // second half
		t.does(number, "stores @job", func(d *dispatcher, j *job) {
			if d.at, j.life = settling, active; j.report.stored { // Store.Forget
				j.life = forgotten
			}
		})
	case settling:
		t.does(number, "acknowledges the message of @job", func(d *dispatcher, j *job) {
			d.accepts, d.at, j.mail = 0, marking, absent
		})
	}
}

func (t acceptTurn) take() {
	for j := range uint8(len(t.Jobs)) {
		if t.s.jobs[j].mail != waiting {
			continue
		}
		t.does(j, "takes the message of @job", func(d *dispatcher, job *job) {
			d.accepts, d.at, job.mail = j+1, marking, taken
			if t.Broken == AckBeforeAccept {
				job.mail = absent
			}
		})
	}
}
