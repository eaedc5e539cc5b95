package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/penstock-io/penstock/contracts"
)

// submitAndFollow publishes a job and waits for its end. News comes by events; what they miss the object store tells.
func (a *app) submitAndFollow(ctx context.Context, p *plant, job contracts.Job) (r contracts.Report, err error) {
	events := make(chan contracts.Event, 64)
	stop, err := p.queue.Events(ctx, job.ID, true, func(e contracts.Event) {
		select {
		case events <- e:
		case <-ctx.Done():
		}
	})
	if err != nil {
		return r, err
	}
	defer drain(events, stop)
	if err := p.publish(ctx, job); err != nil {
		return r, err
	}
	return a.await(ctx, p, job, events)
}

// maxJobMessage is what NATS takes by default, less its headers.
const maxJobMessage = 1<<20 - 4096

// publish sends a job message.
func (p *plant) publish(ctx context.Context, job contracts.Job) error {
	data, err := json.Marshal(job)
	if err != nil {
		return err
	}
	if len(data) > maxJobMessage {
		return contracts.Errorf(contracts.KindConfig,
			"%d sources make a message of %d bytes: expected at most %d: put the files into a bucket and name their prefix, "+
				"or load them in several commands", len(job.Source), len(data), maxJobMessage)
	}
	return p.queue.PublishJob(ctx, job.Pipeline, data)
}

// drain stops the events while it empties their channel, so that the last of them is not stuck.
func drain(events <-chan contracts.Event, stop func()) {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop()
	}()
	for {
		select {
		case <-events:
		case <-stopped:
			return
		}
	}
}

// await shows progress until the job's report is there.
func (a *app) await(
	ctx context.Context, p *plant, job contracts.Job, events <-chan contracts.Event,
) (contracts.Report, error) {
	id := job.ID
	show := a.newProgress(id)
	defer show.close()
	look := time.NewTicker(2 * time.Second)
	defer look.Stop()
	for looks := 1; ; {
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errRolesEnded) {
				return contracts.Report{}, errRolesEnded
			}
			fmt.Fprintf(a.Err, "interrupted: job %s is not over: %s, `penstock cancel %s` ends it\n", id, goesOn(job), id)
			return contracts.Report{}, exitError{code: exitInterrupted}
		case e := <-events:
			show.event(e)
			if r, over := p.ended(ctx, e); over {
				return r, nil
			}
		case <-look.C:
			r, err := p.store.Report(ctx, id)
			if err == nil {
				return r, nil
			}
			if k := contracts.KindOf(err); k != contracts.KindMissing && !k.Transient() {
				return r, fmt.Errorf("job %s: %w", id, err)
			}
			if looks++; looks%5 == 0 {
				if err := a.remind(ctx, p, job); err != nil {
					return r, err
				}
			}
		}
	}
}

// goesOn says how a job goes on that its command was interrupted at. `load --force` takes up none: what one that was
// interrupted has loaded may be what is to be loaded anew.
func goesOn(job contracts.Job) string {
	if job.Force {
		return "it goes on as soon as a worker runs here, beside what a new `load --force` loads"
	}
	return "the same command takes it up again"
}

// ended says whether an event is of the end of its job, and gives the report. An event from before a job's dead chunks
// were replayed is no end, and while the store is away nobody knows whether it is one: the next look tells.
func (p *plant) ended(ctx context.Context, e contracts.Event) (contracts.Report, bool) {
	if !e.Kind.Terminal() {
		return contracts.Report{}, false
	}
	r, err := p.store.Report(ctx, e.Job)
	return r, err == nil
}

// remind publishes a job again that no dispatcher has accepted yet: NATS may have lost it, and twice is once.
func (a *app) remind(ctx context.Context, p *plant, job contracts.Job) error {
	_, err := p.store.Job(ctx, job.ID)
	if contracts.KindOf(err) != contracts.KindMissing {
		return nil
	}
	fmt.Fprintf(a.Err, "job %s is not accepted yet: does a dispatcher run, and what do its logs say?\n", job.ID)
	if err := p.publish(ctx, job); !contracts.KindOf(err).Transient() {
		return err
	}
	return nil
}

// progress shows how far a job is: a bar on a terminal, a line every few seconds otherwise.
type progress struct {
	out    io.Writer
	id     contracts.JobID
	bar    *progressbar.ProgressBar
	total  int
	seen   map[int]bool
	counts contracts.Counts
	said   time.Time
}

func (a *app) newProgress(id contracts.JobID) *progress {
	p := &progress{out: a.Err, id: id, seen: map[int]bool{}, said: time.Now()}
	if f, ok := a.Err.(*os.File); ok && term.IsTerminal(int(f.Fd())) && environment(a.env)["TERM"] != "dumb" {
		_, plain := environment(a.env)["NO_COLOR"]
		p.bar = progressbar.NewOptions(-1, progressbar.OptionSetWriter(a.Err), progressbar.OptionClearOnFinish(),
			progressbar.OptionEnableColorCodes(!plain), progressbar.OptionSetDescription(string(id)))
	}
	return p
}

func (p *progress) event(e contracts.Event) {
	switch e.Kind {
	case contracts.EventPlanned:
		p.total = e.Plan.Chunks
		if p.bar != nil {
			p.bar.ChangeMax(p.total)
		}
		return
	case contracts.EventChunkFailed:
		fmt.Fprintf(p.out, "chunk %d: attempt failed: %s\n", *e.Chunk, e.Error.Message)
		return
	case contracts.EventChunkDone, contracts.EventChunkDead:
	default:
		return
	}
	if e.Chunk == nil || e.Counts == nil || p.seen[*e.Chunk] {
		return
	}
	p.seen[*e.Chunk] = true
	p.counts.Add(*e.Counts)
	p.show()
}

func (p *progress) show() {
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("%s: %d rows, %d rejects", p.id, p.counts.Written, p.counts.Rejected))
		p.bar.Set(len(p.seen)) //nolint:errcheck // a bar that cannot be drawn is no reason to fail
		return
	}
	if time.Since(p.said) < 5*time.Second {
		return
	}
	p.said = time.Now()
	fmt.Fprintf(p.out, "job %s: %d of %d chunks, %d rows written, %d rejects\n",
		p.id, len(p.seen), p.total, p.counts.Written, p.counts.Rejected)
}

func (p *progress) close() {
	if p.bar != nil {
		p.bar.Finish() //nolint:errcheck // as above
	}
}
