// Package testenv gives tests real servers: Apache Cassandra, an S3 server (MinIO) and nats-server, as processes on
// free ports of 127.0.0.1 with their data in temporary folders.
//
// Cassandra, S3 and NATS name the shared servers that `make test` starts once for all packages; tests keep apart there
// by unique names (Name, Bucket). StartCassandra, StartMinIO and StartNATS start a server of the test's own, for tests
// that kill it or need it set up otherwise.
//
// What must never happen: a server that outlives its test, a test that passes because it silently did not run (a skip
// is a failure where CI is set), and anything but tests and their commands importing this package.
package testenv

import (
	"crypto/rand"
	"os"
	"regexp"
	"strings"
	"testing"
)

// S3Server says where an S3 server is and what opens it.
type S3Server struct {
	URL       string // http://127.0.0.1:port
	AccessKey string
	SecretKey string
}

// Cassandra returns host:port of the shared Apache Cassandra: no password, no TLS, one node. It skips the test where
// there is none, and fails it where CI is set.
func Cassandra(t testing.TB) string {
	t.Helper()
	return shared(t, "PENSTOCK_TEST_CASSANDRA")
}

// S3 returns the shared S3 server. It skips the test where there is none, and fails it where CI is set.
func S3(t testing.TB) S3Server {
	t.Helper()
	return S3Server{
		URL:       shared(t, "PENSTOCK_TEST_S3_URL"),
		AccessKey: shared(t, "PENSTOCK_TEST_S3_ACCESS"),
		SecretKey: shared(t, "PENSTOCK_TEST_S3_SECRET"),
	}
}

// NATS returns the URL of the shared nats-server, JetStream on, no password. It skips the test where there is none, and
// fails it where CI is set.
func NATS(t testing.TB) string {
	t.Helper()
	return shared(t, "PENSTOCK_TEST_NATS")
}

func shared(t testing.TB, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		Skip(t, "%s is not set: `make test` starts the server and sets it", variable)
	}
	return value
}

// Skip ends a test that cannot run here. Where CI is set the test fails instead.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("skipped, which CI does not accept: "+format, args...)
	}
	t.Skipf(format, args...)
}

var notInNames = regexp.MustCompile(`[^a-z0-9_]+`)

// Name returns a name that nobody else uses, prefix_random in [a-z0-9_], at most 48 bytes: it fits a keyspace, a table,
// a pipeline and a subject's prefix.
func Name(t testing.TB, prefix string) string {
	t.Helper()
	prefix = strings.Trim(notInNames.ReplaceAllString(strings.ToLower(prefix), "_"), "_")
	if prefix == "" || prefix[0] < 'a' {
		prefix = "t" + prefix
	}
	return prefix[:min(len(prefix), 32)] + "_" + strings.ToLower(rand.Text()[:12])
}

// Bucket returns a bucket name that nobody else uses. It does not create the bucket.
func Bucket(t testing.TB) string {
	t.Helper()
	return strings.ReplaceAll(Name(t, "bucket"), "_", "-")
}
