package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"
)

// fault is something that befalls a round: it strikes when the first job is so far, or a while after the one before it.
type fault struct {
	at     float64
	kind   string
	target string // a role, or server names
	hold   time.Duration
	seed   uint64 // of what the fault draws
	mood   mood
}

func (f fault) String() string {
	return fmt.Sprintf("%.2f %s %s %s", f.at, f.kind, f.target, f.hold.Round(10*time.Millisecond))
}

// kinds of fault and how often they are drawn. Those of Cassandra's process cost seconds: plan gives them to every
// fifth round at most.
var kinds = []struct {
	name  string
	share int
}{
	{"kill", 6}, {"stop", 6}, {"term", 3}, {"link", 8}, {"nats-kill", 2}, {"nats-wipe", 2}, {"nats-truncate", 2},
	{"nats-restore", 2}, {"nats-full", 2}, {"s3-kill", 2}, {"repeat", 3},
}

// plan draws the round's faults.
func (r *round) plan() []fault {
	var deck []string
	for _, k := range kinds {
		deck = append(deck, slices.Repeat([]string{k.name}, k.share)...)
	}
	var all []fault
	for range 3 + r.rng.IntN(4) {
		all = append(all, r.draw(pick(r.rng, deck...)))
	}
	if r.seed%5 == 0 && r.s.own != nil {
		all = append(all, r.draw("cassandra-kill"))
	}
	slices.SortFunc(all, func(a, b fault) int { return int((a.at - b.at) * 1e6) })
	return all
}

func (r *round) draw(kind string) fault {
	f := fault{
		at: r.rng.Float64(), kind: kind, target: pick(r.rng, roles...), seed: r.rng.Uint64(),
		hold: time.Duration(r.rng.IntN(1500)) * time.Millisecond,
	}
	switch {
	case kind == "kill" && f.seed%4 == 0: // the others have to do without it
		f.hold += 3 * lease
	case kind == "stop": // mostly beyond the lease: the chunk goes to another
		f.hold = pick(r.rng, lease/2, lease*5/4, lease*5/4, lease*2)
	case kind == "link":
		f.target += "/" + pick(r.rng, serverNames...)
		if r.rng.IntN(4) == 0 {
			f.target = "*/" + pick(r.rng, serverNames...)
		}
		f.mood = pick(r.rng, mood{name: "cut", cut: true}, mood{name: "stall", stall: true}, mood{name: "hole", hole: true},
			mood{name: "slow", lag: 150 * time.Millisecond}, mood{name: "thin", rate: 20_000})
		f.kind += " " + f.mood.name
	case strings.HasPrefix(kind, "nats"), strings.HasPrefix(kind, "s3"), strings.HasPrefix(kind, "cassandra"),
		kind == "repeat":
		f.target = ""
	}
	return f
}

// strike lets a fault happen, beside the others.
func (r *round) strike(f fault) {
	r.striking.Go(func() {
		r.strikes.Add(1)
		defer r.strikes.Add(-1)
		if err := r.befall(r.t.Context(), f); err != nil {
			r.t.Errorf("fault %s: %v", f, err)
		}
	})
}

// active says whether a fault is going on.
func (r *round) active() bool { return r.strikes.Load() > 0 }

func (r *round) befall(ctx context.Context, f fault) error {
	kind, _, _ := strings.Cut(f.kind, "-")
	switch kind {
	case "link " + f.mood.name:
		r.disturb(ctx, f)
		return nil
	case "nats":
		return r.harmNATS(ctx, f)
	case "s3":
		return r.killS3(ctx, f)
	case "cassandra":
		return r.killCassandra(ctx)
	case "repeat":
		r.tape.repeat(r.conn, f.seed)
		return nil
	default:
		return r.harmProcess(ctx, f)
	}
}

// disturb changes the mood of a link, or of those of all roles to one server.
func (r *round) disturb(ctx context.Context, f fault) {
	role, server, _ := strings.Cut(f.target, "/")
	for name, p := range r.processes {
		if role == "*" || role == name {
			p.links[server].set(f.mood)
			defer p.links[server].heal()
		}
	}
	pause(ctx, f.hold)
}

func (r *round) harmProcess(ctx context.Context, f fault) error {
	p := r.processes[f.target]
	p.mu.Lock()
	defer p.mu.Unlock()
	switch f.kind {
	case "stop":
		p.proc.Signal(syscall.SIGSTOP)
		pause(ctx, f.hold)
		p.proc.Signal(syscall.SIGCONT)
		return nil
	case "term":
		if !p.term(patience) {
			return fmt.Errorf("%s does not leave %s after SIGTERM", p.name, patience)
		}
	default:
		p.kill()
	}
	pause(ctx, f.hold)
	return p.start()
}

func (r *round) killS3(ctx context.Context, f fault) error {
	r.s.s3.Kill()
	pause(ctx, f.hold)
	return r.s.s3.MinIO.Restart(ctx)
}

func (r *round) killCassandra(ctx context.Context) error { return r.s.own.Cassandra.Restart(ctx) }
