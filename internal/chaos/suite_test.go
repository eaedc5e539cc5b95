package chaos

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/penstock-io/penstock/internal/testenv"
	"github.com/penstock-io/penstock/internal/testenv/tools"
)

// suite is what all rounds share.
type suite struct {
	binary    string // built with -tags chaos
	s3        *testenv.MinIOServer
	cassandra string                   // host:port
	own       *testenv.CassandraServer // nil where Cassandra is shared with others: then it is not killed
	keyspace  string
	store     *minio.Client
	cql       *gocql.Session
	dir       string
	results   string // path; "" keeps none
}

// result is a line of the results file.
type result struct {
	Round   int     `json:"round"`
	Seed    uint64  `json:"seed"`
	OK      bool    `json:"ok"`
	Seconds float64 `json:"seconds"`
	Faults  string  `json:"faults"`
}

// shortSeeds are the rounds of `make test`: every kind of fault but those of the servers that rounds share, in little
// time.
var shortSeeds = []uint64{24, 25, 35, 40, 45, 50, 63, 64, 69, 86}

// TestRounds runs rounds of chaos: ten with fixed seeds, two at a time, or as CHAOS_ROUNDS, CHAOS_SEED and CHAOS_FROM
// say. Round k has the seed CHAOS_SEED+k-1, and does the same when it is run alone. See docs/reliability.md.
func TestRounds(t *testing.T) {
	s := newSuite(t)
	if os.Getenv("CHAOS_ROUNDS") != "" {
		s.runAll(t)
		return
	}
	for _, seed := range shortSeeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			s.round(t, seed)
		})
	}
}

// runAll runs what is asked for, one round after the other.
func (s *suite) runAll(t *testing.T) {
	rounds, first := number(t, "CHAOS_ROUNDS", 1), number(t, "CHAOS_SEED", 1)
	if own() && rounds > 1 {
		s.keepResults(t, fmt.Sprintf("seed-%d-rounds-%d.ndjson", first, rounds))
	}
	from := number(t, "CHAOS_FROM", s.goOn(rounds, first))
	failed := 0
	for k := from; k <= rounds; k++ {
		began := time.Now()
		line := result{Round: k, Seed: uint64(first + k - 1)}
		line.OK = t.Run(fmt.Sprintf("seed=%d", line.Seed), func(t *testing.T) { line.Faults = s.round(t, line.Seed) })
		line.Seconds = time.Since(began).Seconds()
		s.note(t, line)
		t.Logf("round %d of %d, seed %d: %s in %.1f s", k, rounds, line.Seed, verdict(line.OK), line.Seconds)
		if !line.OK {
			failed++
			t.Logf("again: make chaos SEED=%d ROUNDS=1", line.Seed)
		}
	}
	t.Logf("%d of %d rounds failed", failed, rounds-from+1)
}

// round plans a round, tells of it, and plays it.
func (s *suite) round(t *testing.T, seed uint64) string {
	t.Helper()
	r := newRound(t, s, seed)
	story := r.story()
	t.Logf("seed %d: %s", seed, story)
	r.play()
	return story
}

func verdict(ok bool) string {
	if ok {
		return "ok"
	}
	return "FAILED"
}

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: expected a number from 1", variable, text)
	}
	return n
}

func newSuite(t *testing.T) *suite {
	t.Helper()
	s := &suite{dir: t.TempDir(), keyspace: testenv.Name(t, "chaos")}
	s.openCassandra(t)
	s.binary = filepath.Join(s.dir, "penstock")
	build := exec.Command("go", "build", "-tags", "chaos", fmt.Sprintf("-race=%v", os.Getenv("CHAOS_RACE") != ""),
		"-o", s.binary, "github.com/penstock-io/penstock/cmd/penstock")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build penstock: %v\n%s", err, out)
	}
	s.s3 = testenv.StartMinIO(t, testenv.MinIOOptions{})
	var err error
	s.store, err = minio.New(strings.TrimPrefix(s.s3.URL, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(s.s3.AccessKey, s.s3.SecretKey, ""),
	})
	must(t, err)
	return s
}

// openCassandra takes the shared Cassandra, or starts one that rounds may kill.
func (s *suite) openCassandra(t *testing.T) {
	t.Helper()
	if own() {
		s.own = testenv.StartCassandra(t, testenv.CassandraOptions{})
		s.cassandra = s.own.Addr
	} else {
		s.cassandra = testenv.Cassandra(t)
	}
	cluster := gocql.NewCluster(s.cassandra)
	cluster.Timeout, cluster.ConnectTimeout, cluster.PageSize = time.Minute, time.Minute, 1000
	cluster.ReconnectInterval, cluster.Logger = time.Second, log.New(io.Discard, "", 0)
	var err error
	s.cql, err = cluster.CreateSession()
	must(t, err)
	must(t, s.cql.Query("CREATE KEYSPACE "+s.keyspace+
		" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}").Exec())
	t.Cleanup(func() {
		if err := s.cql.Query("DROP KEYSPACE " + s.keyspace).Exec(); err != nil {
			t.Logf("drop keyspace: %v", err)
		}
		s.cql.Close()
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// own says that the suite was asked for by `make chaos`: it has a Cassandra of its own, which rounds may kill, and
// keeps its results.
func own() bool { return os.Getenv("CHAOS_OWN") != "" }

// keepResults names the results file: CHAOS_RESULTS, or one in the cache.
func (s *suite) keepResults(t *testing.T, name string) {
	t.Helper()
	if s.results = os.Getenv("CHAOS_RESULTS"); s.results == "" {
		cache, err := tools.CacheDir()
		must(t, err)
		s.results = filepath.Join(cache, "chaos", name)
	}
	must(t, os.MkdirAll(filepath.Dir(s.results), 0o755))
	t.Logf("results: %s", s.results)
}

// goOn is the round to begin with: behind the last one that an interrupted suite of the same rounds has been through. A
// suite that is through begins anew.
func (s *suite) goOn(rounds, first int) int {
	if s.results == "" {
		return 1
	}
	last := 0
	if f, err := os.Open(s.results); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var r result
			if json.Unmarshal(lines.Bytes(), &r) == nil && r.Seed == uint64(first+r.Round-1) {
				last = max(last, r.Round)
			}
		}
	}
	if last >= rounds {
		last = 0
	}
	if last == 0 {
		os.Remove(s.results) // a leftover line does no harm
	}
	return last + 1
}

func (s *suite) note(t *testing.T, r result) {
	t.Helper()
	if s.results == "" {
		return
	}
	line, err := json.Marshal(r)
	must(t, err)
	f, err := os.OpenFile(s.results, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	must(t, err)
	defer f.Close()
	_, err = f.Write(append(line, '\n'))
	must(t, err)
}

// keep moves a failed round's folder where it can be looked at.
func (s *suite) keep(t testing.TB, dir string, seed uint64) {
	cache, err := tools.CacheDir()
	if err != nil {
		t.Log(err)
		return
	}
	to := filepath.Join(cache, "chaos", fmt.Sprintf("seed-%d", seed))
	must(t, os.MkdirAll(filepath.Dir(to), 0o755))
	must(t, os.RemoveAll(to))
	if out, err := exec.Command("cp", "-r", dir, to).CombinedOutput(); err != nil {
		t.Logf("%v: %s", err, out)
	}
	t.Logf("logs and stores of the round: %s", to)
}

// get reads a document of a bucket; false while there is none or the store is away.
func (s *suite) get(ctx context.Context, bucket, key string, v any) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	o, err := s.store.GetObject(ctx, bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return false
	}
	defer o.Close()
	return json.NewDecoder(o).Decode(v) == nil
}

// list counts the objects with a prefix; -1 while the store is away.
func (s *suite) list(ctx context.Context, bucket, prefix string) (keys []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for o := range s.store.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		err = cmp.Or(err, o.Err)
		keys = append(keys, o.Key)
	}
	return keys, err
}
