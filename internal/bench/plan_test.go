package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/testenv"
	"github.com/penstock-io/penstock/state"
)

// planMiB bounds a dispatcher, however many objects a job has.
const planMiB = 150

// planned is the number of objects of the job that is planned.
const planned = 1_000_000

// BenchmarkPlan lets `penstock dispatcher` plan a job of a million objects, some of which the ledger has. It reports
// what the dispatcher took from its start on.
func BenchmarkPlan(b *testing.B) {
	for _, c := range []struct {
		name         string
		loaded, jobs int
	}{
		{"nothing loaded", 0, 0},
		{"100000 loaded one by one", 100_000, 100_000},
		{"100000 loaded by a job", 100_000, 1},
		{"1000000 loaded by 16 jobs", planned, 16},
	} {
		b.Run(c.name, func(b *testing.B) {
			loaded := c.loaded
			server := listing(b, planned)
			for b.Loop() {
				l := newLab(b, server)
				l.fillLedger(loaded, c.jobs)
				seconds, c := l.plan(contracts.PlanTotals{Objects: planned, Skipped: int64(loaded)})
				b.ReportMetric(planned/seconds, "objects/s")
				c.report(b, planMiB)
			}
		})
	}
}

// lab is an installation of its own on the shared servers.
type lab struct {
	b      *testing.B
	server testenv.S3Server
	dir    string
	prefix string
	state  string // bucket
	env    []string
}

func newLab(b *testing.B, server testenv.S3Server) *lab {
	l := &lab{b: b, server: server, dir: b.TempDir(), prefix: testenv.Name(b, "bench"), state: testenv.Bucket(b)}
	l.env = environ("PENSTOCK_NATS_URL="+testenv.NATS(b), "PENSTOCK_NATS_PREFIX="+l.prefix, "PENSTOCK_S3_URL="+server.URL,
		"PENSTOCK_S3_ACCESS_KEY="+server.AccessKey, "PENSTOCK_S3_SECRET_KEY="+server.SecretKey,
		"PENSTOCK_STATE_BUCKET="+l.state, "PENSTOCK_REJECTS_BUCKET="+testenv.Bucket(b),
		"PENSTOCK_DATA="+l.dir, "PENSTOCK_TARGET=sqlite:"+filepath.Join(l.dir, "bench.db"))
	must(b, os.WriteFile(l.pipeline(), fmt.Appendf(nil, readingsPipeline, "bench"), 0o600))
	return l
}

func (l *lab) pipeline() string { return filepath.Join(l.dir, "readings.yaml") }

// fillLedger enters so many objects of the listing, evenly spread, as so many jobs have loaded them, each every so many
// of them.
func (l *lab) fillLedger(n, jobs int) {
	if n == 0 {
		return
	}
	s3, err := objects.NewS3(l.b.Context(), objects.S3Config{
		URL: l.server.URL, AccessKey: l.server.AccessKey, SecretKey: l.server.SecretKey,
	})
	must(l.b, err)
	defer s3.Close()
	must(l.b, s3.EnsureBucket(l.b.Context(), l.state))
	store := state.New(objects.NewDocs(s3, l.state))
	var all errgroup.Group
	all.SetLimit(16)
	for job := range jobs {
		all.Go(func() error {
			e := store.Enter("readings", contracts.JobID(fmt.Sprintf("before-%d", job)), firstReading)
			each := func(add func(contracts.Object) error) error {
				for i := job; i < n; i += jobs {
					if err := add(synthetic(i * (planned / n))); err != nil {
						return err
					}
				}
				return nil
			}
			must(l.b, each(func(o contracts.Object) error { e.Note(o); return nil }))
			_, err := e.Commit(l.b.Context(), each)
			return err
		})
	}
	must(l.b, all.Wait())
}

// plan starts a dispatcher, submits the job, and ends the dispatcher when the job is planned. It gives the seconds that
// planning took and the cost of the dispatcher.
func (l *lab) plan(want contracts.PlanTotals) (seconds float64, c cost) {
	b := l.b
	conn, err := nats.Connect(testenv.NATS(b))
	must(b, err)
	defer conn.Close()
	events, err := conn.SubscribeSync(l.prefix + ".status.>")
	must(b, err)
	must(b, conn.Flush())
	var out bytes.Buffer
	dispatcher := exec.CommandContext(b.Context(), testenv.Penstock(b), "dispatcher")
	dispatcher.Env, dispatcher.Dir, dispatcher.Stdout, dispatcher.Stderr = l.env, l.dir, &out, &out
	begin := time.Now()
	must(b, dispatcher.Start())
	source := "s3://" + syntheticBucket + "/2026/"
	submit := exec.CommandContext(b.Context(), testenv.Penstock(b), "submit", l.pipeline(), source)
	submit.Env, submit.Dir = l.env, l.dir
	if said, err := submit.CombinedOutput(); err != nil {
		b.Fatalf("submit: %v\n%s", err, said)
	}
	accepted := l.await(events, contracts.EventAccepted)
	done := l.await(events, contracts.EventPlanned)
	must(b, dispatcher.Process.Signal(syscall.SIGTERM))
	if err := dispatcher.Wait(); err != nil {
		b.Fatalf("dispatcher: %v\n%s", err, strings.TrimSpace(out.String()))
	}
	if got := done.Plan; got.Objects != want.Objects || got.Skipped != want.Skipped || got.Failed != 0 {
		b.Fatalf("planned %+v, expected %+v", got, want)
	}
	return done.Time.Sub(accepted.Time).Seconds(), costOf(dispatcher.ProcessState, time.Since(begin).Seconds())
}

// await waits for the next event of a kind.
func (l *lab) await(events *nats.Subscription, kind contracts.EventKind) contracts.Event {
	for {
		m, err := events.NextMsgWithContext(l.b.Context())
		must(l.b, err)
		var e contracts.Event
		must(l.b, contracts.Unmarshal(m.Data, &e))
		if e.Kind == kind {
			return e
		}
		if e.Kind.Terminal() {
			l.b.Fatalf("the job ended: %+v", e)
		}
	}
}
