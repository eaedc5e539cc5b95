package e2e

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

// TestEverythingTwice has every chunk message and every event of a job come again, out of order, in the job's middle
// and after its end, without ids that a server could tell them by. Nothing counts twice.
func TestEverythingTwice(t *testing.T) {
	t.Parallel()
	l := newFileLab(t, "PENSTOCK_RECONCILE=500ms")
	l.start("dispatcher").says("msg=leading")
	news := l.gather(l.prefix + ".status.>")
	chunks := l.gather(l.prefix + ".chunks.>")
	d := l.submitReadings()
	d.awaitKind(d.events, contracts.EventPlanned, 1)
	l.start("worker", "--workers", "2")
	d.midway()
	r := rand.New(rand.NewPCG(1, 1))
	l.again(r, news)
	l.again(r, chunks)
	first := l.awaitEnd(d.events, contracts.JobID(d.job))
	d.check(first)
	for range 2 {
		l.again(r, chunks)
		l.again(r, news)
		l.drained()
	}
	stored := l.report(l.run("report", d.job, "--output", "json"), 0)
	if stored.Records != first.Records || stored.Chunks != first.Chunks {
		t.Errorf("the report was %+v, %+v, and is %+v, %+v", first.Records, first.Chunks, stored.Records, stored.Chunks)
	}
	d.check(stored)
	if out := l.ok("dead", "list"); out != "" {
		t.Errorf("dead:\n%s", out)
	}
}

// gathered are the messages of some subjects, each once.
type gathered struct {
	mu  sync.Mutex
	all []*nats.Msg
}

func (l *lab) gather(subjects string) *gathered {
	l.t.Helper()
	g := &gathered{}
	seen := map[string]bool{}
	_, err := l.nats.Subscribe(subjects, func(m *nats.Msg) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if text := m.Subject + string(m.Data); !seen[text] {
			seen[text] = true
			g.all = append(g.all, &nats.Msg{Subject: m.Subject, Data: m.Data})
		}
	})
	l.must(err)
	l.must(l.nats.Flush())
	return g
}

// again publishes what was gathered so far once more, shuffled.
func (l *lab) again(r *rand.Rand, g *gathered) {
	l.t.Helper()
	g.mu.Lock()
	all := slices.Clone(g.all)
	g.mu.Unlock()
	if len(all) == 0 {
		l.t.Fatal("nothing was gathered")
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, m := range all {
		l.must(l.nats.PublishMsg(m))
	}
	l.must(l.nats.Flush())
}

// drained waits until no chunk message is left.
func (l *lab) drained() {
	l.t.Helper()
	js, err := jetstream.New(l.nats)
	l.must(err)
	stream, err := js.Stream(l.t.Context(), strings.ToUpper(l.prefix)+"_CHUNKS")
	l.must(err)
	limit := time.Now().Add(patience)
	for {
		info, err := stream.Info(l.t.Context())
		l.must(err)
		if info.State.Msgs == 0 {
			return
		}
		if time.Now().After(limit) {
			l.t.Fatalf("%d chunk messages are left", info.State.Msgs)
		}
	}
}
