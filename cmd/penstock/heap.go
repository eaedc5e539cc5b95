package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// gcPercent lets the heap grow by half of what lives in it before the next collection, not by all of it. Most of
	// what lives are buffers without pointers, so that a collection is cheap: with four workers the process peaks a fifth
	// lower, for the same CPU time.
	gcPercent = 50
	// smallHeap is what the heap may grow to in any case, in bytes. A process that sees to small jobs has 15 MB that
	// live, with many pointers: collecting at 22 MB took it a sixth of its CPU time.
	smallHeap = 64 << 20
	// gcStep is the least change that is worth stopping the program for a moment, in percent.
	gcStep = 10
)

// paceGC sets the collector's pace, and again after each collection. What the environment sets (GOGC) stays.
func paceGC() {
	if os.Getenv("GOGC") == "" {
		afterCollection(gcPercent)
	}
}

// afterCollection sets the pace by what lives now, if that is another one, and comes again after the next collection.
func afterCollection(now int) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if next := pace(live[0].Value.Uint64()); next < now || next >= now+gcStep {
		debug.SetGCPercent(next)
		now = next
	}
	type sentinel struct{ _ *int } // with a pointer: those without share a place, and with it their end
	runtime.AddCleanup(new(sentinel), afterCollection, now)
}

// pace is by how many percent a heap of which so many bytes live may grow.
func pace(live uint64) int {
	if live >= smallHeap {
		return gcPercent
	}
	const most = 1000 // while nothing has been collected yet
	return int(max(gcPercent, min(most, (smallHeap-live)*100/max(live, 1))))
}
