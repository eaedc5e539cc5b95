package e2e

import (
	"syscall"
	"testing"

	"github.com/penstock-io/penstock/internal/testenv"
)

// TestCassandraHangs stops Cassandra in the middle of a job for longer than a write is tried: the chunk is tried again
// and again, and the job ends as if nothing had been.
func TestCassandraHangs(t *testing.T) {
	t.Parallel()
	queue, store := testenv.NATS(t), testenv.S3(t)
	server := testenv.StartCassandra(t, testenv.CassandraOptions{})
	t.Cleanup(func() { server.Signal(syscall.SIGCONT) })
	l := newLabAt(t, site{server.Addr, queue, store})
	l.start("dispatcher").says("msg=ready")
	worker := l.start("worker", "--workers", "2")
	d := l.submitReadings()
	d.midway()
	server.Signal(syscall.SIGSTOP)
	worker.says("server away: trying again")
	server.Signal(syscall.SIGCONT)
	d.finish()
}
