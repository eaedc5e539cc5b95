package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/nats-io/nats.go"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
	"github.com/penstock-io/penstock/internal/testenv/servers"
)

// Times of a round. The lease is long enough for a busy machine to renew it; one that is lost is just another fault.
const (
	lease    = 2 * time.Second
	look     = 40 * time.Millisecond // between two looks at the store
	patience = 2 * time.Minute       // for what must come once all is well again
	impulse  = 2500 * time.Millisecond
)

// round is one installation, its jobs, and what befalls it.
type round struct {
	t    testing.TB
	s    *suite
	seed uint64
	rng  *rand.Rand // of the plan of the round; nothing that runs draws from it
	dir  string

	jobs   []*job
	faults []fault
	lag    time.Duration // of the links to S3, so that a job has a middle
	window int
	skews  []time.Duration

	table, prefix, source, state, rejects string
	nats                                  *servers.NATS
	natsMu                                sync.Mutex // held through a fault
	disk                                  bool       // NATS has one of its own
	conn                                  *nats.Conn
	processes                             map[string]*process
	tape                                  tape
	striking                              sync.WaitGroup
	strikes                               atomic.Int32 // faults that are going on
}

// job is one job of a round.
type job struct {
	id, pipeline string
	dialect      dialect
	files        []file
	chunkSize    int
	at           float64 // of the first job's chunks, when it is submitted
	submitted    bool
	report       *contracts.Report
	base         int64
}

// newRound plans a round: everything about it but what time adds follows from the seed.
func newRound(t testing.TB, s *suite, seed uint64) *round {
	r := &round{t: t, s: s, seed: seed, rng: rand.New(rand.NewPCG(seed, 0xc4a05)), processes: map[string]*process{}}
	r.lag = time.Duration(2+r.rng.IntN(10)) * time.Millisecond
	r.window = pick(r.rng, 2, 4, 8, 64)
	r.jobs = []*job{r.newJob("one", newDialect(r.rng))}
	if r.rng.IntN(2) == 0 {
		second := r.newJob("two", newDialect(r.rng))
		second.at = r.rng.Float64()
		second.dialect.deletes = pick(r.rng, true, false)
		r.jobs = append(r.jobs, second)
	}
	for range roles {
		r.skews = append(r.skews, pick(r.rng, 0, 0, 0, -90*time.Second, -time.Second, time.Second, 90*time.Second))
	}
	r.faults = r.plan()
	return r
}

func (r *round) newJob(name string, d dialect) *job {
	m := newMaker(r.rng, d)
	size := pick(r.rng, 2<<10, 4<<10, 8<<10, 16<<10)
	return &job{id: "job-" + name, pipeline: name, dialect: d, files: m.files(name+"/", size), chunkSize: size}
}

// story is what happens in the round, in words.
func (r *round) story() string {
	var b strings.Builder
	for _, j := range r.jobs {
		size := 0
		for _, f := range j.files {
			size += len(f.text)
		}
		fmt.Fprintf(&b, "%s %d files %d KiB", j.id, len(j.files), size>>10)
		if j.at > 0 {
			fmt.Fprintf(&b, " at %.2f", j.at)
		}
		b.WriteString("; ")
	}
	fmt.Fprintf(&b, "chunks %d, window %d, lag %s, skew %v", r.jobs[0].chunkSize, r.window, r.lag, r.skews)
	for _, f := range r.faults {
		b.WriteString("; " + f.String())
	}
	return b.String()
}

// play runs the round to its verdict.
func (r *round) play() {
	r.dir = filepath.Join(r.s.dir, fmt.Sprintf("round-%d", r.seed))
	must(r.t, os.MkdirAll(filepath.Join(r.dir, "nats"), 0o755))
	r.t.Cleanup(func() {
		if r.t.Failed() || os.Getenv("CHAOS_KEEP") != "" {
			r.s.keep(r.t, r.dir, r.seed)
		}
		must(r.t, os.RemoveAll(r.dir))
	})
	r.setUp()
	r.run()
	r.striking.Wait()
	r.aftermath()
	r.judge()
}

// setUp makes buckets and objects, starts NATS and all roles, and applies the pipelines.
func (r *round) setUp() {
	t := r.t
	r.table, r.prefix = fmt.Sprintf("t%d_%s", r.seed, testenv.Name(t, "x")), testenv.Name(t, "p")
	r.source, r.state, r.rejects = testenv.Bucket(t), testenv.Bucket(t), testenv.Bucket(t)
	must(t, r.s.store.MakeBucket(t.Context(), r.source, minio.MakeBucketOptions{}))
	for _, j := range r.jobs {
		for _, f := range j.files {
			_, err := r.s.store.PutObject(t.Context(), r.source, f.key, bytes.NewReader(f.stored), int64(len(f.stored)),
				minio.PutObjectOptions{})
			must(t, err)
		}
	}
	r.mountDisk()
	var err error
	r.nats, err = servers.StartNATS(t.Context(), filepath.Join(r.dir, "nats"), "")
	must(t, err)
	t.Cleanup(r.nats.Kill)
	r.conn, err = nats.Connect(r.nats.URL, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	must(t, err)
	t.Cleanup(r.conn.Close)
	r.tape.next = map[string]uint64{}
	for _, j := range r.jobs {
		r.apply(j)
	}
	for i, name := range roles {
		p := r.newProcess(name, r.skews[i])
		r.processes[name] = p
		must(t, p.start())
	}
}

// address is where a server of the round is.
func (r *round) address(server string) string {
	switch server {
	case "nats":
		return strings.TrimPrefix(r.nats.URL, "nats://")
	case "s3":
		return strings.TrimPrefix(r.s.s3.URL, "http://")
	default:
		return r.s.cassandra
	}
}

// env is the configuration of a process, through links where it has some.
func (r *round) env(links map[string]*link) []string {
	at := func(server string) string {
		if l := links[server]; l != nil {
			return l.addr()
		}
		return r.address(server)
	}
	env := slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e, "PENSTOCK_") || strings.HasPrefix(e, "AWS_")
	})
	return append(env,
		"PENSTOCK_TARGET=cassandra://"+at("cassandra")+"/"+r.s.keyspace, "PENSTOCK_NATS_URL=nats://"+at("nats"),
		"PENSTOCK_NATS_PREFIX="+r.prefix, "PENSTOCK_S3_URL=http://"+at("s3"),
		"PENSTOCK_S3_ACCESS_KEY="+r.s.s3.AccessKey, "PENSTOCK_S3_SECRET_KEY="+r.s.s3.SecretKey,
		"PENSTOCK_STATE_BUCKET="+r.state, "PENSTOCK_REJECTS_BUCKET="+r.rejects,
		"PENSTOCK_DATA="+filepath.Join(r.dir, "data"), "PENSTOCK_RECONCILE=1s", "PENSTOCK_GRACE=5s",
		fmt.Sprintf("PENSTOCK_WINDOW=%d", r.window), "PENSTOCK_LOG_LEVEL=debug",
	)
}

// apply makes the job's pipeline known, by the program itself.
func (r *round) apply(j *job) {
	path := filepath.Join(r.dir, j.pipeline+".yaml")
	must(r.t, os.WriteFile(path, []byte(r.pipeline(j)), 0o600))
	cmd := exec.Command(r.s.binary, "apply", path)
	cmd.Env, cmd.Dir = r.env(nil), r.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("apply: %v\n%s", err, out)
	}
}

// pipeline is the job's spec.
func (r *round) pipeline(j *job) string {
	d := j.dialect
	name := func(i int) string { return fields[i] }
	in := name
	source := "{format: ndjson, compression: auto}"
	if !d.json {
		if !d.header {
			name = func(i int) string { return fmt.Sprintf("f%d", i) }
			in = func(i int) string { return fmt.Sprintf("%q", fmt.Sprint(i)) }
		}
		comment := ""
		if d.comment {
			comment = "#"
		}
		source = fmt.Sprintf("{format: csv, csv: {header: %v, delimiter: %q, escape: %q, comment: %q}}",
			d.header, d.delimiter, string(d.escape), comment)
	}
	nulls := "unset"
	if d.deletes {
		nulls = "delete"
	}
	var columns strings.Builder
	for i, kind := range []string{"text", "int", "text", "bigint", "double", "text, static: true", "int, static: true"} {
		fmt.Fprintf(&columns, "  - {name: %s, type: %s, from: %s}\n", fields[i], kind, in(i))
	}
	fmt.Fprintf(&columns, "  - {name: twice, type: bigint, expr: \"%s == nil ? nil : int(%s) * 2\"}\n", name(3), name(3))
	return fmt.Sprintf(`name: %s
source: %s
table: {keyspace: %s, name: %s, partition_key: [pk], clustering_key: [ck], create: true}
columns:
%s  - {name: src, type: text, from: $key}
  - {name: off, type: bigint, from: $offset}
where: "%s != 'test'"
nulls: %s
`, j.pipeline, source, r.s.keyspace, r.table, columns.String(), name(7), nulls)
}

// submit publishes the job until a dispatcher has accepted it; from then on it must survive.
func (r *round) submit(ctx context.Context, j *job) {
	message, err := json.Marshal(map[string]any{
		"id": j.id, "source": []string{"s3://" + r.source + "/" + j.pipeline + "/"}, "chunk_size": j.chunkSize,
	})
	must(r.t, err)
	var accepted any
	for began := time.Now(); !r.s.get(ctx, r.state, "jobs/"+j.id+"/job.json", &accepted); pause(ctx, 10*look) {
		if time.Since(began) > patience {
			r.hang("job " + j.id + " is not accepted")
		}
		r.conn.Publish(r.prefix+".jobs."+j.pipeline, message) //nolint:errcheck // again if need be
	}
}

// run submits the jobs, lets the faults strike as the first job goes on, and returns when all jobs have ended.
func (r *round) run() {
	ctx := r.t.Context()
	r.submit(ctx, r.jobs[0])
	r.jobs[0].submitted = true
	began, struck, last, calm := time.Now(), 0, time.Now(), time.Now()
	for {
		done := r.progress(ctx)
		for ; struck < len(r.faults) && (done >= r.faults[struck].at || time.Since(last) > impulse); struck++ {
			last = time.Now()
			r.strike(r.faults[struck])
		}
		r.submitLater(ctx, done)
		r.record(ctx)
		if r.ended(ctx) {
			r.t.Logf("jobs ended after %.1f s, %d of %d faults", time.Since(began).Seconds(), struck, len(r.faults))
			return
		}
		if struck < len(r.faults) || r.active() {
			calm = time.Now()
		}
		if time.Since(calm) > patience {
			r.hang("the jobs do not end")
		}
		pause(ctx, look)
	}
}

// submitLater submits the second job when the first is as far as the plan says.
func (r *round) submitLater(ctx context.Context, done float64) {
	for _, j := range r.jobs[1:] {
		if !j.submitted && done >= j.at {
			j.submitted = true
			r.striking.Go(func() { r.submit(ctx, j) })
		}
	}
}

// progress is the share of the first job's chunks that have an outcome.
func (r *round) progress(ctx context.Context) float64 {
	var plan struct{ Totals struct{ Chunks int } }
	job := "jobs/" + r.jobs[0].id
	if !r.s.get(ctx, r.state, job+"/plan.json", &plan) || plan.Totals.Chunks == 0 {
		return 0
	}
	done, err := r.s.list(ctx, r.state, job+"/done/")
	if err != nil {
		return 0
	}
	return float64(len(done)) / float64(plan.Totals.Chunks)
}

// ended says whether every job has a report.
func (r *round) ended(ctx context.Context) bool {
	for _, j := range r.jobs {
		if j.report != nil {
			continue
		}
		var report contracts.Report
		if !r.s.get(ctx, r.state, "jobs/"+j.id+"/report.json", &report) {
			return false
		}
		j.report = &report
	}
	return true
}
