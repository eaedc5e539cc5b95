//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"
	"github.com/nats-io/nats.go"

	"github.com/penstock-io/penstock/contracts"
)

const bucket, stateBucket = "landing", "penstock-state"

// pipeline is slow on purpose: it is the budget, not this machine, that says how long the load takes.
const pipeline = `
name: %[1]s
source: {format: csv}
table: {keyspace: lab, name: %[1]s, partition_key: [gauge], clustering_key: [seq], create: true}
columns:
  - {name: gauge, type: text}
  - {name: seq, type: int}
  - {name: level, type: bigint}
  - {name: note, type: text}
write: {consistency: ONE, budget: {rows: 3000}}
`

// records of one job: in every file each tenth comes again under the key of one before, so that the order counts.
const records = 24_000

type key struct {
	gauge string
	seq   int
}

type row struct {
	level int64
	note  string
}

// record is the i-th record of a job, by arithmetic alone.
func record(job, i int) (key, row) {
	n := i
	if i%10 == 9 {
		n = i - i%97 - 1 // one that came before, mostly in another chunk
	}
	n = max(n, 0)
	return key{fmt.Sprintf("job%d-gauge%d", job, n%31), n / 31},
		row{int64(job)<<40 + int64(i)*7919, fmt.Sprintf("n%d-%d", i, (i*2654435761)%1000003)}
}

// load feeds the installation with jobs of one pipeline and knows what its table must hold.
type load struct {
	l     *lab
	name  string // of pipeline and table
	chunk int    // bytes
	least int    // chunks that keepBusy sees to
	jobs  []contracts.JobID

	mu      sync.Mutex
	planned map[contracts.JobID]bool
	ended   map[contracts.JobID]contracts.Report
}

// newLoad applies a pipeline and listens for ends of its jobs until stop is called.
func (l *lab) newLoad(name string, chunk, least int) (f *load, stop func()) {
	l.t.Helper()
	path := filepath.Join(l.dir, name+".yaml")
	l.must(os.WriteFile(path, fmt.Appendf(nil, pipeline, name), 0o600))
	l.penstock("apply", path)
	f = &load{l: l, name: name, chunk: chunk, least: least,
		planned: map[contracts.JobID]bool{}, ended: map[contracts.JobID]contracts.Report{}}
	sub, err := l.conn.Subscribe("penstock.status.>", f.hear)
	l.must(err)
	l.must(l.conn.Flush())
	return f, func() { _ = sub.Unsubscribe() } // where the connection is gone, so is this
}

func (f *load) hear(m *nats.Msg) {
	var e contracts.Event
	if json.Unmarshal(m.Data, &e) != nil || e.Pipeline != f.name {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Kind == contracts.EventPlanned {
		f.planned[e.Job] = true
	}
	if e.Report != nil {
		f.ended[e.Job] = *e.Report
	}
}

// submit publishes a job of a file of its own, as any other program would.
func (f *load) submit() {
	l := f.l
	l.t.Helper()
	n := len(f.jobs)
	var file bytes.Buffer
	file.WriteString("gauge,seq,level,note\n")
	for i := range records {
		k, r := record(n, i)
		fmt.Fprintf(&file, "%s,%d,%d,%s\n", k.gauge, k.seq, r.level, r.note)
	}
	name := fmt.Sprintf("%s-%d.csv", f.name, n)
	_, err := l.objects.PutObject(l.t.Context(), bucket, name, &file, int64(file.Len()), minio.PutObjectOptions{})
	l.must(err)
	id := contracts.JobID(fmt.Sprintf("%s-%d", f.name, n))
	job, err := json.Marshal(map[string]any{
		"id": id, "pipeline": f.name, "source": []string{"s3://" + bucket + "/" + name}, "chunk_size": f.chunk,
	})
	l.must(err)
	_, err = l.js.Publish(l.t.Context(), "penstock.jobs."+f.name, job)
	l.must(err)
	f.jobs = append(f.jobs, id)
	l.stages.note("job %d submitted", n)
}

// keepBusy sees to it that there is work for every worker: what comes next is to happen under load.
func (f *load) keepBusy() {
	f.l.t.Helper()
	if lag, err := f.l.lag(f.l.t.Context()); err != nil || lag >= f.least {
		return
	}
	f.submit()
	f.l.await("the job becomes chunks", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.planned[f.jobs[len(f.jobs)-1]]
	})
}

// finish waits for every job's end.
func (f *load) finish() {
	f.l.t.Helper()
	f.l.await("every job ends", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.ended) == len(f.jobs)
	})
}

// proof is what came of the comparison.
type proof struct{ rows, missing, wrong int }

func (p proof) String() string {
	return fmt.Sprintf("%d rows, %d missing, %d wrong", p.rows, p.missing, p.wrong)
}

// prove compares every cell of the table with what the files say, and has penstock do so by its own means.
func (f *load) prove() proof {
	l := f.l
	l.t.Helper()
	want := map[key]row{}
	for n := range f.jobs {
		for i := range records {
			k, r := record(n, i)
			want[k] = r
		}
	}
	total, wrong := len(want), 0
	rows := l.cql.Query("SELECT gauge, seq, level, note FROM lab." + f.name).PageSize(5000).Iter()
	var k key
	var r row
	for rows.Scan(&k.gauge, &k.seq, &r.level, &r.note) {
		if expected, ok := want[k]; !ok || expected != r {
			if wrong++; wrong <= 10 {
				l.t.Errorf("%s: row %v is %v, expected %v (%t)", f.name, k, r, expected, ok)
			}
		}
		delete(want, k)
	}
	l.must(rows.Close())
	p := proof{total, len(want), wrong}
	if p.missing > 0 || p.wrong > 0 {
		l.t.Errorf("%s: %s", f.name, p)
	}
	l.stages.note("%s of %d jobs", p, len(f.jobs))
	f.audit()
	return p
}

// audit holds each report against what was in the file, and verifies each job.
func (f *load) audit() {
	l := f.l
	l.t.Helper()
	for _, id := range f.jobs {
		r := f.ended[id]
		if r.State != contracts.StateDone || r.Records.Read != records || !r.Records.Balanced() {
			l.t.Errorf("job %s: %s, %+v, error %v: expected %d records, all done", id, r.State, r.Records, r.Error, records)
		}
		l.penstock("verify", "--full", string(id))
	}
}

// penstock runs a command against the installation, from outside of it; it must exit with 0.
func (l *lab) penstock(args ...string) string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, *program, args...)
	cmd.Dir = l.dir
	cmd.Env = append(os.Environ(),
		"PENSTOCK_TARGET=cassandra://"+l.cassandra.Addr+"/lab", "PENSTOCK_NATS_URL="+l.nats.URL, "PENSTOCK_NATS_USER=keeper",
		"PENSTOCK_NATS_PASSWORD="+l.passwords["keeper"], "PENSTOCK_S3_URL="+l.s3.URL,
		"PENSTOCK_S3_ACCESS_KEY="+l.s3.AccessKey, "PENSTOCK_S3_SECRET_KEY="+l.s3.SecretKey,
	)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		l.t.Fatalf("penstock %s: %v\n%s%s", strings.Join(args, " "), err, &out, &errOut)
	}
	return out.String()
}

// leaseOwner is who leads the dispatchers.
func (l *lab) leaseOwner() string {
	o, err := l.objects.GetObject(l.t.Context(), stateBucket, "leader", minio.GetObjectOptions{})
	if err != nil {
		return ""
	}
	defer o.Close()
	data, err := io.ReadAll(o)
	var lease struct{ Owner string }
	if err != nil || json.Unmarshal(data, &lease) != nil {
		return ""
	}
	return lease.Owner
}
