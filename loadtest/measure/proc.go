// Package measure says what processes cost: CPU time and resident memory, from the kernel's own books.
//
// What must never happen: a child of a measured process, or a process that ended between two looks, that costs nothing.
package measure

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc: 100 a second on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// usage is what /proc tells of one process.
type usage struct {
	group    int
	cpu      time.Duration // user and system
	resident int64         // bytes, now
}

// Fields of /proc/PID/stat behind the name of the program, which may hold anything.
const (
	fieldGroup = 2
	fieldUser  = 11 // then system
	fieldPages = 21
)

// parseStat reads a line of /proc/PID/stat.
func parseStat(line []byte) (usage, error) {
	end := bytes.LastIndexByte(line, ')')
	fields := strings.Fields(string(line[end+1:]))
	if end < 0 || len(fields) <= fieldPages {
		return usage{}, fmt.Errorf("no line of /proc/PID/stat: %q", line)
	}
	var n [4]int64
	for i, at := range []int{fieldGroup, fieldUser, fieldUser + 1, fieldPages} {
		var err error
		if n[i], err = strconv.ParseInt(fields[at], 10, 64); err != nil {
			return usage{}, fmt.Errorf("field %d of /proc/PID/stat: %w", at, err)
		}
	}
	return usage{
		group:    int(n[0]),
		cpu:      time.Duration(n[1]+n[2]) * tick,
		resident: n[3] * int64(os.Getpagesize()),
	}, nil
}

func readUsage(pid int) (usage, error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, fmt.Errorf("read what process %d uses (only Linux tells): %w", pid, err)
	}
	return parseStat(line)
}

// CPU is the CPU time of a running process so far, user and system, all its threads.
func CPU(pid int) (time.Duration, error) {
	u, err := readUsage(pid)
	return u.cpu, err
}

// group gives the processes of a process group. One that ends meanwhile is left out.
func group(id int) map[int]usage {
	members := map[int]usage{}
	paths, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well-formed: no error
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			continue
		}
		if u, err := readUsage(pid); err == nil && u.group == id {
			members[pid] = u
		}
	}
	return members
}

// highWater is the most that a process held resident, in bytes; 0 where it is gone.
func highWater(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	return parseHighWater(status)
}

func parseHighWater(status []byte) int64 {
	_, rest, found := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(fields[0], 10, 64) // what the kernel writes is a number
	return kib << 10
}

// Busy is the CPU time that all processes of the machine used since it was started.
func Busy() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read what the machine does (only Linux tells): %w", err)
	}
	return parseBusy(stat)
}

// parseBusy adds up the first line of /proc/stat but for idling and waiting for disks; guests count as user.
func parseBusy(stat []byte) (time.Duration, error) {
	const idle, wait, steal = 3, 4, 7
	first, _, _ := strings.Cut(string(stat), "\n")
	fields := strings.Fields(first)
	if len(fields) < 2+steal || fields[0] != "cpu" {
		return 0, fmt.Errorf("no first line of /proc/stat: %q", first)
	}
	var sum int64
	for i, field := range fields[1 : 1+steal] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", err)
		}
		if i != idle && i != wait {
			sum += n
		}
	}
	return time.Duration(sum) * tick, nil
}
