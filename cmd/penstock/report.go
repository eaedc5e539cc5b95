package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/penstock-io/penstock/contracts"
)

// printReport writes a report for people or for programs.
func (a *app) printReport(r contracts.Report) error {
	if a.output == "json" {
		return a.printJSON(r)
	}
	c := r.Records
	fmt.Fprintf(a.Out, "job %s of pipeline %s: %s\n", r.Job, r.Pipeline, r.State)
	fmt.Fprintf(a.Out, "  records  %d read = %d written + %d merged + %d filtered + %d rejected\n",
		c.Read, c.Written, c.Merged, c.Filtered, c.Rejected)
	fmt.Fprintf(a.Out, "  objects  %d: %d loaded, %d skipped (loaded before), %d failed\n",
		r.Objects.Total, r.Objects.Loaded, r.Objects.Skipped, r.Objects.Failed)
	fmt.Fprintf(a.Out, "  chunks   %d: %d done, %d dead\n", r.Chunks.Total, r.Chunks.Done, r.Chunks.Dead)
	fmt.Fprintf(a.Out, "  %d bytes in %.2f s: %.0f rows/s\n", r.Bytes, r.Seconds, r.RowsPerSecond)
	for _, rule := range slices.SortedFunc(maps.Keys(r.Rejects.ByRule), cmp.Compare) {
		fmt.Fprintf(a.Out, "  rejected by rule %s: %d\n", rule, r.Rejects.ByRule[rule])
	}
	if r.Rejects.Location != nil {
		fmt.Fprintf(a.Out, "  rejects  %s: `penstock rejects %s` shows them\n", *r.Rejects.Location, r.Job)
	}
	if r.Error != nil {
		fmt.Fprintf(a.Out, "  error    %s: %s\n", r.Error.Kind, r.Error.Message)
	}
	if o := r.Objects; o.Total > 0 && o.Skipped == o.Total {
		fmt.Fprintln(a.Out, "  next     nothing was left to load: `penstock load --force` loads it again, "+
			"for example by a pipeline that was changed since")
	}
	if r.Objects.Failed > 1 {
		fmt.Fprintf(a.Out, "  next     `penstock report %s --failures` has the error of each of the %d objects\n",
			r.Job, r.Objects.Failed)
	}
	if r.State == contracts.StateFailed || r.State == contracts.StateCancelled {
		fmt.Fprintf(a.Out, "  next     `penstock retry %s` loads what is missing, by the same revision of the pipeline; "+
			"if that was mended, or a local file that was uploaded, load again instead: what is loaded is skipped\n", r.Job)
	}
	return nil
}
