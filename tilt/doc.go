// Package tilt has no code: its tests run the Tiltfile in a Starlark interpreter, with Tilt's own functions replaced by
// such that note what they are told, and hold that against what manifests/ renders to.
package tilt
