package kube

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// dirVariable names the folder of the cluster that a process runs beside.
const dirVariable = "PENSTOCK_KUBE"

// realmPrefix begins the names of folders and control groups, which is what a crash leaves behind.
const realmPrefix = "penstock-kube-"

const lockName = "lock"

const cgroups = "/sys/fs/cgroup"

// realm is what the kernel does not free by itself: a folder, and control groups of its name. While it is in use its
// lock is held, which ends with the process.
type realm struct {
	dir  string
	lock *os.File
}

// newRealm makes a folder, locks it and makes its control groups.
func newRealm() (*realm, error) {
	dir, err := os.MkdirTemp("", realmPrefix)
	if err != nil {
		return nil, fmt.Errorf("make the cluster's folder: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // containers of other users pass through
		return nil, fmt.Errorf("open the cluster's folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the cluster's folder: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("lock the cluster's folder: %w", err)
	}
	r := &realm{dir: dir, lock: lock}
	return r, r.makeCgroups()
}

// makeCgroups makes one in each hierarchy of version 1, or the one of version 2.
func (r *realm) makeCgroups() error {
	for _, root := range hierarchies() {
		group := filepath.Join(root, filepath.Base(r.dir))
		if err := os.Mkdir(group, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("make a control group: %w", err)
		}
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} { // in version 1 they begin empty
			if value, err := os.ReadFile(filepath.Join(root, file)); err == nil {
				if err := os.WriteFile(filepath.Join(group, file), value, 0o644); err != nil {
					return fmt.Errorf("set up a control group: %w", err)
				}
			}
		}
	}
	return nil
}

// hierarchies are the roots of control groups: those of version 1 by their controllers, links left out, or the one of
// version 2.
func hierarchies() []string {
	if _, err := os.Stat(filepath.Join(cgroups, "cgroup.controllers")); err == nil {
		return []string{cgroups}
	}
	entries, _ := os.ReadDir(cgroups) // a machine without has no hierarchy, which the kubelet will say
	var roots []string
	for _, e := range entries {
		if e.IsDir() {
			roots = append(roots, filepath.Join(cgroups, e.Name()))
		}
	}
	return roots
}

// remove removes folder and control groups. Processes that were killed with what enclosed them may take a moment to
// end: it waits for that.
func (r *realm) remove() error {
	for limit := time.Now().Add(time.Minute); ; {
		err := errors.Join(removeCgroups(filepath.Base(r.dir)), r.removeFolder())
		busy := errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.ENOTEMPTY)
		if !busy || time.Now().After(limit) {
			return errors.Join(err, r.lock.Close())
		}
		<-time.After(100 * time.Millisecond)
	}
}

// removeFolder removes the lock last: while anything is left, so is what a later start knows it by.
func (r *realm) removeFolder() error {
	entries, err := os.ReadDir(r.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.Name() != lockName {
			err = errors.Join(err, os.RemoveAll(filepath.Join(r.dir, e.Name())))
		}
	}
	if err != nil {
		return fmt.Errorf("remove the cluster's folder: %w", err)
	}
	return os.RemoveAll(r.dir)
}

// removeRemains removes what clusters left behind that were killed with the process that should have done it.
func removeRemains() error {
	var errs []error
	names := map[string]bool{}
	for _, root := range append(hierarchies(), os.TempDir()) {
		found, _ := filepath.Glob(filepath.Join(root, realmPrefix+"*")) // the pattern is well-formed
		for _, path := range found {
			names[filepath.Base(path)] = true
		}
	}
	for name := range names {
		if r := abandoned(filepath.Join(os.TempDir(), name)); r != nil {
			errs = append(errs, r.remove())
		}
	}
	return errors.Join(errs...)
}

// abandoned is the realm of the folder if nobody holds its lock. A folder without one is left alone: somebody is just
// about to take it.
func abandoned(dir string) *realm {
	path := filepath.Join(dir, lockName)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		path = os.DevNull // only control groups are left
	}
	lock, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil && path != os.DevNull {
		_ = lock.Close()
		return nil
	}
	return &realm{dir: dir, lock: lock}
}

// removeCgroups removes the groups of that name from every hierarchy, the innermost first.
func removeCgroups(name string) error {
	var groups []string
	for _, root := range hierarchies() {
		_ = filepath.WalkDir(filepath.Join(root, name), func(path string, e os.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				groups = append(groups, path)
			}
			return nil // what is not there needs no removal
		})
	}
	slices.SortFunc(groups, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	var errs []error
	for _, g := range groups {
		if err := syscall.Rmdir(g); err != nil && !errors.Is(err, syscall.ENOENT) {
			errs = append(errs, fmt.Errorf("remove control group %s: %w", g, err))
		}
	}
	return errors.Join(errs...)
}
