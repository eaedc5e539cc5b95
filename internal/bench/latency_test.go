package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/nats-io/nats.go"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/testenv"
)

// latencyJobs is the number of jobs of which the quantiles are.
const latencyJobs = 200

// notesPipeline loads rows whose key is their file's name and their number.
const notesPipeline = `name: readings
source: {format: csv}
table: {keyspace: %s, name: notes, partition_key: [file], clustering_key: [seq], create: true}
columns:
  - {name: file, type: text, from: $file}
  - {name: seq, type: int}
  - {name: note, type: text}
`

// note is a file of about a kilobyte.
func note() []byte {
	var b bytes.Buffer
	b.WriteString("seq,note\n")
	for i := range 20 {
		fmt.Fprintf(&b, "%d,%s\n", i, strings.Repeat("calm ", 9))
	}
	return b.Bytes()
}

// BenchmarkLatency measures the time from the publication of a job of one small file to its first row being read from
// Cassandra, with nothing else to do: dispatcher and worker are processes of their own, and so are all servers.
func BenchmarkLatency(b *testing.B) {
	l := newLatencyLab(b, testenv.S3(b))
	l.first("warm-up")
	for b.Loop() {
		took := make([]time.Duration, latencyJobs)
		for i := range took {
			took[i] = l.first(fmt.Sprintf("%d-%d", b.N, i))
		}
		slices.Sort(took)
		quantile := func(q float64) float64 { return took[int(q*(latencyJobs-1))].Seconds() * 1e3 }
		b.ReportMetric(quantile(0.5), "p50-ms")
		b.ReportMetric(quantile(0.99), "p99-ms")
	}
}

// latencyLab is a lab with a dispatcher and a worker that wait for jobs into Cassandra.
type latencyLab struct {
	*lab
	conn     *nats.Conn
	events   *nats.Subscription
	s3       *objects.S3
	bucket   string
	session  *gocql.Session
	keyspace string
	worker   int // its process
}

func newLatencyLab(b *testing.B, server testenv.S3Server) *latencyLab {
	return newCassandraLab(b, server, notesPipeline, "--workers", "1")
}

// newCassandraLab starts a dispatcher and a worker with these flags; pipeline is the text that lacks its keyspace.
func newCassandraLab(b *testing.B, server testenv.S3Server, pipeline string, flags ...string) *latencyLab {
	l := &latencyLab{lab: newLab(b, server), bucket: testenv.Bucket(b), keyspace: testenv.Name(b, "bench")}
	l.env = append(l.env, "PENSTOCK_TARGET=cassandra://"+testenv.Cassandra(b))
	must(b, os.WriteFile(l.pipeline(), fmt.Appendf(nil, pipeline, l.keyspace), 0o600))
	l.openServers(server)
	l.command("apply", l.pipeline())
	l.role("dispatcher")
	l.worker = l.role(append([]string{"worker"}, flags...)...).Process.Pid
	return l
}

func (l *latencyLab) openServers(server testenv.S3Server) {
	b := l.b
	var err error
	l.conn, err = nats.Connect(testenv.NATS(b))
	must(b, err)
	b.Cleanup(l.conn.Close)
	l.events, err = l.conn.SubscribeSync(l.prefix + ".status.>")
	must(b, err)
	l.s3, err = objects.NewS3(b.Context(), objects.S3Config{
		URL: server.URL, AccessKey: server.AccessKey, SecretKey: server.SecretKey,
	})
	must(b, err)
	b.Cleanup(l.s3.Close)
	must(b, l.s3.EnsureBucket(b.Context(), l.bucket))
	cluster := gocql.NewCluster(testenv.Cassandra(b))
	cluster.Timeout, cluster.Consistency = time.Minute, gocql.LocalOne
	l.session, err = cluster.CreateSession()
	must(b, err)
	b.Cleanup(l.session.Close)
}

// command runs a command to its end.
func (l *lab) command(args ...string) {
	cmd := exec.CommandContext(l.b.Context(), testenv.Penstock(l.b), args...)
	cmd.Env, cmd.Dir = l.env, l.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		l.b.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// role starts a process that ends with the benchmark.
func (l *lab) role(args ...string) *exec.Cmd {
	var out bytes.Buffer
	cmd := exec.Command(testenv.Penstock(l.b), args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = l.env, l.dir, &out, &out
	must(l.b, cmd.Start())
	l.b.Cleanup(func() {
		err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
		if err != nil || l.b.Failed() {
			l.b.Logf("%v: %v\n%s", args, err, out.String())
		}
	})
	return cmd
}

// first stores a file, publishes its job, and gives the time until its first row can be read. It returns when the job
// has ended.
func (l *latencyLab) first(name string) time.Duration {
	b, data := l.b, note()
	_, err := l.s3.Upload(b.Context(), l.bucket, name, bytes.NewReader(data), int64(len(data)))
	must(b, err)
	job, err := json.Marshal(contracts.Job{Source: []string{"s3://" + l.bucket + "/" + name}})
	must(b, err)
	begin := time.Now()
	publishJob(b, l.conn, l.prefix, job)
	l.awaitRow(name)
	took := time.Since(begin)
	l.awaitEnd()
	return took
}

// publishJob publishes a job of the readings, as soon as there is a stream for it.
func publishJob(b *testing.B, conn *nats.Conn, prefix string, job []byte) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		_, err := conn.RequestWithContext(b.Context(), prefix+".jobs.readings", job)
		if err == nil {
			return
		}
		if !errors.Is(err, nats.ErrNoResponders) {
			b.Fatal(err)
		}
	}
}

func (l *latencyLab) awaitRow(file string) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(l.b.Context(), 2*time.Minute)
	defer cancel()
	query := "SELECT seq FROM " + l.keyspace + ".notes WHERE file = ? LIMIT 1"
	for ; ; <-tick.C {
		var seq int
		err := l.session.Query(query, file).WithContext(ctx).Scan(&seq)
		switch {
		case err == nil:
			return
		case ctx.Err() != nil:
			l.b.Fatalf("no row of %s within two minutes: %v", file, err)
		}
	}
}

// awaitEnd waits for the job's end, which must be a good one, and gives its report.
func (l *latencyLab) awaitEnd() contracts.Report {
	for {
		m, err := l.events.NextMsgWithContext(l.b.Context())
		must(l.b, err)
		var e contracts.Event
		must(l.b, contracts.Unmarshal(m.Data, &e))
		if e.Kind.Terminal() && e.Kind != contracts.EventDone {
			l.b.Fatalf("the job ended: %s", m.Data)
		}
		if e.Kind.Terminal() {
			return *e.Report
		}
	}
}
