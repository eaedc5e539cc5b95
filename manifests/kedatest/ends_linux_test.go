package kedatest

import "syscall"

// ends has the kernel end a process with the test's.
func ends() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
