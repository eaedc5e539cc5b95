// Package report turns the runs of a comparison into a Markdown table and a plot.
//
// What must never happen: a figure of a run that lost rows beside one that did not, without a word; a mean that one
// lucky or unlucky run decides.
package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/penstock-io/penstock/loadtest/dataset"
	"github.com/penstock-io/penstock/loadtest/peers"
)

// Run is one run of one tool over one set. Its JSON is what a comparison leaves for whoever wants to count again.
type Run struct {
	Set     string        `json:"set"`
	Tool    string        `json:"tool"`
	Round   int           `json:"round"`   // from 1
	Wall    time.Duration `json:"wall"`    // from the start of the process to its end, nanoseconds
	Client  time.Duration `json:"client"`  // CPU time of the tool's processes
	Server  time.Duration `json:"server"`  // CPU time of Cassandra, until it rested after the run
	Helpers time.Duration `json:"helpers"` // CPU time of S3 and NATS servers
	Others  time.Duration `json:"others"`  // CPU time of whatever else the machine did during the run
	Peak    int64         `json:"peak"`    // bytes that the tool's processes held resident
	Rows    int64         `json:"rows"`    // found in the table afterwards
	Right   bool          `json:"right"`   // these are all rows, and their numbers add up
	Error   string        `json:"error,omitempty"`
}

// Results are the runs of all tools over one set.
type Results struct {
	Files   dataset.Files
	Tools   []peers.Tool // as they are shown
	Runs    []Run
	Machine []string // lines that say where and when
}

// Wrong are the runs of this kind of tool that did not load all rows.
func (r Results) Wrong(kind peers.Kind) []Run {
	var wrong []Run
	for _, tool := range r.Tools {
		for _, run := range r.Runs {
			if tool.Kind == kind && run.Tool == tool.Name && !run.Right {
				wrong = append(wrong, run)
			}
		}
	}
	return wrong
}

// line is one tool's row of the table: medians, each over the tool's right runs.
type line struct {
	tool           peers.Tool
	runs, right    int
	wall           time.Duration
	rate           float64 // rows/s
	client, server float64 // CPU-seconds per million rows
	helpers        float64
	peak           float64 // MiB
	fewest         int64   // rows found after the worst run
	failure        string
}

func (l line) both() float64 { return l.client + l.server }

// lines are the tools that ran, in their order.
func (r Results) lines() []line {
	var lines []line
	for _, tool := range r.Tools {
		if l := r.line(tool); l.runs > 0 {
			lines = append(lines, l)
		}
	}
	return lines
}

func (r Results) line(tool peers.Tool) line {
	l := line{tool: tool, fewest: r.Files.Rows}
	var right []Run
	for _, run := range r.Runs {
		if run.Tool != tool.Name {
			continue
		}
		l.runs++
		l.fewest = min(l.fewest, run.Rows)
		l.failure = cmp.Or(l.failure, run.Error)
		if run.Right {
			right = append(right, run)
		}
	}
	if l.right = len(right); l.right == 0 {
		return l
	}
	l.wall = time.Duration(medianOf(right, func(r Run) float64 { return float64(r.Wall) }))
	l.rate = float64(r.Files.Rows) / l.wall.Seconds()
	million := float64(r.Files.Rows) / 1e6
	l.client = medianOf(right, func(r Run) float64 { return r.Client.Seconds() }) / million
	l.server = medianOf(right, func(r Run) float64 { return r.Server.Seconds() }) / million
	l.helpers = medianOf(right, func(r Run) float64 { return r.Helpers.Seconds() }) / million
	l.peak = medianOf(right, func(r Run) float64 { return float64(r.Peak) }) / (1 << 20)
	return l
}

// medianOf is the median of what f reads from each run.
func medianOf(runs []Run, f func(Run) float64) float64 {
	values := make([]float64, len(runs))
	for i, run := range runs {
		values[i] = f(run)
	}
	return median(values)
}

// median of at least one value: the middle one, or the mean of the middle two.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// best is the tool of a kind with the highest rate; ok is false where none loaded all rows.
func best(lines []line, kind peers.Kind) (found line, ok bool) {
	for _, l := range lines {
		if l.tool.Kind == kind && l.right > 0 && l.rate > found.rate {
			found, ok = l, true
		}
	}
	return found, ok
}
