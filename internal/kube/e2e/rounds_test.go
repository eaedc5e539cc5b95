//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/penstock-io/penstock/contracts"
)

var rounds = flag.Int("rounds", 1, "rounds of TestScaleIn")

// ways are how workers go. In the first half of the rounds they hand back what they hold as soon as they are asked to
// leave; in the second they go on with it and are killed in the midst of it: others get it when the lease ends.
var ways = []struct{ name, grace, seconds string }{
	{"handed back", "100ms", "90"},
	{"killed", "60s", "1"},
}

// orders are who says that one worker is enough, although there is work for all of them, and how that is undone.
var orders = []struct{ name, change, back string }{
	{
		"KEDA paused",
		`[{"op": "add", "path": "/metadata/annotations", "value": {"autoscaling.keda.sh/paused-replicas": "1"}}]`,
		`[{"op": "remove", "path": "/metadata/annotations/autoscaling.keda.sh~1paused-replicas"}]`,
	},
	{
		"maximum lowered",
		`[{"op": "replace", "path": "/spec/maxReplicaCount", "value": 1}]`,
		fmt.Sprintf(`[{"op": "replace", "path": "/spec/maxReplicaCount", "value": %d}]`, mostWorkers),
	},
	{
		"lag taken for little",
		`[{"op": "replace", "path": "/spec/triggers/0/metadata/lagThreshold", "value": "1000"}]`,
		`[{"op": "replace", "path": "/spec/triggers/0/metadata/lagThreshold", "value": "4"}]`,
	},
}

// TestScaleIn takes, in each round, two of three workers away while all of them hold chunks, and then compares every
// cell of the round's own table with the files. It fails, too, where a round proves nothing: because no worker that
// went held a chunk, or no chunk was delivered again.
func TestScaleIn(t *testing.T) {
	l := newLab(t)
	t.Cleanup(l.describe)
	l.deploy()
	l.watch("rounds")
	begin := time.Now()
	var sum round
	for n := range *rounds {
		way, order := ways[n*len(ways) / *rounds], orders[n%len(orders)]
		l.setGrace(way.grace, way.seconds)
		start := time.Now()
		r := l.round(fmt.Sprintf("round_%02d", n+1), order.change, order.back)
		fmt.Printf("round %2d of %d: %s; %s, %s: %.0f s\n", n+1, *rounds, r, order.name, way.name,
			time.Since(start).Seconds())
		sum = sum.and(r)
	}
	fmt.Printf("%d rounds: %s; %.0f s\n", *rounds, sum, time.Since(begin).Seconds())
}

// round is what one of them has come to.
type round struct {
	proof
	gone, busy int // workers that went, and those of them that held a chunk which another one finished
	again      int // chunks that were delivered more than once
}

func (r round) String() string {
	return fmt.Sprintf("%s; of %d workers that went %d were busy; %d chunks delivered again",
		r.proof, r.gone, r.busy, r.again)
}

func (r round) and(s round) round {
	return round{
		proof{r.rows + s.rows, r.missing + s.missing, r.wrong + s.wrong}, r.gone + s.gone, r.busy + s.busy,
		r.again + s.again,
	}
}

// setGrace has workers that are asked to leave hand back what they hold after grace, and kills them after some seconds.
func (l *lab) setGrace(grace, seconds string) {
	l.t.Helper()
	l.kubectl("patch", "deployment", "penstock-worker", "-p", fmt.Sprintf(`{"spec": {"template": {"spec": {
		"terminationGracePeriodSeconds": %s, "containers": [{"name": "worker", "env": [
			{"name": "PENSTOCK_GRACE", "value": %q}, {"name": "PENSTOCK_LOG_LEVEL", "value": "debug"}]}]}}}}`,
		seconds, grace))
	l.await("the workers are replaced", l.rolledOut)
}

// round loads into a table of its own; change and back are patches of the ScaledObject.
func (l *lab) round(name, change, back string) round {
	l.t.Helper()
	f, stop := l.newLoad(name, 128<<10, 16) // a chunk takes longer than a worker has that is to be killed
	defer stop()
	f.submit()
	went := l.takeAway(f, change, back)
	f.finish()
	r := round{proof: f.prove(), gone: len(went)}
	done := f.completions()
	for _, c := range done {
		if c.Attempts > 1 {
			r.again++
		}
	}
	for pod, diary := range went {
		if wasBusy(pod, diary, done) {
			r.busy++
		}
	}
	if r.gone != mostWorkers-1 || r.busy == 0 || r.again == 0 {
		l.t.Errorf("%s: %s: expected %d to go, some of them busy, and chunks that came again", name, r, mostWorkers-1)
	}
	return r
}

// takeAway lets one worker be left when all of them hold chunks, and returns the logs of the others, by their pods,
// when those are gone.
func (l *lab) takeAway(f *load, change, back string) map[string]*os.File {
	l.t.Helper()
	l.await("all workers are ready", func() bool {
		f.keepBusy()
		return l.stages.now(mostWorkers) && len(l.pods("worker")) == mostWorkers
	})
	l.await("every worker holds chunks", func() bool { f.keepBusy(); return l.held() > (mostWorkers-1)*perWorker })
	went := l.diaries()
	l.stages.note("%s: scale-in under load", f.name)
	l.kubectl("patch", "scaledobject", "penstock-worker", "--type=json", "-p", change)
	l.await("one worker is left", func() bool { f.keepBusy(); return l.stages.now(1) })
	for _, p := range l.pods("worker") {
		delete(went, p.name)
	}
	for pod := range went {
		l.kubectl("wait", "--for=delete", "pod/"+pod, "--timeout=2m")
	}
	l.kubectl("patch", "scaledobject", "penstock-worker", "--type=json", "-p", back)
	return went
}

// perWorker is how many chunks a worker holds: those that it reads, and as many on their way to the table.
const perWorker = 4

// held is how many chunks are with workers.
func (l *lab) held() int {
	c, err := l.js.Consumer(l.t.Context(), "CHUNKS", "workers")
	if err != nil {
		return 0
	}
	return c.CachedInfo().NumAckPending
}

// diaries opens the logs of all workers. They can be read when their pods are gone.
func (l *lab) diaries() map[string]*os.File {
	l.t.Helper()
	open := map[string]*os.File{}
	for _, p := range l.pods("worker") {
		paths, err := filepath.Glob(filepath.Join(l.cluster.Logs(), "pods", "penstock_"+p.name+"_*", "worker", "*.log"))
		l.must(err)
		for _, path := range paths {
			f, err := os.Open(path)
			l.must(err)
			l.t.Cleanup(func() { _ = f.Close() }) // it was only read
			open[p.name] = f
		}
	}
	return open
}

// wasBusy says that a worker had taken a chunk which another one finished.
func wasBusy(pod string, diary io.Reader, done []contracts.Completion) bool {
	for lines := bufio.NewScanner(diary); lines.Scan(); {
		_, text, _ := strings.Cut(lines.Text(), "{") // before it stands what containerd says of the line
		var took struct {
			Msg   string
			Job   contracts.JobID
			Chunk int
		}
		if json.Unmarshal([]byte("{"+text), &took) != nil || took.Msg != "chunk taken" {
			continue
		}
		if slices.ContainsFunc(done, func(c contracts.Completion) bool {
			return c.Job == took.Job && c.Chunk == took.Chunk && !strings.HasPrefix(c.Worker, pod+"-")
		}) {
			return true
		}
	}
	return false
}

// completions are what workers stored of the load's chunks.
func (f *load) completions() []contracts.Completion {
	l := f.l
	l.t.Helper()
	var all []contracts.Completion
	for _, job := range f.jobs {
		prefix := fmt.Sprintf("jobs/%s/done/", job)
		for o := range l.objects.ListObjects(l.t.Context(), stateBucket, minio.ListObjectsOptions{Prefix: prefix}) {
			l.must(o.Err)
			got, err := l.objects.GetObject(l.t.Context(), stateBucket, o.Key, minio.GetObjectOptions{})
			l.must(err)
			var c contracts.Completion
			l.must(json.NewDecoder(got).Decode(&c))
			l.must(got.Close())
			all = append(all, c)
		}
	}
	return all
}
