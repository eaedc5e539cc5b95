package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

// TestStoreOfNATSIsLost takes NATS its memory in the middle of three jobs: one by command, one by message, one by an
// object that arrived. Nobody lends a hand, and all of them end with the right table.
func TestStoreOfNATSIsLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T, queue *testenv.NATSServer, early string){
		"wiped": func(t *testing.T, queue *testenv.NATSServer, _ string) { wipe(t, queue) },
		"truncated": func(t *testing.T, queue *testenv.NATSServer, _ string) {
			queue.Kill()
			truncateStore(t, queue.Store)
			queue.Restart()
		},
		"restored from before": func(t *testing.T, queue *testenv.NATSServer, early string) {
			queue.Kill()
			check(t, os.RemoveAll(queue.Store))
			check(t, os.CopyFS(queue.Store, os.DirFS(early)))
			queue.Restart()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queue := testenv.StartNATS(t, "")
			l := newLabAt(t, site{"", queue.URL, testenv.S3(t)}, "PENSTOCK_RECONCILE=1s", "PENSTOCK_CHUNK_SIZE=64")
			j := l.submitThreeWays()
			early := filepath.Join(t.TempDir(), "early")
			queue.Kill() // in the very beginning of the jobs, and it comes back as it was
			check(t, os.CopyFS(early, os.DirFS(queue.Store)))
			queue.Restart()
			l.start("worker", "--workers", "1")
			j.midway()
			lose(t, queue, early)
			j.finish()
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// truncateStore cuts the second half off every file of messages.
func truncateStore(t *testing.T, store string) {
	t.Helper()
	cut := 0
	check(t, filepath.WalkDir(store, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".blk" {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Size() == 0 {
			return err
		}
		cut++
		return os.Truncate(path, info.Size()/2)
	}))
	if cut == 0 {
		t.Fatal("no file of messages in the store")
	}
}

const forgottenPipeline = `
name: small
source: {format: csv}
table: {keyspace: lab, name: small, partition_key: [id], create: true}
columns:
  - {name: id, type: text}
  - {name: n, type: int}
on: {bucket: %s, prefix: in/, suffix: .csv}
`

// threeJobs are jobs of many chunks each, submitted in three ways.
type threeJobs struct {
	*lab
	events <-chan contracts.Event
	cli    *role
	rows   []string
}

const forgottenRows = 300 // of each job

// submitThreeWays returns when all three jobs are planned; no worker runs yet.
func (l *lab) submitThreeWays() *threeJobs {
	l.t.Helper()
	j := &threeJobs{lab: l, events: l.events("*")}
	l.apply(l.file("small.yaml", fmt.Sprintf(forgottenPipeline, l.bucket)))
	l.start("dispatcher").says("msg=leading")
	j.cli = l.start("submit", "small", j.object("cli.csv"), "--wait", "--output", "json")
	l.publish("small", l.json(map[string]any{"id": "message", "source": []string{j.object("message.csv")}}))
	j.object("in/arrived.csv")
	l.must(l.nats.Publish(l.prefix+".notifications", l.json(map[string]any{"Records": []any{map[string]any{
		"eventName": "s3:ObjectCreated:Put", "s3": map[string]any{
			"bucket": map[string]any{"name": l.bucket}, "object": map[string]any{"key": "in/arrived.csv"},
		},
	}}})))
	planned := map[contracts.JobID]bool{}
	l.await(j.events, "three plans", func(e contracts.Event) bool {
		planned[e.Job] = planned[e.Job] || e.Kind == contracts.EventPlanned
		n := 0
		for _, p := range planned {
			if p {
				n++
			}
		}
		return n == 3
	})
	return j
}

func (j *threeJobs) object(key string) string {
	var b strings.Builder
	b.WriteString("id,n\n")
	for i := range forgottenRows {
		fmt.Fprintf(&b, "%s-%03d,%d\n", key, i, i)
		j.rows = append(j.rows, fmt.Sprintf("%s-%03d|%d", key, i, i))
	}
	return j.putText(key, b.String())
}

// midway waits until some chunks of each job are done.
func (j *threeJobs) midway() {
	j.t.Helper()
	done := map[contracts.JobID]int{}
	j.await(j.events, "chunks of three jobs", func(e contracts.Event) bool {
		if e.Kind == contracts.EventChunkDone {
			done[e.Job]++
		}
		n := 0
		for _, chunks := range done {
			if chunks > 2 {
				n++
			}
		}
		return n == 3
	})
}

// finish asks the object store for the jobs' ends, since news may be lost with the rest.
func (j *threeJobs) finish() {
	j.t.Helper()
	if r := j.report(j.cli.end(), 0); r.Records.Read != forgottenRows {
		j.t.Errorf("the command's job: %+v", r)
	}
	limit := time.Now().Add(patience)
	var jobs []contracts.Report
	for over := false; !over; {
		j.must(json.Unmarshal([]byte(j.ok("jobs", "--output", "json")), &jobs))
		over = !slices.ContainsFunc(jobs, func(r contracts.Report) bool { return !r.State.Final() })
		if time.Now().After(limit) {
			j.t.Fatalf("jobs %+v: expected their ends", jobs)
		}
	}
	for _, r := range jobs {
		if r.State != contracts.StateDone || r.Records.Read != forgottenRows || r.Records.Written != forgottenRows ||
			r.Chunks.Done != r.Chunks.Total || r.Objects.Loaded != 1 {
			j.t.Errorf("job %s: %+v", r.Job, r)
		}
	}
	slices.Sort(j.rows)
	if got := j.smallRows(); len(jobs) != 3 || !slices.Equal(got, j.rows) {
		j.t.Errorf("%d jobs, %d rows; expected 3, %d", len(jobs), len(got), len(j.rows))
	}
}
