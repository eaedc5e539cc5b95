package chaos

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

// aftermath repeats messages of jobs that have ended, waits until the queue is empty, and lets the workers leave, so
// that nobody writes any more.
func (r *round) aftermath() {
	ctx := r.t.Context()
	r.quiet(ctx)
	r.tape.repeat(r.conn, r.seed)
	must(r.t, r.conn.FlushTimeout(patience))
	r.quiet(ctx)
	for _, name := range roles {
		p := r.processes[name]
		p.mu.Lock()
		left := p.term(patience)
		p.mu.Unlock()
		if !left {
			r.hang(name + " does not leave after SIGTERM")
		}
	}
}

// quiet waits until the chunk stream is empty and no job counts as active.
func (r *round) quiet(ctx context.Context) {
	js, err := jetstream.New(r.conn)
	must(r.t, err)
	for began := time.Now(); ; pause(ctx, look) {
		stream, err := js.Stream(ctx, strings.ToUpper(r.prefix)+"_CHUNKS")
		active, serr := r.s.list(ctx, r.state, "active/")
		if err == nil && serr == nil && stream.CachedInfo().State.Msgs == 0 && len(active) == 0 {
			return
		}
		if time.Since(began) > patience {
			r.hang(fmt.Sprintf("the queue does not become empty (%v), or the list of active jobs: %v (%v)", err, active, serr))
		}
	}
}

// judge compares everything with the oracle.
func (r *round) judge() {
	ctx := r.t.Context()
	for _, j := range r.jobs {
		var plan struct{ Base int64 }
		if !r.s.get(ctx, r.state, "jobs/"+j.id+"/plan.json", &plan) {
			r.t.Fatalf("%s has no plan", j.id)
		}
		j.base = plan.Base
	}
	slices.SortFunc(r.jobs, func(a, b *job) int { return cmp.Compare(a.base, b.base) })
	want := newTable()
	for _, j := range r.jobs {
		counts, rejects := want.load(j.dialect, j.files)
		r.judgeJob(ctx, j, counts, rejects)
	}
	r.judgeDead(ctx)
	r.judgeTable(want.lines())
	r.judgeLogs()
}

// judgeJob looks at a job's report, rejects and dead chunks.
func (r *round) judgeJob(ctx context.Context, j *job, want counts, rejects map[rejected]bool) {
	c := j.report.Records
	got := counts{c.Read, c.Written + c.Merged, c.Filtered, c.Rejected}
	if got != want {
		r.t.Errorf("%s: counts %+v, expected %+v", j.id, got, want)
	}
	state := contracts.StateDone
	if want.rejected > 0 {
		state = contracts.StateDoneRejects
	}
	objects := contracts.ObjectTotals{Total: int64(len(j.files)), Loaded: int64(len(j.files))}
	if j.report.State != state || j.report.Objects != objects || j.report.Error != nil || j.report.Chunks.Dead != 0 ||
		j.report.Chunks.Done != j.report.Chunks.Total {
		r.t.Errorf("%s: report %+v (error %+v), expected %s and %d objects", j.id, j.report, j.report.Error, state,
			len(j.files))
	}
	for _, kind := range []string{"dead", "failures"} {
		if found, err := r.s.list(ctx, r.state, "jobs/"+j.id+"/"+kind+"/"); err != nil || len(found) > 0 {
			r.t.Errorf("%s: %s: %v %v", j.id, kind, found, err)
		}
	}
	r.judgeRejects(ctx, j, rejects)
}

// judgeDead wants no dead letter.
func (r *round) judgeDead(ctx context.Context) {
	js, err := jetstream.New(r.conn)
	must(r.t, err)
	stream, err := js.Stream(ctx, strings.ToUpper(r.prefix)+"_DEAD")
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return // lost, and not made again before the dispatchers left
	}
	must(r.t, err)
	if n := stream.CachedInfo().State.Msgs; n > 0 {
		r.t.Errorf("%d dead letters, expected none", n)
	}
}

func (r *round) judgeRejects(ctx context.Context, j *job, want map[rejected]bool) {
	keys, err := r.s.list(ctx, r.rejects, j.pipeline+"/"+j.id+"/")
	must(r.t, err)
	got, why := map[rejected]int{}, map[rejected]string{}
	for _, key := range keys {
		o, err := r.s.store.GetObject(ctx, r.rejects, key, minio.GetObjectOptions{})
		must(r.t, err)
		for d := json.NewDecoder(o); d.More(); {
			var line contracts.Reject
			must(r.t, d.Decode(&line))
			at := rejected{strings.TrimPrefix(line.Object, "s3://"+r.source+"/"), line.Offset}
			got[at]++
			why[at] = fmt.Sprintf("%s %s: %s", line.Rule, line.Column, line.Reason)
		}
		o.Close() // it was read
	}
	for at, n := range got {
		if n > 1 || !want[at] {
			r.t.Errorf("%s: %d rejects at %v (%s), expected %v", j.id, n, at, why[at], want[at])
		}
	}
	for at := range want {
		if got[at] == 0 {
			r.t.Errorf("%s: no reject at %v", j.id, at)
		}
	}
}

// maxShown bounds the rows that a verdict shows.
const maxShown = 10

func (r *round) judgeTable(want map[string]string) {
	got, err := r.readTable()
	must(r.t, err)
	wrong := 0
	say := func(format string, args ...any) {
		if wrong++; wrong <= maxShown {
			r.t.Errorf(format, args...)
		}
	}
	for id, line := range want {
		if got[id] != line {
			say("row %q:\n found    %s\n expected %s", id, got[id], line)
		}
	}
	for id, line := range got {
		if _, ok := want[id]; !ok {
			say("row %q: found %s, expected none", id, line)
		}
	}
	if wrong > maxShown {
		r.t.Errorf("%d rows of %d are wrong", wrong, len(want))
	}
}

// readTable reads every row, as the oracle writes them.
func (r *round) readTable() (map[string]string, error) {
	var err error
	for began := time.Now(); time.Since(began) < patience; pause(r.t.Context(), 10*look) {
		var rows map[string]string
		if rows, err = r.readOnce(); err == nil {
			return rows, nil
		}
	}
	return nil, err
}

func (r *round) readOnce() (map[string]string, error) {
	iter := r.s.cql.Query("SELECT pk, ck, v1, v2, v3, twice, src, off, s1, s2 FROM " + r.s.keyspace + "." + r.table).Iter()
	rows := map[string]string{}
	var (
		pk, v1, src, s1 *string
		ck, s2          *int
		v2, twice, off  *int64
		v3              *float64
	)
	for iter.Scan(&pk, &ck, &v1, &v2, &v3, &twice, &src, &off, &s1, &s2) {
		var b strings.Builder
		for i, c := range []string{text(v1), text(v2), float(v3), text(twice), text(src), text(off)} {
			fmt.Fprintf(&b, "%s=%s ", columns[i], c)
		}
		fmt.Fprintf(&b, "s1=%s s2=%s ", text(s1), text(s2))
		id := "?"
		if pk != nil && ck != nil {
			id = fmt.Sprintf("%s\x00%d", *pk, *ck)
		}
		rows[id] = b.String()
	}
	return rows, iter.Close()
}

func text[T any](v *T) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%q", fmt.Sprint(*v))
}

func float(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%q", formatFloat(*v))
}

// judgeLogs wants no panic and no race in any role's log.
func (r *round) judgeLogs() {
	for _, name := range roles {
		log, err := os.ReadFile(r.processes[name].log)
		must(r.t, err)
		for _, word := range []string{"panic:", "fatal error:", "DATA RACE"} {
			if at := bytes.Index(log, []byte(word)); at >= 0 {
				r.t.Errorf("%s: %s", name, log[at:min(len(log), at+2000)])
			}
		}
	}
}

// hang fails a round that does not end, and says what everybody is doing.
func (r *round) hang(what string) {
	var dump strings.Builder
	r.dumpQueue(&dump)
	for _, name := range roles {
		p := r.processes[name]
		if p == nil {
			continue
		}
		p.stacks()
		log, err := os.ReadFile(p.log)
		fmt.Fprintf(&dump, "--- %s (%v), its log and goroutines end:\n%s\n", name, err, log[max(0, len(log)-6000):])
	}
	r.t.Fatalf("%s\n%s", what, dump.String())
}

func (r *round) dumpQueue(dump *strings.Builder) {
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	for _, j := range r.jobs {
		for _, kind := range []string{"done", "dead", "scan", "failures"} {
			found, err := r.s.list(ctx, r.state, "jobs/"+j.id+"/"+kind+"/")
			fmt.Fprintf(dump, "%s %s: %d %v\n", j.id, kind, len(found), err)
		}
	}
	for _, name := range []string{"JOBS", "CHUNKS", "STATUS", "DEAD"} {
		r.dumpStream(ctx, dump, strings.ToUpper(r.prefix)+"_"+name)
	}
}

func (r *round) dumpStream(ctx context.Context, dump *strings.Builder, name string) {
	js, err := jetstream.New(r.conn)
	must(r.t, err)
	stream, err := js.Stream(ctx, name)
	if err != nil {
		fmt.Fprintf(dump, "%s: %v\n", name, err)
		return
	}
	fmt.Fprintf(dump, "%s: %+v\n", name, stream.CachedInfo().State)
	for c := range stream.ListConsumers(ctx).Info() {
		fmt.Fprintf(dump, "  %s: pending %d, held %d\n", c.Name, c.NumPending, c.NumAckPending)
	}
}
