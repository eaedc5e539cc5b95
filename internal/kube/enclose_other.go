//go:build !linux

package kube

import "errors"

// Enclose works on Linux alone.
func Enclose(func(dir string) int) (int, error) {
	return 1, errors.New("a cluster needs Linux: for namespaces, mounts and containers")
}
