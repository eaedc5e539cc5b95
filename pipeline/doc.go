// Package pipeline owns the pipeline spec: it reads the YAML, says what is wrong with it and where, and compiles it
// into a function from records to packed rows.
//
// What a record becomes is decided by the spec, the record, its object and the job's base time, and by nothing else:
// the clock, the machine's time zone and the order of maps have no say, so a replay yields the same bytes. What must
// never happen: a record that becomes neither a row nor filtered nor a problem with a rule; a spec that compiles and
// cannot be replayed safely.
package pipeline
