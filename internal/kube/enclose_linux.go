package kube

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/penstock-io/penstock/internal/testenv/tools"
)

// stage says to a process that this program started how far inside it is.
const stage = "PENSTOCK_KUBE_STAGE"

// Enclose calls inside, in another process of this program that has namespaces of its own, and returns its exit code.
// dir is a new folder for everything that it writes; it is removed afterwards. Signals that ask for the end are passed
// on. It must be called first in main, with the arguments untouched: the processes in between come by here.
func Enclose(inside func(dir string) int) (int, error) {
	dir := os.Getenv(dirVariable)
	switch os.Getenv(stage) {
	case "init":
		return initStage(dir)
	case "inside":
		_ = os.Unsetenv(stage) // what is started from here is no stage
		return inside(dir), nil
	}
	if os.Geteuid() != 0 {
		return 1, errors.New("a cluster needs root: for namespaces, mounts and containers")
	}
	own, err := enter()
	if err != nil {
		return 1, err
	}
	code, err := next("init", own.dir, &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	})
	if errors.Is(err, syscall.EPERM) {
		err = fmt.Errorf("%w: a cluster needs to make namespaces, which this root may not (CAP_SYS_ADMIN)", err)
	}
	return code, errors.Join(err, own.remove())
}

// initStage is the first process of the namespaces: it gives them mounts and a network, and buries orphans. With its
// end, everything in them ends.
func initStage(dir string) (int, error) {
	if err := isolate(dir); err != nil {
		return 1, err
	}
	return next("inside", dir, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL})
}

// next starts this program again for the stage, passes signals on to it, and returns its exit code, as a shell would.
func next(name, dir string, attr *syscall.SysProcAttr) (int, error) {
	runtime.LockOSThread() // the kernel ties a child to the thread that made it
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), stage+"="+name, dirVariable+"="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = attr
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("start the enclosed process: %w", err)
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case s := <-signals:
				_ = cmd.Process.Signal(s) // a process that is gone needs none
			case <-done:
				return
			}
		}
	}()
	status, err := waitAll(cmd.Process.Pid)
	if status.Signaled() {
		return 128 + int(status.Signal()), err
	}
	return status.ExitStatus(), err
}

// waitAll waits for a process, and meanwhile for every orphan: containers' shims become children of the first process.
func waitAll(pid int) (syscall.WaitStatus, error) {
	for {
		var status syscall.WaitStatus
		id, err := syscall.Wait4(-1, &status, 0, nil)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return status, fmt.Errorf("wait for processes: %w", err)
		}
		if err == nil && id == pid && (status.Exited() || status.Signaled()) {
			return status, nil
		}
	}
}

// isolate gives the namespaces what they need: a /proc of their own, a bridge, and a /run and a /var whose changes go
// into the folder.
func isolate(dir string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	changes, work := filepath.Join(dir, "var"), filepath.Join(dir, "var.work")
	for _, d := range []string{changes, work} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return fmt.Errorf("make the folder of /var's changes: %w", err)
		}
	}
	options := "lowerdir=/var,upperdir=" + changes + ",workdir=" + work
	if err := syscall.Mount("overlay", "/var", "overlay", 0, options); err != nil {
		return fmt.Errorf("mount /var: %w", err)
	}
	return network()
}

// network brings up loopback and bridge.
func network() error {
	if _, err := exec.LookPath("ip"); err != nil {
		return fmt.Errorf("%w: %w", err, tools.ErrNoKube)
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", Bridge, "type", "bridge"},
		{"address", "add", Address + "/24", "dev", Bridge},
		{"link", "set", Bridge, "up"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w\n%s", args, err, out)
		}
	}
	return nil
}
