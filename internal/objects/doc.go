// Package objects reads and writes immutable objects: in an S3-compatible store, through minio-go, and in local files.
// It is the only importer of that SDK and owns credentials, pinning, retries of single requests and what their
// failures mean.
//
// What must never happen: that bytes of another version than the one asked for reach a reader; that a conditional
// write which lost is reported as won; that a listing is kept in memory as a whole; that a secret gets into an error.
package objects
