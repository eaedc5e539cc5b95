//go:build !linux

package kedatest

import "syscall"

// ends is for Linux alone.
func ends() *syscall.SysProcAttr { return nil }
