package servers

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// process is a child process with all its output in one log file.
type process struct {
	pid  int
	log  string
	done chan struct{} // closed when the process is gone
	err  error         // why it ended; read after done
}

// startProcess starts cmd. The goroutine that starts it keeps its thread until the process is gone, because the kernel
// ties the child to the thread (see ownGroup), not to this process.
func startProcess(cmd *exec.Cmd, log string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = out, out, ownGroup()
	p := &process{log: log, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer out.Close()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
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

// kill ends the process and whatever it started, and returns when it is gone. Twice is once.
func (p *process) kill() {
	select {
	case <-p.done:
		return
	default:
	}
	_ = syscall.Kill(-p.pid, syscall.SIGKILL) // fails only where it is gone
	<-p.done
}

// tailBytes of a log are enough to hold a stack trace and the line before it.
const tailBytes = 4 << 10

// tail returns the end of the log, from the start of a line.
func (p *process) tail() string {
	f, err := os.Open(p.log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if _, err := f.Seek(-tailBytes, io.SeekEnd); err != nil && !errors.Is(err, syscall.EINVAL) { // EINVAL: shorter
		return err.Error()
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	text := string(b)
	if _, rest, ok := strings.Cut(text, "\n"); ok && len(b) == tailBytes {
		text = rest
	}
	return strings.TrimSpace(text)
}
