//go:build unix && !linux

package servers

import "syscall"

// ownGroup puts a server into a process group of its own, which ctrl-C at the terminal does not reach and Kill does
// whole. A server outlives a killed parent here: only Linux can tie the two together.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
