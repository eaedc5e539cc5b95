package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/penstock-io/penstock/contracts"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve answers for a process and ends with the test.
func serve(t *testing.T, h *Health, m *Metrics) *Server {
	t.Helper()
	s, err := Listen("127.0.0.1:0", h, m, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func get(t *testing.T, s *Server, path string) (code int, body string) {
	t.Helper()
	r, err := http.Get("http://" + s.Addr() + path)
	must(t, err)
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	must(t, err)
	return r.StatusCode, string(data)
}

func wants(t *testing.T, s *Server, path string, code int, body string) {
	t.Helper()
	if c, b := get(t, s, path); c != code || strings.TrimSpace(b) != body {
		t.Errorf("%s: found %d %s, expected %d %s", path, c, b, code, body)
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	leaving := make(chan struct{})
	h := NewHealth(leaving, "nats", "s3")
	s := serve(t, h, NewMetrics("v1"))
	const unasked = `"up":false,"error":"it has not answered yet"}`
	wants(t, s, "/readyz", 503, `{"ready":false,"draining":false,"dependencies":[`+
		`{"name":"nats",`+unasked+`,{"name":"s3",`+unasked+`]}`)
	h.Note("nats", nil)
	h.Note("s3", errors.New("is the server up?"))
	wants(t, s, "/readyz", 503, `{"ready":false,"draining":false,"dependencies":[`+
		`{"name":"nats","up":true},{"name":"s3","up":false,"error":"is the server up?"}]}`)
	h.Note("s3", nil)
	wants(t, s, "/readyz", 200, `{"ready":true,"draining":false,"dependencies":[`+
		`{"name":"nats","up":true},{"name":"s3","up":true}]}`)
	close(leaving)
	wants(t, s, "/readyz", 503, `{"ready":false,"draining":true,"dependencies":[`+
		`{"name":"nats","up":true},{"name":"s3","up":true}]}`)
	wants(t, s, "/healthz", 200, `{"able":true}`)
}

func TestAbility(t *testing.T) {
	t.Parallel()
	h := NewHealth(nil)
	s := serve(t, h, NewMetrics("v1"))
	asked, cancel := context.WithCancel(t.Context())
	must(t, h.Loop(asked, "worker", func(context.Context) error { cancel(); return nil }))
	wants(t, s, "/healthz", 200, `{"able":true}`)
	broken := errors.New("no consumer")
	if err := h.Loop(t.Context(), "dispatcher", func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("found %v", err)
	}
	must(t, h.Loop(t.Context(), "worker", func(context.Context) error { return nil }))
	wants(t, s, "/healthz", 503, `{"able":false,"stopped":{"dispatcher":"no consumer","worker":"it ended"}}`)
	wants(t, s, "/readyz", 200, `{"ready":true,"draining":false,"dependencies":null}`)
	if code, _ := get(t, s, "/elsewhere"); code != 404 {
		t.Errorf("found %d", code)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	h := NewHealth(nil, "nats", "hung")
	ctx, cancel := context.WithCancel(t.Context())
	asked, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		h.Watch(ctx, "hung", func(ctx context.Context) error {
			close(asked)
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	h.ask(t.Context(), "nats", func(context.Context) error { return nil })
	if !h.Up("nats") || h.Up("hung") || h.Up("unheard of") {
		t.Error("found another state than nats alone up")
	}
	<-asked
	cancel() // a watch that ends says nothing of the dependency
	<-ended
	if d := h.readiness().Dependencies[1]; d.Error != errUnasked.Error() {
		t.Errorf("found %+v", d)
	}
}

// TestLate wants a word about a dependency that does not answer, before it does.
func TestLate(t *testing.T) {
	t.Parallel()
	h := NewHealth(nil, "table")
	h.Note("table", nil)
	h.ask(t.Context(), "table", func(ctx context.Context) error {
		<-ctx.Done()
		for h.Up("table") { // the word comes while nobody has answered
			if t.Context().Err() != nil {
				return nil
			}
		}
		return errors.New("timeout")
	})
	want := fmt.Sprintf("no answer within %s: timeout", askLimit)
	if d := h.readiness().Dependencies[0]; d.Up || d.Error != want {
		t.Errorf("found %+v, expected %q", d, want)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	s := serve(t, NewHealth(nil), NewMetrics("v1"))
	for addr, says := range map[string]string{
		s.Addr():          "address already in use: choose another PENSTOCK_LISTEN, or end what has it",
		"127.0.0.1:70000": "invalid port",
	} {
		_, err := Listen(addr, NewHealth(nil), NewMetrics("v1"), slog.New(slog.DiscardHandler))
		if contracts.KindOf(err) != contracts.KindConfig || !strings.Contains(err.Error(), says) ||
			!strings.Contains(err.Error(), addr) {
			t.Errorf("%s: found %v", addr, err)
		}
	}
}

// full are metrics that have seen everything once.
func full() *Metrics {
	m := NewMetrics("v1")
	m.Depend(NewHealth(nil, "nats", "s3", "table"))
	m.Writing(func() (int, int) { return 3, 16 })
	m.Dispatching(func() Standing { return Standing{Leads: true, Waiting: 1, Running: 2, Resting: 3, LagChunks: 4} })
	m.Concluded("readings", contracts.Completion{
		Counts: contracts.Counts{Read: 10, Written: 5, Merged: 1, Filtered: 2, Rejected: 2}, Bytes: 99,
		Rules: contracts.RuleCounts{contracts.RuleType: 2},
	})
	m.Concluded("readings", contracts.Completion{Error: &contracts.ErrorInfo{}})
	m.GivenBack("readings", true)
	m.GivenBack("readings", false)
	m.Buried("readings")
	m.Wrote("readings", 5, 50)
	m.Batch(5, time.Second)
	m.Retry("timeout")
	m.Redelivered()
	m.DeadLetter("")
	for _, s := range []contracts.State{contracts.StateDone, contracts.StateDoneRejects, contracts.StateFailed} {
		m.JobEnded(contracts.Report{Pipeline: "readings", State: s, Seconds: 2})
	}
	return m
}

func TestNamesAreAsPrometheusWantsThem(t *testing.T) {
	t.Parallel()
	problems, err := testutil.GatherAndLint(full().registry)
	must(t, err)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	s := serve(t, NewHealth(nil), full())
	_, body := get(t, s, "/metrics")
	for _, line := range []string{
		`penstock_records_total{outcome="written",pipeline="readings"} 5`,
		`penstock_records_total{outcome="merged",pipeline="readings"} 1`,
		`penstock_records_total{outcome="filtered",pipeline="readings"} 2`,
		`penstock_records_total{outcome="rejected",pipeline="readings"} 2`,
		`penstock_rejects_total{pipeline="readings",rule="type"} 2`,
		`penstock_rows_total{pipeline="readings"} 5`,
		`penstock_read_bytes_total{pipeline="readings"} 99`,
		`penstock_written_bytes_total{pipeline="readings"} 50`,
		`penstock_chunks_total{outcome="done",pipeline="readings"} 1`,
		`penstock_chunks_total{outcome="failed",pipeline="readings"} 1`,
		`penstock_chunks_total{outcome="returned",pipeline="readings"} 1`,
		`penstock_chunks_total{outcome="dead",pipeline="readings"} 2`,
		`penstock_chunk_duration_seconds_count 1`, `penstock_batch_duration_seconds_bucket{le="1"} 1`,
		`penstock_batch_rows_sum 5`, `penstock_write_in_flight 3`, `penstock_write_concurrency_limit 16`,
		`penstock_write_retries_total{reason="timeout"} 1`, `penstock_redeliveries_total 1`,
		`penstock_dead_letters_total{pipeline="unknown"} 1`, `penstock_dependency_up{dependency="table"} 0`,
		`penstock_leader 1`, `penstock_lag_chunks 4`, `penstock_lag_bytes 0`, `penstock_drain_seconds +Inf`,
		`penstock_jobs{state="accepted"} 1`, `penstock_jobs{state="running"} 2`, `penstock_jobs{state="paused"} 3`,
		`penstock_jobs_total{outcome="loaded",pipeline="readings"} 2`,
		`penstock_jobs_total{outcome="failed",pipeline="readings"} 1`, `penstock_job_duration_seconds_sum 6`,
		`version="v1"} 1`, `go_goroutines `, `process_start_time_seconds `,
	} {
		if !strings.Contains(body, line) {
			t.Errorf("the scrape lacks %s", line)
		}
	}
}

// TestCountersBegin wants rare things to be at 0 before they happen: a rate knows no first step from nothing to 1.
func TestCountersBegin(t *testing.T) {
	t.Parallel()
	m := NewMetrics("v1")
	m.Heard("readings")
	_, body := get(t, serve(t, NewHealth(nil), m), "/metrics")
	for _, line := range []string{
		`penstock_dead_letters_total{pipeline="readings"} 0`, `penstock_chunks_total{outcome="dead",pipeline="readings"} 0`,
		`penstock_jobs_total{outcome="failed",pipeline="readings"} 0`,
	} {
		if !strings.Contains(body, line) {
			t.Errorf("the scrape lacks %s", line)
		}
	}
}

// TestPipelinesAreBounded loads by more pipelines than there may be labels.
func TestPipelinesAreBounded(t *testing.T) {
	t.Parallel()
	m := NewMetrics("v1")
	for i := range 2 * maxPipelines {
		m.Wrote(fmt.Sprint("p", i), 1, 1)
		m.Wrote("p0", 1, 1)
	}
	if n := testutil.CollectAndCount(m.rows); n != maxPipelines+1 {
		t.Errorf("found %d series, expected %d and one for all others", n, maxPipelines)
	}
	if n := testutil.ToFloat64(m.rows.WithLabelValues("other")); n != maxPipelines {
		t.Errorf("found %v rows of others, expected %d", n, maxPipelines)
	}
	if n := testutil.ToFloat64(m.rows.WithLabelValues("p0")); n != 2*maxPipelines+1 {
		t.Errorf("found %v rows of the first", n)
	}
}

// TestBatchesAreCountedForFree keeps what is called once a batch from allocating.
func TestBatchesAreCountedForFree(t *testing.T) {
	m := full()
	if n := testing.AllocsPerRun(100, func() {
		m.Batch(50, time.Millisecond)
		m.Wrote("readings", 50, 5000)
	}); n > 0 {
		t.Errorf("found %v allocations", n)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	start := time.Unix(1e9, 0)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	type step struct {
		seconds int
		s       Standing
		want    float64
	}
	lag := func(chunks, bytes, settled, through int64) Standing {
		return Standing{LagChunks: chunks, LagBytes: bytes, Settled: settled, SettledBytes: through}
	}
	for name, steps := range map[string][]step{
		"nothing to do":              {{0, lag(0, 0, 0, 0), 0}, {5, lag(0, 0, 9, 90), 0}},
		"nothing moves":              {{0, lag(9, 90, 5, 50), math.Inf(1)}, {5, lag(9, 90, 5, 50), math.Inf(1)}},
		"by bytes":                   {{0, lag(9, 900, 0, 0), math.Inf(1)}, {10, lag(8, 800, 1, 100), 80}},
		"by chunks, as no bytes are": {{0, lag(9, 0, 0, 0), math.Inf(1)}, {10, lag(8, 0, 1, 0), 80}},
		"the last minute alone": {
			{0, lag(9, 900, 0, 0), math.Inf(1)}, {100, lag(8, 800, 1, 100), math.Inf(1)},
			{110, lag(6, 600, 3, 300), 30},
		},
		"after the lead was lost": {
			{0, lag(9, 900, 50, 5000), math.Inf(1)}, {10, lag(9, 900, 0, 0), math.Inf(1)}, {20, lag(8, 800, 1, 100), 80},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var d drain
			for i, s := range steps {
				d.note(at(s.seconds), s.s)
				if got := d.seconds(at(s.seconds), s.s); got != s.want {
					t.Errorf("step %d: found %v seconds, expected %v", i, got, s.want)
				}
			}
		})
	}
	var d drain
	for i := range 10 * drainSamples {
		d.note(at(0).Add(time.Duration(i)*time.Millisecond), Standing{})
	}
	if len(d.samples) > 2*drainSamples+1 {
		t.Errorf("%d samples are kept", len(d.samples))
	}
}

// TestDispatchingSamples runs the sampler as a process does.
func TestDispatchingSamples(t *testing.T) {
	t.Parallel()
	m := NewMetrics("v1")
	s := serve(t, NewHealth(nil), m)
	asked := make(chan struct{}, 1)
	s.Go(m.Dispatching(func() Standing {
		select {
		case asked <- struct{}{}:
		default:
		}
		return Standing{}
	}))
	<-asked
}

func TestBodiesAreJSON(t *testing.T) {
	t.Parallel()
	h := NewHealth(nil, "s3")
	h.Note("s3", errors.New(`a "quoted" word & <more>`))
	_, body := get(t, serve(t, h, NewMetrics("v1")), "/readyz")
	var r readiness
	must(t, json.Unmarshal([]byte(body), &r))
	if r.Dependencies[0].Error != `a "quoted" word & <more>` {
		t.Errorf("found %s", body)
	}
}
