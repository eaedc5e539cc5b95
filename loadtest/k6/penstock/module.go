package penstock

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.k6.io/k6/js/common"
	"go.k6.io/k6/js/modules"

	"github.com/penstock-io/penstock/contracts"
)

// Module is k6/x/penstock in one process. It connects when a script first asks for something, once for all virtual
// users.
type Module struct {
	run     string // tells this process's jobs from those of others
	jobs    atomic.Int64
	pending atomic.Int64 // jobs that were begun and not measured

	mu     sync.Mutex
	client *Client
	info   Info
	err    error
}

// New makes the module.
func New() *Module { return &Module{run: rand.Text()} }

// NewModuleInstance is called by k6 for each virtual user.
func (m *Module) NewModuleInstance(vu modules.VU) modules.Instance {
	env := vu.InitEnv()
	lookup := func(name string) (string, bool) {
		if v, ok := env.RuntimeOptions.Env[name]; ok {
			return v, true
		}
		return env.LookupEnv(name)
	}
	meters, err := newMeters(env.Registry)
	if err != nil {
		common.Throw(vu.Runtime(), err)
	}
	return &instance{module: m, vu: vu, lookup: lookup, meters: meters}
}

// connect gives the client. Where Penstock is not what it must be, each call says so: nothing is published.
func (m *Module) connect(ctx context.Context, lookup func(string) (string, bool)) (*Client, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.client != nil || m.err != nil {
		return m.client, m.err
	}
	settings, err := ReadSettings(lookup)
	if err == nil {
		// k6 ends the context of setup with setup.
		m.client, m.info, err = Connect(context.WithoutCancel(ctx), settings)
	}
	m.err = err
	return m.client, err
}

// instance is the module as one virtual user sees it.
type instance struct {
	module *Module
	vu     modules.VU
	lookup func(string) (string, bool)
	meters *meters
}

// Exports names what scripts may call.
func (i *instance) Exports() modules.Exports {
	return modules.Exports{Named: map[string]any{
		"check": i.check, "upload": i.upload, "uploadAll": i.uploadAll, "load": i.load, "account": i.account,
	}}
}

func (i *instance) client() (*Client, error) {
	if i.vu.State() == nil {
		return nil, errors.New("k6/x/penstock works in setup, in iterations and in teardown, not while k6 reads the script")
	}
	return i.module.connect(i.vu.Context(), i.lookup)
}

// check connects, and says what was found.
func (i *instance) check() (any, error) {
	if _, err := i.client(); err != nil {
		return nil, err
	}
	return plain(i.module.info)
}

// fileOptions are what upload and uploadAll take.
type fileOptions struct {
	Key   string `js:"key"`
	Bytes int64  `js:"bytes"`
	Bad   int64  `js:"bad"`
	Count int    `js:"count"`
}

func (o fileOptions) file() File { return File{Key: o.Key, Bytes: o.Bytes, Bad: o.Bad} }

// upload makes and uploads one file. Where that fails, so has the job that would have loaded it.
func (i *instance) upload(o fileOptions) (any, error) {
	c, err := i.client()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	f := o.file()
	address, err := c.Upload(i.vu.Context(), f)
	if err != nil {
		i.measure(Loaded{}, err)
		return nil, err
	}
	i.push(i.meters.upload, milliseconds(time.Since(begin)))
	return map[string]any{"source": address, "rows": f.Rows(), "rejects": f.Rejects()}, nil
}

// uploadAll makes and uploads files that are numbered, and gives back how their addresses begin and what each has. It
// lists none: k6 keeps what setup returns once for each virtual user.
func (i *instance) uploadAll(o fileOptions) (any, error) {
	c, err := i.client()
	if err != nil {
		return nil, err
	}
	if err := c.UploadAll(i.vu.Context(), o.file(), o.Count); err != nil {
		return nil, err
	}
	f := o.file()
	f.Key = Numbered(f.Key, 0)
	return map[string]any{
		"begin": "s3://" + c.settings.Bucket + "/" + o.Key, "count": o.Count, "rows": f.Rows(), "rejects": f.Rejects(),
	}, nil
}

// loadOptions are what load takes.
type loadOptions struct {
	Pipeline  string   `js:"pipeline"`
	Sources   []string `js:"sources"`
	Force     bool     `js:"force"`
	ChunkSize int64    `js:"chunkSize"`
	Rows      int64    `js:"rows"`    // of the sources
	Rejects   int64    `js:"rejects"` // among them
	Timeout   float64  `js:"timeout"` // seconds
}

// load publishes a job, waits for its end and measures it. A job that does not end in time, or fails, or comes to other
// counts than its sources, is a failure in the metrics and in `error` of what is returned; it throws nothing.
func (i *instance) load(o loadOptions) (any, error) {
	c, err := i.client()
	if err != nil {
		return nil, err
	}
	job := contracts.Job{
		V: contracts.Version, ID: i.module.id(), Pipeline: o.Pipeline, Source: o.Sources, Force: o.Force,
		ChunkSize: o.ChunkSize, Trigger: "k6",
	}
	i.module.pending.Add(1)
	loaded, err := c.Load(i.vu.Context(), job, time.Duration(o.Timeout*float64(time.Second)))
	if i.vu.Context().Err() != nil {
		return nil, nil // k6 has ended the test, and takes no more samples of it: account counts the job
	}
	i.module.pending.Add(-1)
	if err == nil {
		err = o.judge(loaded.Report)
	}
	i.measure(loaded, err)
	out := map[string]any{"job": string(job.ID), "ok": err == nil, "error": nil}
	if err != nil {
		out["error"] = err.Error()
	}
	out["report"], err = plain(loaded.Report)
	return out, err
}

// id is a new job's. It sorts by time.
func (m *Module) id() contracts.JobID {
	return contracts.NewJobID(time.Now(), fmt.Sprint(m.run, m.jobs.Add(1)))
}

// judge holds a report against what the sources have.
func (o loadOptions) judge(r contracts.Report) error {
	switch {
	case r.State != contracts.StateDone && r.State != contracts.StateDoneRejects:
		why := ""
		if r.Error != nil {
			why = ": " + r.Error.Message
		}
		return fmt.Errorf("job %s is %s%s", r.Job, r.State, why)
	case o.Rows > 0 && (r.Records.Read != o.Rows || r.Records.Rejected != o.Rejects ||
		r.Records.Written != o.Rows-o.Rejects):
		return fmt.Errorf("job %s: found %d records read, %d written, %d rejected: expected %d, %d, %d", r.Job,
			r.Records.Read, r.Records.Written, r.Records.Rejected, o.Rows, o.Rows-o.Rejects, o.Rejects)
	}
	return nil
}

var errUnfinished = errors.New("the test ended before the job")

// account measures what only the whole test has: for teardown. Jobs that had not ended when k6 ended the test are
// failures: their end was waited for.
func (i *instance) account() (any, error) {
	c, err := i.client()
	if err != nil {
		return nil, err
	}
	again, err := c.Redeliveries(i.vu.Context())
	if err != nil {
		return nil, err
	}
	unfinished := i.module.pending.Load()
	for range unfinished {
		i.measure(Loaded{}, errUnfinished)
	}
	failed, rate := c.FailedAttempts(), c.totals.rate()
	i.push(i.meters.redeliveries, float64(again))
	i.push(i.meters.failedAttempts, float64(failed))
	i.push(i.meters.rowRate, rate)
	return map[string]any{
		"redeliveries": again, "failedAttempts": failed, "rowsPerSecond": rate, "unfinished": unfinished,
	}, nil
}

// plain is v as a script sees JSON.
func plain(v any) (out any, err error) {
	data, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	return out, err
}
