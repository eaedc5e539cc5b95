// Package child runs a command so that it and whatever it starts can be signalled as one, and so that it ends when its
// parent does.
//
// What must never happen: a child that outlives a killed parent. Only Linux can promise that.
package child

import (
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
)

// Process is a command that was started.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start starts cmd in a process group of its own. The goroutine that does so keeps its thread until the process is
// gone, because the kernel ties the child to the thread that made it, not to this process.
func Start(cmd *exec.Cmd) (*Process, error) {
	cmd.SysProcAttr = ownGroup()
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// PID is the process's id, and its group's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process is gone.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the process ended, as exec.Cmd.Wait does. It waits for that.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Signal sends s to the process and whatever of its group is left. There is no error: what is gone needs no signal.
func (p *Process) Signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// Kill ends the process with SIGKILL and returns when it is gone. Twice is once.
func (p *Process) Kill() {
	select {
	case <-p.done:
	default:
		p.Signal(syscall.SIGKILL)
		<-p.done
	}
}
