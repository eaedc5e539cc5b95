package ops

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// How often a dependency is asked, and how long it may take to answer.
const (
	askEvery = 5 * time.Second
	askLimit = 5 * time.Second
)

// errUnasked is the word of a dependency that was not asked yet.
var errUnasked = errors.New("it has not answered yet")

// Health is what is known of a process: whether its loops go on, and what those said that it depends on. It is safe for
// concurrent use. Make it with NewHealth.
type Health struct {
	leaving <-chan struct{} // closed when the process is asked to leave
	names   []string

	mu      sync.Mutex
	answers map[string]error // the last of each dependency; nil where it is well
	stopped map[string]error // loops that ended before they were asked to
}

// NewHealth knows no answer yet: the process is able and not ready. leaving is closed when it is asked to leave.
func NewHealth(leaving <-chan struct{}, dependencies ...string) *Health {
	h := &Health{leaving: leaving, names: dependencies, answers: map[string]error{}, stopped: map[string]error{}}
	for _, name := range dependencies {
		h.answers[name] = errUnasked
	}
	return h
}

// Note takes a dependency's answer: nil where it is well. What err says is shown to whoever asks.
func (h *Health) Note(dependency string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers[dependency] = err
}

// Up says whether a dependency's last answer was a good one.
func (h *Health) Up(dependency string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	err, known := h.answers[dependency]
	return known && err == nil
}

// Loop runs a main loop of the process, which is not able any more when that ends unasked.
func (h *Health) Loop(ctx context.Context, name string, loop func(context.Context) error) error {
	err := loop(ctx)
	if ctx.Err() == nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.stopped[name] = err
	}
	return err
}

// Watch asks a dependency time and again until ctx ends. An answer that does not come is an error, too; nobody is asked
// again before the answer before that is there.
func (h *Health) Watch(ctx context.Context, dependency string, ask func(context.Context) error) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		h.ask(ctx, dependency, ask)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (h *Health) ask(ctx context.Context, dependency string, ask func(context.Context) error) {
	limited, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- ask(limited) }()
	var err error
	select {
	case err = <-answer:
	case <-limited.Done():
		h.noteLate(ctx, dependency, nil)
		err = <-answer
	}
	if limited.Err() != nil {
		h.noteLate(ctx, dependency, err)
		return
	}
	h.Note(dependency, err)
}

// noteLate notes that no answer came in time, unless that is because the watch ended.
func (h *Health) noteLate(ctx context.Context, dependency string, err error) {
	if ctx.Err() != nil {
		return
	}
	late := contracts.Errorf(contracts.KindUnavailable, "no answer within %s", askLimit)
	if err != nil {
		late = contracts.Errorf(contracts.KindUnavailable, "no answer within %s: %w", askLimit, err)
	}
	h.Note(dependency, late)
}

// readiness is the body of /readyz.
type readiness struct {
	Ready        bool         `json:"ready"`
	Draining     bool         `json:"draining"`
	Dependencies []dependency `json:"dependencies"`
}

type dependency struct {
	Name  string `json:"name"`
	Up    bool   `json:"up"`
	Error string `json:"error,omitempty"`
}

func (h *Health) readiness() readiness {
	r := readiness{Ready: true}
	select {
	case <-h.leaving:
		r.Ready, r.Draining = false, true
	default:
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range h.names {
		d := dependency{Name: name, Up: true}
		if err := h.answers[name]; err != nil {
			d.Up, d.Error, r.Ready = false, err.Error(), false
		}
		r.Dependencies = append(r.Dependencies, d)
	}
	return r
}

// ability is the body of /healthz.
type ability struct {
	Able    bool              `json:"able"`
	Stopped map[string]string `json:"stopped,omitempty"` // why, by loop
}

func (h *Health) ability() ability {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := ability{Able: len(h.stopped) == 0, Stopped: map[string]string{}}
	for name, err := range h.stopped {
		a.Stopped[name] = "it ended"
		if err != nil {
			a.Stopped[name] = err.Error()
		}
	}
	return a
}
