//go:build e2e

package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestScaling publishes a backlog to an installation that sleeps and disturbs it in every way that a cluster knows,
// while there is work: workers go from none to one to the most and back, and every cell is right.
func TestScaling(t *testing.T) {
	l := newLab(t)
	t.Cleanup(l.describe)
	l.deploy()
	l.watch("timeline")
	f, stop := l.newLoad("levels", 32<<10, 30)
	defer stop()
	l.await("KEDA puts the workers to sleep", func() bool { return l.stages.now(0) })

	published := l.stages.elapsed()
	f.submit()
	l.await("the first worker is ready", func() bool { _, ok := l.stages.firstReady(1, published); return ok })
	l.await("all workers are ready", func() bool { f.keepBusy(); return l.stages.now(mostWorkers) })

	f.keepBusy()
	l.stages.note("rolling update")
	l.kubectl("rollout", "restart", "deployment/penstock-worker")
	l.await("the rolling update ends", func() bool { f.keepBusy(); return l.rolledOut() })

	l.await("all workers are ready", func() bool { f.keepBusy(); return l.stages.now(mostWorkers) })
	f.submit() // for as long as the drain may take
	l.stages.note("node drained")
	l.drain(f)
	l.await("the workers are back", func() bool { f.keepBusy(); return l.stages.now(mostWorkers) })

	f.keepBusy()
	l.scaleIn(f)

	f.keepBusy()
	l.killLeader()
	f.keepBusy()
	f.finish()
	ended := l.stages.elapsed()
	l.stages.note("the last job ended")
	f.prove()
	l.await("the workers are gone", func() bool { return l.stages.now(0) })
	l.tell(published, ended)
}

// scaleIn has two of three workers go at once, in the midst of chunks, and lets them come back.
func (l *lab) scaleIn(f *load) {
	l.t.Helper()
	l.stages.note("scale-in to 1 under load")
	const annotation = "autoscaling.keda.sh/paused-replicas"
	l.kubectl("annotate", "scaledobject", "penstock-worker", annotation+"=1")
	l.await("one worker is left", func() bool { f.keepBusy(); return l.stages.now(1) })
	l.kubectl("annotate", "scaledobject", "penstock-worker", annotation+"-")
	l.await("the workers are back", func() bool { f.keepBusy(); return l.stages.now(mostWorkers) })
}

// killLeader ends the dispatcher that leads, as a crash would.
func (l *lab) killLeader() {
	l.t.Helper()
	var owner string
	var leader []pod
	l.await("a dispatcher leads", func() bool {
		owner = l.leaseOwner() // its name begins with its pod's
		leader = slices.DeleteFunc(l.pods("dispatcher"), func(p pod) bool { return !strings.HasPrefix(owner, p.name+"-") })
		return len(leader) == 1
	})
	l.stages.note("SIGKILL for the dispatcher that leads")
	l.must(l.cluster.Kill(l.t.Context(), leader[0].container))
	l.await("another dispatcher leads", func() bool { now := l.leaseOwner(); return now != "" && now != owner })
	l.stages.note("another dispatcher leads")
}

// rolledOut says that new pods have replaced the old ones.
func (l *lab) rolledOut() bool {
	out, err := l.try("rollout", "status", "deployment/penstock-worker", "--watch=false")
	return err == nil && strings.Contains(out, "successfully rolled out")
}

// tell prints the figures that matter.
func (l *lab) tell(published, ended time.Duration) {
	first, _ := l.stages.firstReady(1, published)
	most, _ := l.stages.firstReady(mostWorkers, published)
	l.stages.note("backlog published → first worker ready: %.1f s, → %d ready: %.1f s; last job ended → none: %.1f s",
		first.Seconds(), mostWorkers, most.Seconds(), l.stages.asleep(ended).Seconds())
}

// describe leaves, of a test that failed, what the cluster says of its pods.
func (l *lab) describe() {
	if !l.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience) // the test's own context has ended
	defer cancel()
	for _, args := range [][]string{
		{"get", "pods,deployments,hpa,scaledobjects", "-o", "wide"}, {"describe", "pods"},
		{"get", "events", "--sort-by=.lastTimestamp"},
	} {
		out, err := l.cluster.Kubectl(ctx, "", append([]string{"--namespace=penstock"}, args...)...)
		l.t.Logf("kubectl %v: %v\n%s", args, err, out)
	}
}
