package child

import "syscall"

// ownGroup puts a child into a process group of its own, which ctrl-C at the terminal does not reach and Signal reaches
// whole, and has the kernel kill it when the thread that started it ends, however this process dies.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
