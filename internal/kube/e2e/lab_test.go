//go:build e2e

package e2e

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/kube"
	"github.com/penstock-io/penstock/internal/testenv/servers"
)

var (
	outDir  = flag.String("out", "", "folder of what is left to look at: timeline, manifests as applied")
	program = flag.String("penstock", "", "path of a static penstock")
	archive = flag.String("image", "", "path of the image, as manifests/image.sh makes it")
)

// patience bounds each wait for something that must come. How long things take is recorded and no matter of the test.
const patience = 8 * time.Minute

// image is what the overlay calls the program.
const image = "localhost/penstock:e2e"

// manifests is the folder that is tested.
const manifests = "../../../manifests"

// lab is an installation: servers beside the node, and what talks to them.
type lab struct {
	t         *testing.T
	cluster   *kube.Cluster
	dir       string // of this test alone
	cassandra *servers.Cassandra
	s3        *servers.MinIO
	nats      *servers.NATS
	passwords map[string]string // of NATS, by user

	objects *minio.Client
	conn    *nats.Conn
	js      jetstream.JetStream
	cql     *gocql.Session
	stages  *timeline
}

// newLab starts servers where pods reach them, and imports the image meanwhile.
func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, cluster: kube.Attach(), dir: t.TempDir()}
	if l.cluster == nil || *program == "" || *archive == "" || *outDir == "" {
		t.Fatal("no cluster: run `make e2e`")
	}
	l.passwords = map[string]string{}
	for _, user := range []string{"worker", "dispatcher", "submitter", "keeper"} {
		l.passwords[user] = "p" + rand.Text()
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var g errgroup.Group
	g.Go(func() error { return l.startCassandra(ctx) })
	g.Go(func() error { return l.startS3(ctx) })
	g.Go(func() error { return l.startNATS(ctx) })
	g.Go(func() error { return l.cluster.ImportArchive(ctx, *archive) })
	l.must(g.Wait())
	l.connect(ctx)
	return l
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// folder makes a folder of a server.
func (l *lab) folder(name string) (string, error) {
	dir := filepath.Join(l.dir, name)
	return dir, os.MkdirAll(dir, 0o755)
}

func (l *lab) startCassandra(ctx context.Context) error {
	dir, err := l.folder("cassandra")
	if err != nil {
		return err
	}
	l.cassandra, err = servers.StartCassandra(ctx, dir, servers.CassandraOptions{Address: kube.Address})
	if err == nil {
		l.t.Cleanup(l.cassandra.Kill)
	}
	return err
}

func (l *lab) startS3(ctx context.Context) error {
	dir, err := l.folder("s3")
	if err != nil {
		return err
	}
	l.s3, err = servers.StartMinIO(ctx, dir, servers.MinIOOptions{Address: kube.Address})
	if err == nil {
		l.t.Cleanup(l.s3.Kill)
	}
	return err
}

// startNATS lets each role in as the manifests do, with no more permissions than those, and a keeper for the test.
func (l *lab) startNATS(ctx context.Context) error {
	dir, err := l.folder("nats")
	if err != nil {
		return err
	}
	roles, err := os.ReadFile(filepath.Join(manifests, "components", "nats", "authorization.conf"))
	if err != nil {
		return err
	}
	config := strings.Replace(string(roles), "users: [", fmt.Sprintf("users: [\n{user: keeper, password: %q}",
		l.passwords["keeper"]), 1)
	for role, password := range l.passwords {
		config = strings.ReplaceAll(config, fmt.Sprintf("$NATS_%s_PASSWORD", strings.ToUpper(role)), password)
	}
	l.nats, err = servers.StartNATSAt(ctx, dir, kube.Address, fmt.Sprintf("http: %q\n%s", monitoring, config))
	if err == nil {
		l.t.Cleanup(l.nats.Kill)
	}
	return err
}

// monitoring is where KEDA asks nats-server.
const monitoring = kube.Address + ":8222"

func (l *lab) connect(ctx context.Context) {
	l.t.Helper()
	var err error
	l.objects, err = minio.New(strings.TrimPrefix(l.s3.URL, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(l.s3.AccessKey, l.s3.SecretKey, ""),
	})
	l.must(err)
	l.must(l.objects.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}))
	l.conn, err = nats.Connect(l.nats.URL, nats.UserInfo("keeper", l.passwords["keeper"]), nats.MaxReconnects(-1))
	l.must(err)
	l.t.Cleanup(l.conn.Close)
	l.js, err = jetstream.New(l.conn)
	l.must(err)
	cluster := gocql.NewCluster(l.cassandra.Addr)
	cluster.Timeout, cluster.ConnectTimeout = time.Minute, time.Minute
	l.cql, err = cluster.CreateSession()
	l.must(err)
	l.t.Cleanup(l.cql.Close)
}

// kubectl runs kubectl, which must succeed.
func (l *lab) kubectl(args ...string) string {
	l.t.Helper()
	out, err := l.try(args...)
	l.must(err)
	return out
}

func (l *lab) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	return l.cluster.Kubectl(ctx, "", append([]string{"--namespace=penstock"}, args...)...)
}

// await asks again and again until it is so.
func (l *lab) await(what string, so func() bool) {
	l.t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-limit.C:
			l.t.Fatalf("it never came to this: %s", what)
		}
	}
}
