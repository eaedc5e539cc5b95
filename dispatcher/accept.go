package dispatcher

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// acceptedAtOnce is the number of jobs that are stored at a time: what that takes is waiting for the store.
const acceptedAtOnce = 8

// asked is a message that asks for a job.
type asked struct {
	message Message
	job     contracts.Job
}

// acceptAll stores jobs as they come, those of one id in their order: the first is the job, whatever the others say.
// Each message is acknowledged after its job is stored, handed back while a server is away, and moved to the dead
// letters where it can never be a job.
func (d *Dispatcher) acceptAll(ctx context.Context) {
	var g sync.WaitGroup
	lanes, seed := make([]chan asked, acceptedAtOnce), maphash.MakeSeed()
	for i := range lanes {
		lanes[i] = make(chan asked)
		g.Go(func() {
			for a := range lanes[i] {
				_, err := d.Accept(ctx, a.job)
				d.settle(ctx, a.message, err)
			}
		})
	}
	d.each(ctx, d.jobs, func(m Message) {
		job, err := d.decodeJob(m)
		if err != nil {
			d.settle(ctx, m, err)
			return
		}
		lanes[maphash.String(seed, string(job.ID))%acceptedAtOnce] <- asked{m, job}
	})
	for _, lane := range lanes {
		close(lane)
	}
	g.Wait()
}

// each handles the messages of an inbox, one after the other, until ctx ends.
func (d *Dispatcher) each(ctx context.Context, inbox Inbox, handle func(Message)) {
	for {
		m, err := inbox.Next(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			d.cfg.Log.Warn("no messages to be had", "err", err)
			pause(ctx, time.Second)
			continue
		}
		handle(m)
	}
}

// settle answers a message: ack, delayed nak, or dead letter by the error's kind.
func (d *Dispatcher) settle(ctx context.Context, m Message, err error) {
	switch kind := contracts.KindOf(err); {
	case err == nil:
		err = m.Ack(ctx)
	case kind.Transient():
		d.cfg.Log.Warn("message handed back", "subject", m.Subject(), "err", err)
		err = m.Nak(2 * time.Second)
	default:
		d.cfg.Log.Error("message refused", "subject", m.Subject(), "err", err)
		if err = d.refuse(ctx, m, err); err == nil {
			err = m.Term("refused: see the dead letters")
		}
	}
	if err != nil && ctx.Err() == nil {
		d.cfg.Log.Warn("message not settled: it will come again", "subject", m.Subject(), "err", err)
	}
}

// refuse stores a message that can never be a job, and tells of it.
func (d *Dispatcher) refuse(ctx context.Context, m Message, why error) error {
	err := d.store.PutRefused(ctx, state.Refused{
		Subject: m.Subject(), Time: m.Time().UTC(), Reason: why.Error(), Data: m.Data(),
	})
	if err != nil {
		return err
	}
	return d.queue.PublishDead(ctx, d.cfg.Subjects.DeadJobs(), m.Data(), why.Error())
}

// decodeJob reads a job message. An id that the sender left out is made from the message, so that a redelivery is the
// same job.
func (d *Dispatcher) decodeJob(m Message) (contracts.Job, error) {
	var j contracts.Job
	if err := contracts.Unmarshal(m.Data(), &j); err != nil {
		return j, fmt.Errorf("job on %s: %w", m.Subject(), err)
	}
	subject := contracts.LastToken(m.Subject())
	if j.Pipeline != "" && j.Pipeline != subject {
		return j, contracts.Errorf(contracts.KindConfig, "job on %s names the pipeline %q: expected %q or none",
			m.Subject(), j.Pipeline, subject)
	}
	j.Pipeline = subject
	if j.ID == "" {
		seed := fmt.Sprintf("%d %d %x", m.Sequence(), m.Time().UnixNano(), sha256.Sum256(m.Data()))
		j.ID = contracts.NewJobID(m.Time(), seed)
	}
	return j, nil
}

// Accept checks and stores a job and wakes the leader. The same id twice is one job.
func (d *Dispatcher) Accept(ctx context.Context, j contracts.Job) (contracts.AcceptedJob, error) {
	if err := d.checkJob(&j); err != nil {
		return contracts.AcceptedJob{}, err
	}
	if err := d.mark(ctx, &j); err != nil {
		return contracts.AcceptedJob{}, err
	}
	accepted := contracts.AcceptedJob{Job: j, Accepted: d.cfg.Now().UTC().Truncate(time.Microsecond)}
	accepted, created, err := d.store.StoreJob(ctx, accepted)
	if err != nil {
		return accepted, fmt.Errorf("accept job %s: %w", j.ID, err)
	}
	if created {
		d.court.accepted(accepted)
		d.event(ctx, contracts.Event{Job: j.ID, Pipeline: j.Pipeline, Kind: contracts.EventAccepted})
		d.cfg.Log.Info("job accepted", "job", j.ID, "pipeline", j.Pipeline, "sources", len(j.Source))
	}
	return accepted, nil
}

// mark finds the job's revision, where it names none, and marks the job. A pipeline that is not there must not leave a
// mark behind; one that was seen before still is there, so that both may be done at once.
func (d *Dispatcher) mark(ctx context.Context, j *contracts.Job) error {
	if _, seen := d.seen.Load(j.Pipeline); !seen && j.Revision == "" {
		if err := d.revise(ctx, j); err != nil {
			return err
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := d.store.MarkJob(gctx, j.ID); err != nil {
			return fmt.Errorf("mark job %s: %w", j.ID, err)
		}
		return nil
	})
	if j.Revision == "" {
		g.Go(func() error { return d.revise(gctx, j) })
	}
	return g.Wait()
}

// revise makes the job one of its pipeline's current revision.
func (d *Dispatcher) revise(ctx context.Context, j *contracts.Job) (err error) {
	if j.Revision, err = d.store.Current(ctx, j.Pipeline); err == nil {
		d.seen.Store(j.Pipeline, true)
	}
	return err
}

func (d *Dispatcher) checkJob(j *contracts.Job) error {
	if err := contracts.CheckName("pipeline", j.Pipeline); err != nil {
		return err
	}
	if err := contracts.CheckName("job id", string(j.ID)); err != nil {
		return err
	}
	if j.Revision != "" { // it becomes part of a key
		if err := contracts.CheckName("revision", j.Revision); err != nil {
			return fmt.Errorf("job %s: %w", j.ID, err)
		}
	}
	if j.Rejects != "" {
		if err := contracts.CheckName("rejects", string(j.Rejects)); err != nil {
			return fmt.Errorf("job %s: %w", j.ID, err)
		}
	}
	if len(j.Source) == 0 {
		return contracts.Errorf(contracts.KindConfig, `job %s: no source: expected "source":["s3://bucket/key"]`, j.ID)
	}
	if err := d.checkSources(j.Source); err != nil {
		return fmt.Errorf("job %s: %w", j.ID, err)
	}
	if j.ChunkSize < 0 || j.ChunkSize > MaxChunkSize {
		return contracts.Errorf(contracts.KindConfig, "job %s: chunk_size %d: expected 1 to %d bytes, or 0 for the default",
			j.ID, j.ChunkSize, MaxChunkSize)
	}
	j.V = contracts.Version
	j.Trigger = strings.ToLower(j.Trigger)
	return nil
}

// checkSources refuses, besides what is malformed, files of this machine where jobs come from others: whoever may
// publish a job must not have this process read them what it may read.
func (d *Dispatcher) checkSources(sources []string) error {
	if err := CheckSources(sources); err != nil || d.cfg.Local {
		return err
	}
	for _, s := range sources {
		if !strings.HasPrefix(s, "s3://") {
			return contracts.Errorf(contracts.KindDenied,
				"source %q: a local path in a job from outside: expected s3://bucket/key; `penstock load` uploads files", s)
		}
	}
	return nil
}

// MaxChunkSize bounds a segment, since a worker holds one in memory.
const MaxChunkSize = 64 << 20
