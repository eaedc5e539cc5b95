// Package cql knows the types, tables and rows of CQL as values: it parses type names, turns text and JSON into the
// bytes of the native protocol and back, and packs rows.
//
// A row's bytes are the same for every target, so equal keys are equal bytes, merging compares nothing but bytes, and
// the Cassandra driver is handed what goes on the wire. What must never happen: a value that does not fit its type
// becoming some other value.
package cql
