package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/penstock-io/penstock/internal/testenv/child"
)

// process is a role that runs beside a round. It is started again when it ends by itself, as an orchestrator would.
type process struct {
	name    string
	log     string // path
	command func() *exec.Cmd
	links   map[string]*link // by server
	watched sync.WaitGroup

	mu   sync.Mutex // held through a fault
	proc *child.Process
	down bool          // it is meant to be
	gone chan struct{} // closed at the round's end
}

// reviveAfter is an orchestrator's patience with a role that ends by itself: it could not reach a server.
const reviveAfter = 300 * time.Millisecond

// start starts the process; the caller holds mu or is alone.
func (p *process) start() error {
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close() // the process has its own copy
	cmd := p.command()
	cmd.Stdout, cmd.Stderr = out, out
	if p.proc, err = child.Start(cmd); err != nil {
		return err
	}
	p.down = false
	proc := p.proc
	p.watched.Go(func() { p.watch(proc) })
	return nil
}

func (p *process) watch(proc *child.Process) {
	select {
	case <-p.gone:
		return
	case <-proc.Done():
	}
	t := time.NewTimer(reviveAfter)
	defer t.Stop()
	select {
	case <-p.gone:
		return
	case <-t.C:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proc == proc && !p.down {
		fmt.Fprintf(os.Stderr, "%s ended by itself (%v): started again\n", p.name, proc.Err())
		p.start() //nolint:errcheck // the round will not end, and say so
	}
}

// kill ends the process with SIGKILL; it stays down.
func (p *process) kill() {
	p.down = true
	p.proc.Kill()
}

// term asks the process to leave and waits for that; false where it does not within the limit.
func (p *process) term(limit time.Duration) bool {
	p.down = true
	p.proc.Signal(syscall.SIGTERM)
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-p.proc.Done():
		return true
	case <-t.C:
		return false
	}
}

// end kills the process for good.
func (p *process) end() {
	p.mu.Lock()
	p.kill()
	p.mu.Unlock()
	p.watched.Wait()
}

// stacks has the process write its goroutines to its log and end.
func (p *process) stacks() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	p.proc.Signal(syscall.SIGCONT)
	p.proc.Signal(syscall.SIGQUIT)
	t := time.NewTimer(10 * time.Second)
	defer t.Stop()
	select {
	case <-p.proc.Done():
	case <-t.C:
	}
}

// roles are the processes of a round.
var roles = []string{"d0", "d1", "w0", "w1", "w2"}

// servers are what every role is linked to.
var serverNames = []string{"nats", "s3", "cassandra"}

// newProcess makes a role of a round, on links of its own, with a clock of its own.
func (r *round) newProcess(name string, skew time.Duration) *process {
	p := &process{
		name: name, log: filepath.Join(r.dir, name+".log"), gone: make(chan struct{}), links: map[string]*link{},
	}
	for _, server := range serverNames {
		base := mood{}
		if server == "s3" {
			base.lag = r.lag
		}
		p.links[server] = newLink(r.t, base, func() string { return r.address(server) })
	}
	env := append(r.env(p.links), "CHAOS_LEASE="+lease.String(), "CHAOS_SKEW="+skew.String())
	args := []string{"worker", "--workers", "2"}
	if name[0] == 'd' {
		args = []string{"dispatcher"}
	}
	p.command = func() *exec.Cmd {
		cmd := exec.Command(r.s.binary, args...)
		cmd.Env, cmd.Dir = env, r.dir
		return cmd
	}
	r.t.Cleanup(func() {
		close(p.gone)
		p.end()
	})
	return p
}
