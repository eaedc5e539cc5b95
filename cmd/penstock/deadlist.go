package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// deadChunk is a dead chunk as programs read it.
type deadChunk struct {
	Job       contracts.JobID       `json:"job"`
	Pipeline  string                `json:"pipeline"`
	Chunk     int                   `json:"chunk"`
	Attempts  int                   `json:"attempts"`
	Error     *contracts.ErrorInfo  `json:"error"`
	Worker    string                `json:"worker"`
	Discarded bool                  `json:"discarded"`
	Parts     []deadPart            `json:"parts"`
	Failures  []contracts.ErrorInfo `json:"failures"` // of the attempts, oldest first
}

// deadPart is a range of an object that a dead chunk was to load.
type deadPart struct {
	Object  string               `json:"object"`
	Version string               `json:"version"`
	Start   int64                `json:"start"`
	End     int64                `json:"end"`
	Error   *contracts.ErrorInfo `json:"error"`
}

// deadMessage is a message that was refused, as programs read it.
type deadMessage struct {
	Message   string    `json:"message"`
	Subject   string    `json:"subject"`
	Time      time.Time `json:"time"`
	Reason    string    `json:"reason"`
	Data      []byte    `json:"data_base64"`
	Discarded bool      `json:"discarded"`
}

func (a *app) deadList() *cobra.Command {
	var all bool
	c := command("list [JOB]", "List dead chunks, of one job or of all, and messages that were refused",
		cobra.MaximumNArgs(1), func(c *cobra.Command, args []string) (err error) {
			p, err := a.plant(c, needStore)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, p.Close()) }()
			if len(args) == 0 {
				return a.listAllDead(c.Context(), p, all)
			}
			if err := contracts.CheckName("job", args[0]); err != nil {
				return usageError(err)
			}
			return a.listDead(c.Context(), p, contracts.JobID(args[0]), all)
		})
	c.Flags().BoolVar(&all, "all", false, "list what was discarded, too")
	return c
}

func (a *app) listAllDead(ctx context.Context, p *plant, all bool) error {
	for id, err := range p.store.Jobs(ctx) {
		if err == nil {
			err = a.listDead(ctx, p, id, all)
		}
		if err != nil && contracts.KindOf(err) != contracts.KindMissing { // a marker without a job
			return err
		}
	}
	for r, err := range p.store.AllRefused(ctx) {
		if err != nil {
			return err
		}
		m, err := p.deadMessage(ctx, r)
		if err != nil {
			return err
		}
		if all || !m.Discarded {
			a.printDead(m, fmt.Sprintf("message %s%s  %s  %s  %s", m.Message, seenMark(m.Discarded),
				m.Time.Format(time.DateTime), m.Subject, oneLine(m.Reason)))
		}
	}
	return nil
}

func (a *app) listDead(ctx context.Context, p *plant, id contracts.JobID, all bool) error {
	job, err := p.store.Job(ctx, id)
	if err != nil {
		return err
	}
	plan, err := p.planOf(ctx, id)
	if err != nil {
		return err
	}
	for c, err := range p.store.Dead(ctx, id) {
		if err != nil {
			return err
		}
		d, err := p.deadChunk(ctx, job, plan, c)
		if err != nil {
			return err
		}
		if all || !d.Discarded {
			a.printDead(d, fmt.Sprintf("%s  chunk %d%s  %d attempts  %s  %s", d.Job, d.Chunk, seenMark(d.Discarded),
				d.Attempts, d.where(), oneLine(d.message())))
		}
	}
	return nil
}

func (p *plant) deadMessage(ctx context.Context, r state.Refused) (deadMessage, error) {
	seen, err := p.store.DiscardedRefused(ctx, r.ID)
	return deadMessage{
		Message: r.ID, Subject: r.Subject, Time: r.Time, Reason: r.Reason, Data: r.Data, Discarded: seen,
	}, err
}

// deadChunk gathers what is known of a dead chunk.
func (p *plant) deadChunk(
	ctx context.Context, job contracts.AcceptedJob, plan *state.PlanReader, c contracts.Completion,
) (d deadChunk, err error) {
	d = deadChunk{
		Job: job.ID, Pipeline: job.Pipeline, Chunk: c.Chunk, Error: c.Error, Worker: c.Worker, Parts: []deadPart{},
	}
	if d.Failures, err = p.store.Failures(ctx, job.ID, c.Chunk); err != nil {
		return d, err
	}
	if d.Discarded, err = p.store.Discarded(ctx, job.ID, c.Chunk); err != nil {
		return d, err
	}
	d.Attempts = max(c.Attempts, len(d.Failures))
	if plan == nil {
		return d, nil
	}
	planned, err := plan.Chunk(ctx, c.Chunk)
	for i, part := range planned.Parts {
		o := part.Object
		dead := deadPart{Object: o.Address(), Version: o.Version(), Start: part.Start, End: part.End}
		if i < len(c.Parts) {
			dead.Error = c.Parts[i].Error
		}
		d.Parts = append(d.Parts, dead)
	}
	return d, err
}

// where is the first range that could not be loaded.
func (d deadChunk) where() string {
	for _, p := range d.Parts {
		if p.Error != nil || len(d.Parts) == 1 {
			return fmt.Sprintf("%s bytes %d to %d", p.Object, p.Start, p.End)
		}
	}
	return fmt.Sprintf("%d objects", len(d.Parts))
}

func (d deadChunk) message() string {
	return cmp.Or(d.Error, &contracts.ErrorInfo{Message: "unknown"}).Message
}

// printDead writes one line: JSON for programs, else text.
func (a *app) printDead(v any, text string) {
	if a.output != "json" {
		fmt.Fprintln(a.Out, text)
		return
	}
	if data, err := json.Marshal(v); err == nil {
		fmt.Fprintf(a.Out, "%s\n", data)
	}
}

// seenMark tells what was discarded where all is listed.
func seenMark(discarded bool) string {
	if discarded {
		return " (discarded)"
	}
	return ""
}

// oneLine is a message without the stack that may follow it.
func oneLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func (a *app) deadShow() *cobra.Command {
	return a.onDead("show JOB CHUNK", "Print all that is known of a dead chunk, or of a refused message", needStore,
		func(ctx context.Context, p *plant, t deadTarget) error {
			if t.message != "" {
				return a.showMessage(ctx, p, t.message)
			}
			job, err := p.store.Job(ctx, t.job)
			if err != nil {
				return err
			}
			if len(t.chunks) != 1 {
				return usageError(fmt.Errorf("show: expected one chunk of job %s: `penstock dead list %s` lists them",
					t.job, t.job))
			}
			c, err := p.deadCompletion(ctx, t.job, t.chunks[0])
			if err != nil {
				return err
			}
			plan, err := p.planOf(ctx, t.job)
			if err != nil {
				return err
			}
			d, err := p.deadChunk(ctx, job, plan, c)
			if err != nil {
				return err
			}
			return a.showChunk(d)
		})
}

func (a *app) showMessage(ctx context.Context, p *plant, id string) error {
	r, err := p.store.Refused(ctx, id)
	if err != nil {
		return err
	}
	m, err := p.deadMessage(ctx, r)
	if err != nil {
		return err
	}
	if a.output == "json" {
		return a.printJSON(m)
	}
	fmt.Fprintf(a.Out, "message %s on %s, %s\n  reason  %s\n  data    %q\n", m.Message, m.Subject,
		m.Time.Format(time.RFC3339), m.Reason, m.Data)
	return nil
}

func (a *app) showChunk(d deadChunk) error {
	if a.output == "json" {
		return a.printJSON(d)
	}
	fmt.Fprintf(a.Out, "chunk %d of job %s, pipeline %s: dead after %d attempts, the last by %s\n", d.Chunk, d.Job,
		d.Pipeline, d.Attempts, cmp.Or(d.Worker, "nobody"))
	fmt.Fprintf(a.Out, "  error    %s\n", d.message())
	for _, p := range d.Parts {
		fmt.Fprintf(a.Out, "  part     %s version %s bytes %d to %d\n", p.Object, p.Version, p.Start, p.End)
		if p.Error != nil {
			fmt.Fprintf(a.Out, "           %s: %s\n", p.Error.Kind, p.Error.Message)
		}
	}
	for i, f := range d.Failures {
		fmt.Fprintf(a.Out, "  attempt  %d: %s: %s\n", i+1, f.Kind, oneLine(f.Message))
	}
	fmt.Fprintf(a.Out, "  next     `penstock dead replay %s %d` once the database or its table is mended; "+
		"`penstock retry %s` where the object was\n", d.Job, d.Chunk, d.Job)
	return nil
}
