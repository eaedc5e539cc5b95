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

// realm is what the kernel does not free by itself: a folder, and control groups of its name. While it is in use both
// are locked, which ends with the process. The groups need a lock of their own: whoever has another temporary folder,
// or sits in a cluster, sees them and not the folder.
type realm struct {
	dir   string
	locks []*os.File
}

// enter removes what others left behind and makes a realm. One process at a time does so: a realm that is just being
// made has no locks yet.
func enter() (*realm, error) {
	turn, err := os.Open(cgroups)
	if err != nil {
		return nil, fmt.Errorf("look for control groups: %w", err)
	}
	defer turn.Close()
	if err := syscall.Flock(int(turn.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock the control groups: %w", err)
	}
	if err := removeRemains(); err != nil {
		return nil, err
	}
	return newRealm()
}

// newRealm makes a folder and its control groups and locks them.
func newRealm() (*realm, error) {
	dir, err := os.MkdirTemp("", realmPrefix)
	if err != nil {
		return nil, fmt.Errorf("make the cluster's folder: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // containers of other users pass through
		return nil, fmt.Errorf("open the cluster's folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, lockName), nil, 0o600); err != nil {
		return nil, fmt.Errorf("lock the cluster's folder: %w", err)
	}
	r := &realm{dir: dir}
	if err := r.makeCgroups(); err != nil {
		return nil, err
	}
	if !r.lock() {
		return nil, fmt.Errorf("lock the cluster's folder %s: somebody else did", dir)
	}
	return r, nil
}

// lock locks what there is of folder and groups, all or nothing: false where somebody else has.
func (r *realm) lock() bool {
	for _, path := range append(r.groups(), filepath.Join(r.dir, lockName)) {
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			r.locks = append(r.locks, f)
			err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		}
		if err != nil {
			_ = r.unlock()
			return false
		}
	}
	return true
}

func (r *realm) unlock() error {
	var errs []error
	for _, f := range r.locks {
		errs = append(errs, f.Close())
	}
	r.locks = nil
	return errors.Join(errs...)
}

// groups are where the control groups are, or would be.
func (r *realm) groups() []string {
	var paths []string
	for _, root := range hierarchies() {
		paths = append(paths, filepath.Join(root, filepath.Base(r.dir)))
	}
	return paths
}

// makeCgroups makes one in each hierarchy of version 1, or the one of version 2.
func (r *realm) makeCgroups() error {
	for _, group := range r.groups() {
		if err := os.Mkdir(group, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("make a control group: %w", err)
		}
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} { // in version 1 they begin empty
			if value, err := os.ReadFile(filepath.Join(filepath.Dir(group), file)); err == nil {
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
		err := errors.Join(r.removeCgroups(), r.removeFolder())
		busy := errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.ENOTEMPTY)
		if !busy || time.Now().After(limit) {
			return errors.Join(err, r.unlock())
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
		if r := (&realm{dir: filepath.Join(os.TempDir(), name)}); r.lock() {
			errs = append(errs, r.remove())
		}
	}
	return errors.Join(errs...)
}

// removeCgroups removes the groups from every hierarchy, the innermost first.
func (r *realm) removeCgroups() error {
	var groups []string
	for _, group := range r.groups() {
		_ = filepath.WalkDir(group, func(path string, e os.DirEntry, err error) error {
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
