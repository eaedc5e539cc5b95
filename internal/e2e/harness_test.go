package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/nats-io/nats.go"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

// lab is one test's own installation on the shared servers: its own buckets, subjects and keyspace.
type lab struct {
	t        *testing.T
	binary   string
	dir      string
	env      []string
	keyspace string
	prefix   string
	bucket   string // for sources
	s3       *minio.Client
	nats     *nats.Conn
	cql      *gocql.Session
}

// newLab sets the installation up; everything of it ends with the test.
func newLab(t *testing.T, more ...string) *lab {
	t.Helper()
	server := testenv.S3(t)
	l := &lab{
		t: t, binary: testenv.Penstock(t), dir: t.TempDir(), keyspace: testenv.Name(t, "e2e"),
		prefix: strings.ReplaceAll(testenv.Name(t, "p"), "-", "_"), bucket: testenv.Bucket(t),
	}
	l.env = append(cleanEnv(),
		"PENSTOCK_TARGET=cassandra://"+testenv.Cassandra(t)+"/"+l.keyspace,
		"PENSTOCK_NATS_URL="+testenv.NATS(t), "PENSTOCK_NATS_PREFIX="+l.prefix,
		"PENSTOCK_S3_URL="+server.URL, "PENSTOCK_S3_ACCESS_KEY="+server.AccessKey, "PENSTOCK_S3_SECRET_KEY="+server.SecretKey,
		"PENSTOCK_STATE_BUCKET="+testenv.Bucket(t), "PENSTOCK_REJECTS_BUCKET="+testenv.Bucket(t),
		"PENSTOCK_DATA="+filepath.Join(l.dir, "data"), "PENSTOCK_RECONCILE=2s",
	)
	l.env = append(l.env, more...)
	l.connect(server)
	return l
}

// cleanEnv is the environment without settings of ours or of AWS.
func cleanEnv() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "PENSTOCK_") && !strings.HasPrefix(e, "AWS_") {
			env = append(env, e)
		}
	}
	return env
}

func (l *lab) connect(server testenv.S3Server) {
	l.t.Helper()
	var err error
	l.s3, err = minio.New(strings.TrimPrefix(server.URL, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(server.AccessKey, server.SecretKey, ""),
	})
	l.must(err)
	l.must(l.s3.MakeBucket(l.t.Context(), l.bucket, minio.MakeBucketOptions{}))
	l.nats, err = nats.Connect(testenv.NATS(l.t))
	l.must(err)
	l.t.Cleanup(l.nats.Close)
	cluster := gocql.NewCluster(testenv.Cassandra(l.t))
	cluster.Timeout, cluster.ConnectTimeout = time.Minute, time.Minute
	l.cql, err = cluster.CreateSession()
	l.must(err)
	l.t.Cleanup(func() {
		if err := l.cql.Query("DROP KEYSPACE IF EXISTS " + l.keyspace).Exec(); err != nil {
			l.t.Logf("drop keyspace: %v", err)
		}
		l.cql.Close()
	})
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// put stores an object in the lab's bucket and gives its address.
func (l *lab) put(key string, r io.Reader, size int64) string {
	l.t.Helper()
	_, err := l.s3.PutObject(l.t.Context(), l.bucket, key, r, size, minio.PutObjectOptions{})
	l.must(err)
	return "s3://" + l.bucket + "/" + key
}

func (l *lab) putText(key, text string) string {
	l.t.Helper()
	return l.put(key, strings.NewReader(text), int64(len(text)))
}

// file writes a file into the lab's folder and gives its path.
func (l *lab) file(name, text string) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	l.must(os.WriteFile(path, []byte(text), 0o600))
	return path
}

// result is what a command that ended left behind.
type result struct {
	code        int
	out, errOut string
}

// run runs a command to its end.
func (l *lab) run(args ...string) result {
	l.t.Helper()
	cmd := l.command(l.t.Context(), args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

func (l *lab) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, l.binary, args...)
	cmd.Env, cmd.Dir = l.env, l.dir
	return cmd
}

// report reads a command's report; the command must have ended with the code.
func (l *lab) report(r result, code int) contracts.Report {
	l.t.Helper()
	if r.code != code {
		l.t.Fatalf("exit %d, expected %d\n%s%s", r.code, code, r.out, r.errOut)
	}
	var report contracts.Report
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		l.t.Fatalf("report: %v\n%s%s", err, r.out, r.errOut)
	}
	if !report.Records.Balanced() {
		l.t.Fatalf("the counts do not add up: %+v", report.Records)
	}
	return report
}

// role is a dispatcher or worker that runs beside the test.
type role struct {
	cmd  *exec.Cmd
	log  *safeBuffer
	done chan error
}

// start starts a role; it is killed with the test, and its log shown if that failed.
func (l *lab) start(args ...string) *role {
	l.t.Helper()
	r := &role{cmd: l.command(context.Background(), args...), log: &safeBuffer{}, done: make(chan error, 1)}
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	l.must(r.cmd.Start())
	go func() { r.done <- r.cmd.Wait() }()
	l.t.Cleanup(func() {
		r.kill()
		if l.t.Failed() {
			l.t.Logf("%s:\n%s", strings.Join(args, " "), r.log.tail(4000))
		}
	})
	return r
}

// kill is SIGKILL; it waits until the process is gone.
func (r *role) kill() {
	r.cmd.Process.Kill() //nolint:errcheck // it may be gone already
	r.done <- <-r.done
}

// events follows the status stream of this lab over plain NATS, as any other program would.
func (l *lab) events(job string) <-chan contracts.Event {
	l.t.Helper()
	events := make(chan contracts.Event, 10_000)
	sub, err := l.nats.Subscribe(l.prefix+".status."+job+".>", func(m *nats.Msg) {
		var e contracts.Event
		if json.Unmarshal(m.Data, &e) == nil {
			events <- e
		}
	})
	l.must(err)
	l.must(l.nats.Flush())
	l.t.Cleanup(func() { sub.Unsubscribe() }) //nolint:errcheck // the connection closes next
	return events
}

// safeBuffer collects a process's output.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) tail(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.buf.String()
	return text[max(0, len(text)-n):]
}
