package measure

import (
	"context"
	"os/exec"
	"syscall"
	"time"

	"github.com/penstock-io/penstock/internal/testenv/child"
)

// lookEvery is how often the processes of a run are looked at. What ends between two looks is in its parent's books.
const lookEvery = 200 * time.Millisecond

// Cost is what a command took, with all processes that it started.
type Cost struct {
	Wall time.Duration
	CPU  time.Duration // user and system
	Peak int64         // bytes resident at once, in all of its processes
}

// Run runs the command in a process group of its own to its end, or kills the group when ctx ends. The error is the
// command's; the cost is right with it, too.
func Run(ctx context.Context, cmd *exec.Cmd) (Cost, error) {
	begin := time.Now()
	p, err := child.Start(cmd)
	if err != nil {
		return Cost{}, err
	}
	seen := newWatch(cmd.Process.Pid)
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	defer p.Signal(syscall.SIGKILL) // what the command left behind
	for {
		select {
		case <-ctx.Done():
			p.Kill()
			return seen.cost(cmd, time.Since(begin)), context.Cause(ctx)
		case <-p.Done():
			return seen.cost(cmd, time.Since(begin)), p.Err()
		case <-ticks.C:
			seen.look()
		}
	}
}

// watch is what was seen of a process group so far.
type watch struct {
	group int
	last  map[int]usage // of each process that was ever seen
	peak  int64
}

func newWatch(id int) *watch {
	w := &watch{group: id, last: map[int]usage{}}
	w.look()
	return w
}

func (w *watch) look() {
	var resident int64
	for pid, u := range group(w.group) {
		w.last[pid] = u
		resident += u.resident
		w.peak = max(w.peak, highWater(pid))
	}
	w.peak = max(w.peak, resident)
}

// cost takes the greater of two accounts: what the kernel charged to the command and the children that it waited for,
// and what was seen of each process. The second has also those that nobody waited for.
func (w *watch) cost(cmd *exec.Cmd, wall time.Duration) Cost {
	var sum time.Duration
	for _, u := range w.last {
		sum += u.cpu
	}
	charged := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return Cost{Wall: wall, CPU: max(charged, sum), Peak: w.peak}
}
