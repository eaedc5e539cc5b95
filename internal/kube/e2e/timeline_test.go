//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// timeline records what happens to the workers of a Deployment, and when.
type timeline struct {
	name  string // of the files in which it ends up
	begin time.Time

	mu     sync.Mutex
	known  bool // the API server has told of the workers
	points []point
	notes  []note
}

// point is a moment: how many workers are wanted, how many are ready, how many chunks wait or are in work.
type point struct {
	at                   time.Duration
	wanted, ready, chunk int
}

type note struct {
	at   time.Duration
	text string
}

// watch follows the Deployment and the queue until the test ends.
func (l *lab) watch(name string) {
	l.t.Helper()
	l.stages = &timeline{name: name, begin: time.Now()}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { l.watchWorkers(ctx) })
	wg.Go(func() { l.watchQueue(ctx) })
	l.t.Cleanup(func() {
		cancel()
		wg.Wait()
		l.stages.save(l)
	})
}

// watchWorkers reads what the API server tells of every change, and asks anew where it hangs up.
func (l *lab) watchWorkers(ctx context.Context) {
	for ctx.Err() == nil {
		cmd, err := l.cluster.Command(ctx, "--namespace=penstock", "get", "deployment", "penstock-worker", "--watch",
			"-o", `jsonpath={.spec.replicas}/{.status.readyReplicas}{"\n"}`)
		if err != nil {
			l.t.Error(err)
			return
		}
		out, err := cmd.StdoutPipe()
		if err != nil || cmd.Start() != nil {
			l.t.Errorf("watch the workers: %v", err)
			return
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var wanted, ready int
			spec, status, _ := strings.Cut(lines.Text(), "/")
			_, _ = fmt.Sscan(spec, &wanted)  // nothing is 0
			_, _ = fmt.Sscan(status, &ready) // nothing is 0
			l.stages.add(func(p *point) { p.wanted, p.ready, l.stages.known = wanted, ready, true })
		}
		_ = cmd.Wait() // it was killed, or the API server hung up
	}
}

func (l *lab) watchQueue(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if lag, err := l.lag(ctx); err == nil {
			l.stages.add(func(p *point) { p.chunk = lag })
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lag is what KEDA scales on: chunks that wait, and chunks in work.
func (l *lab) lag(ctx context.Context) (int, error) {
	c, err := l.js.Consumer(ctx, "CHUNKS", "workers")
	if err != nil {
		return 0, err
	}
	info, err := c.Info(ctx)
	if err != nil {
		return 0, err
	}
	return int(info.NumPending) + info.NumAckPending, nil
}

func (s *timeline) add(change func(*point)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var p point
	if len(s.points) > 0 {
		p = s.points[len(s.points)-1]
	}
	before := p
	if change(&p); p == before && len(s.points) > 0 {
		return
	}
	p.at = time.Since(s.begin)
	s.points = append(s.points, p)
}

// note writes down what the test does.
func (s *timeline) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, note{time.Since(s.begin), fmt.Sprintf(format, args...)})
}

// elapsed is the time by which points and notes are ordered.
func (s *timeline) elapsed() time.Duration { return time.Since(s.begin) }

// now says whether so many workers are wanted and ready.
func (s *timeline) now(workers int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known {
		return false
	}
	last := s.points[len(s.points)-1]
	return last.wanted == workers && last.ready == workers
}

// firstReady is when so many workers were ready for the first time since a moment.
func (s *timeline) firstReady(n int, since time.Duration) (time.Duration, bool) {
	return s.first(since, func(p point) bool { return p.ready >= n })
}

// asleep is when no worker was left for the first time since a moment.
func (s *timeline) asleep(since time.Duration) time.Duration {
	after, _ := s.first(since, func(p point) bool { return p.wanted == 0 && p.ready == 0 })
	return after
}

func (s *timeline) first(since time.Duration, so func(point) bool) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.points {
		if p.at >= since && so(p) {
			return p.at - since, true
		}
	}
	return 0, false
}

// save writes the timeline as text, which the test prints, too, and as a picture.
func (s *timeline) save(l *lab) {
	text := s.text()
	fmt.Print(text)
	for name, content := range map[string]string{s.name + ".txt": text, s.name + ".svg": s.svg()} {
		if err := os.WriteFile(filepath.Join(*outDir, name), []byte(content), 0o644); err != nil {
			l.t.Error(err)
		}
	}
}

// text has a line for each change of the workers' number and for each note.
func (s *timeline) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%9s %7s %6s %7s\n", "seconds", "wanted", "ready", "chunks")
	notes, last := s.notes, point{wanted: -1}
	tell := func(until time.Duration) {
		for ; len(notes) > 0 && notes[0].at <= until; notes = notes[1:] {
			fmt.Fprintf(&b, "%9.1f %22s  %s\n", notes[0].at.Seconds(), "", notes[0].text)
		}
	}
	for _, p := range s.points {
		tell(p.at)
		if p.wanted != last.wanted || p.ready != last.ready {
			fmt.Fprintf(&b, "%9.1f %7d %6d %7d  %s\n", p.at.Seconds(), p.wanted, p.ready, p.chunk, strings.Repeat("█", p.ready))
		}
		last = p
	}
	tell(math.MaxInt64)
	return b.String()
}
