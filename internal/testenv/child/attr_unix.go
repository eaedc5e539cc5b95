//go:build unix && !linux

package child

import "syscall"

// ownGroup puts a child into a process group of its own, which ctrl-C at the terminal does not reach and Signal reaches
// whole. A child outlives a killed parent here: only Linux can tie the two together.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
