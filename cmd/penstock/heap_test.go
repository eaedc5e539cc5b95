package main

import "testing"

// A small heap may grow to smallHeap and no further; one of two thirds of that and more by half, as ever.
func TestPace(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{
		0: 1000, 1: 1000, 16 << 20: 300, 32 << 20: 100, smallHeap * 2 / 3: gcPercent, smallHeap: gcPercent,
		1 << 30: gcPercent,
	} {
		got := pace(live)
		if got != want {
			t.Errorf("%d bytes live: %d %%, want %d", live, got, want)
		}
		if goal := live + live*uint64(got)/100; goal > max(smallHeap, live+live/2) {
			t.Errorf("%d bytes live: the heap may grow to %d", live, goal)
		}
	}
}
