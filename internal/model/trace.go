package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// trace tells the steps up to and with one, by taking them again.
func (e *explorer) trace(last edge) []string {
	way := []edge{last}
	for at := last.state; at != 0; at = e.from[at].state {
		way = append(way, e.from[at])
	}
	slices.Reverse(way)
	s := e.start()
	var lines []string
	names := names{{}, {0, 1}, {0, 1}}
	for _, by := range way {
		d, next := e.nth(&s, by.step)
		lines = append(lines, names.tell(d))
		e.simplify(&next)
		workers, dispatchers := e.rename(&next)
		names.swap(aWorker, workers)
		names.swap(aDispatcher, dispatchers)
		s = next
	}
	return lines
}

func (e *explorer) nth(s *state, n uint32) (d step, next state) {
	i := uint32(0)
	e.each(s, func(by step, to state) {
		if i == n {
			d, next = by, to
		}
		i++
	})
	return d, next
}

// names are the numbers under which a trace knows the workers and the dispatchers, whatever they are renamed to.
type names [3][2]uint8

func (n *names) swap(who actor, swapped bool) {
	if swapped {
		n[who][0], n[who][1] = n[who][1], n[who][0]
	}
}

// tell is a step as a line of a trace.
func (n *names) tell(d step) string {
	who := ""
	switch d.who {
	case aWorker:
		who = fmt.Sprintf("worker %d ", n[aWorker][d.number]+1)
	case aUser:
		who = "the user "
	case aDispatcher:
		who = fmt.Sprintf("dispatcher %d ", n[aDispatcher][d.number]+1)
	}
	job := fmt.Sprintf("job %d", d.job+1)
	return who + strings.NewReplacer("@job", job, "@chunk", fmt.Sprintf("chunk %d of %s", d.chunk+1, job),
		"row @arg", "row "+strconv.Itoa(int(d.arg)+1), "object @arg", "object "+strconv.Itoa(int(d.arg)+1),
		"@arg", strconv.Itoa(int(d.arg))).Replace(d.text)
}
