// Package bench measures the program as users run it: the real binary, whole jobs, real servers. Its benchmarks print
// what a run took and fail where the process held more memory than Penstock promises; time is never judged, since it
// belongs to the machine. docs/benchmarks.md has the figures and says how to repeat them.
//
// What must never happen: a figure of a job that did not load every row that was generated.
package bench
