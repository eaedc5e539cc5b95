// Package sqlite is the embedded target: tables in one SQLite file that any sqlite3 can open. It is the only importer
// of the SQLite driver.
//
// It keeps Cassandra's rules: every cell carries the time it was written at, and the later write wins, cell by cell;
// at equal times a delete wins, then the value whose bytes are greater. The times rest in side tables, whose names
// start with _penstock_, so that a table shows its declared columns only:
//
//   - _penstock_tables: for each table its keyspace and the CQL types of its columns, each column with a slot, a number
//     that stays its own for ever.
//   - _penstock_cells: for each row, by its rowid, the times of its regular cells: one integer where all cells that
//     have a value share it and nothing is deleted, else a blob (see times.go).
//   - _penstock_static: for each partition the values and times of its static columns; the table shows them on each
//     row.
//
// Two things differ from Cassandra: a zero has no sign, and names that differ in case only are one name, so such tables
// are refused. Copies of the file keep the rowids if they are made by cp, VACUUM or .backup, not by .dump.
//
// What must never happen: a write that changes the table when it is replayed; a value that SQLite's affinities turn
// into another one; a write to a column that the pipeline does not name.
package sqlite
