// Package tools finds, and where asked installs, the programs that tests and checks start: a JDK, the jars of Apache
// Cassandra, MinIO, nats-server, golangci-lint, and the parts of a Kubernetes cluster. All but what the distribution
// packages live in a cache outside the tree.
//
// What must never happen: a half-written cache that is taken for a whole one, and a server that is linked into the
// module instead of run as a process (MinIO's licence forbids it for us).
package tools

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// CassandraVersion is the Apache Cassandra that tests run.
const CassandraVersion = "5.0.9"

// ErrMissing marks errors that say which program is not there and how to get it.
var ErrMissing = errors.New("`make setup` installs it")

// CacheDir returns the folder of everything installed: PENSTOCK_CACHE, or penstock in the user's cache folder.
func CacheDir() (string, error) {
	if dir := os.Getenv("PENSTOCK_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w: set PENSTOCK_CACHE", err)
	}
	return filepath.Join(dir, "penstock"), nil
}

// Program returns the path of an installed Go program, such as minio. The error is ErrMissing where there is none.
func Program(name string) (string, error) {
	return cached("bin", name)
}

// CassandraJars returns the folder of Cassandra's jars. The error is ErrMissing where there is none.
func CassandraJars() (string, error) {
	return cached("cassandra-"+CassandraVersion, "lib")
}

func cached(elem ...string) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(append([]string{cache}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not in the cache: %w", filepath.Join(elem...), ErrMissing)
	}
	return path, nil
}
