package e2e

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/nats-io/nats.go"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

// site is what a lab stands on.
type site struct {
	cassandra string // host:port; "" for a SQLite file
	nats      string // URL
	s3        testenv.S3Server
}

// lab is one test's own installation: its own buckets, subjects and keyspace or file.
type lab struct {
	t        *testing.T
	binary   string
	dir      string
	env      []string
	keyspace string
	prefix   string // of subjects
	bucket   string // for sources
	state    string // bucket
	db       string // path of the SQLite file; "" for Cassandra
	s3       *minio.Client
	nats     *nats.Conn
	cql      *gocql.Session // nil for SQLite
}

// newLab sets an installation up on the shared servers; everything of it ends with the test.
func newLab(t *testing.T, more ...string) *lab {
	t.Helper()
	return newLabAt(t, site{testenv.Cassandra(t), testenv.NATS(t), testenv.S3(t)}, more...)
}

// newFileLab is newLab with SQLite for Cassandra.
func newFileLab(t *testing.T, more ...string) *lab {
	t.Helper()
	return newLabAt(t, site{"", testenv.NATS(t), testenv.S3(t)}, more...)
}

// newLabAt sets an installation up on given servers; more are settings.
func newLabAt(t *testing.T, at site, more ...string) *lab {
	t.Helper()
	l := &lab{
		t: t, binary: testenv.Penstock(t), dir: t.TempDir(), keyspace: testenv.Name(t, "e2e"),
		prefix: testenv.Name(t, "p"), bucket: testenv.Bucket(t), state: testenv.Bucket(t),
	}
	target := "cassandra://" + at.cassandra + "/" + l.keyspace
	if at.cassandra == "" {
		l.db = filepath.Join(l.dir, "table.db")
		target = "sqlite:" + l.db
	}
	l.env = append(cleanEnv(),
		"PENSTOCK_TARGET="+target, "PENSTOCK_NATS_URL="+at.nats, "PENSTOCK_NATS_PREFIX="+l.prefix,
		"PENSTOCK_S3_URL="+at.s3.URL, "PENSTOCK_S3_ACCESS_KEY="+at.s3.AccessKey, "PENSTOCK_S3_SECRET_KEY="+at.s3.SecretKey,
		"PENSTOCK_STATE_BUCKET="+l.state, "PENSTOCK_REJECTS_BUCKET="+testenv.Bucket(t),
		"PENSTOCK_DATA="+filepath.Join(l.dir, "data"), "PENSTOCK_RECONCILE=2s",
	)
	l.env = append(l.env, more...)
	l.openS3(at.s3)
	l.openNATS(at.nats)
	if at.cassandra != "" {
		l.openCassandra(at.cassandra)
	}
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

func (l *lab) openS3(server testenv.S3Server) {
	l.t.Helper()
	l.dialS3(server)
	l.must(l.s3.MakeBucket(l.t.Context(), l.bucket, minio.MakeBucketOptions{}))
}

func (l *lab) dialS3(server testenv.S3Server) {
	l.t.Helper()
	var err error
	l.s3, err = minio.New(strings.TrimPrefix(server.URL, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(server.AccessKey, server.SecretKey, ""),
	})
	l.must(err)
}

func (l *lab) openNATS(url string) {
	l.t.Helper()
	var err error
	l.nats, err = nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	l.must(err)
	l.t.Cleanup(l.nats.Close)
}

func (l *lab) openCassandra(addr string) {
	l.t.Helper()
	cluster := gocql.NewCluster(addr)
	cluster.Timeout, cluster.ConnectTimeout = time.Minute, time.Minute
	var err error
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
	return l.start(args...).end()
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
