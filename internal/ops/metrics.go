package ops

import (
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/penstock-io/penstock/contracts"
)

// Metrics are what a process has done and how it stands, as docs/interface.md lists them. What happens often is told
// once a batch or a chunk, never once a row. All methods are safe for concurrent use.
type Metrics struct {
	registry  *prometheus.Registry
	pipelines names

	records, rows, rejects, read, written             *prometheus.CounterVec
	chunks, deadLetters, jobs, retries                *prometheus.CounterVec
	redeliveries                                      prometheus.Counter
	chunkSeconds, batchSeconds, batchRows, jobSeconds prometheus.Histogram
}

// NewMetrics makes the metrics of one process of this version of Penstock.
func NewMetrics(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.records = m.counter("records_total",
		"Records of chunks whose outcome this process stored, by what became of them.", "pipeline", "outcome")
	m.rows = m.counter("rows_total", "Rows that the table acknowledged, those of repeated attempts included.", "pipeline")
	m.rejects = m.counter("rejects_total", "Rejected records by the rule that rejected them.", "pipeline", "rule")
	m.read = m.counter("read_bytes_total", "Bytes of source that were read for chunks with an outcome, as stored.",
		"pipeline")
	m.written = m.counter("written_bytes_total", "Bytes of the values of acknowledged rows.", "pipeline")
	m.chunks = m.counter("chunks_total", "Chunks by outcome: done, failed (to be tried again), returned to the queue "+
		"unfinished, or dead.", "pipeline", "outcome")
	m.deadLetters = m.counter("dead_letters_total", "Dead letters that were published.", "pipeline")
	m.jobs = m.counter("jobs_total", "Jobs that this dispatcher saw to their end.", "pipeline", "outcome")
	m.retries = m.counter("write_retries_total", "Batches that were sent to the table again, by why.", "reason")
	m.redeliveries = prometheus.NewCounter(prometheus.CounterOpts{Name: "penstock_redeliveries_total",
		Help: "Chunk messages that came to this worker and had been delivered before."})
	m.chunkSeconds = histogram("chunk_duration_seconds", "Time from a chunk's first byte to its last acknowledged row.",
		.05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)
	m.batchSeconds = histogram("batch_duration_seconds", "Time that the database took for a batch.",
		.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30)
	m.batchRows = histogram("batch_rows", "Rows of a batch that the database acknowledged.",
		1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
	m.jobSeconds = histogram("job_duration_seconds", "Time from a job's acceptance to its end.",
		.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 600, 1800, 3600, 14400)
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "penstock_build_info", Help: "What this process is: always 1.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()}})
	build.Set(1)
	m.registry.MustRegister(m.redeliveries, m.chunkSeconds, m.batchSeconds, m.batchRows, m.jobSeconds, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// counter makes and registers counters.
func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "penstock_" + name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func histogram(name, help string, buckets ...float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "penstock_" + name, Help: help, Buckets: buckets})
}

// gauge registers a value that is looked up at each scrape.
func (m *Metrics) gauge(name, help string, labels prometheus.Labels, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "penstock_" + name, Help: help,
		ConstLabels: labels}, value))
}

// handler answers scrapes in the text format. OpenMetrics would call penstock_jobs_total and penstock_jobs one family.
func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// Depend shows what Health knows of the dependencies.
func (m *Metrics) Depend(h *Health) {
	for _, name := range h.names {
		m.gauge("dependency_up", "Whether the last answer of a server that this process needs was a good one.",
			prometheus.Labels{"dependency": name}, func() float64 { return oneIf(h.Up(name)) })
	}
}

// Writing shows the batches that are on their way to the table, and how many may be.
func (m *Metrics) Writing(now func() (inFlight, limit int)) {
	m.gauge("write_in_flight", "Batches that are on their way to the table.", nil, func() float64 {
		n, _ := now()
		return float64(n)
	})
	m.gauge("write_concurrency_limit", "Batches that may be on their way to the table at the moment.", nil,
		func() float64 {
			_, n := now()
			return float64(n)
		})
}

// Concluded counts a chunk whose outcome this process was the first to store.
func (m *Metrics) Concluded(pipeline string, c contracts.Completion) {
	pipeline = m.label(pipeline)
	outcome := "done"
	if c.Error != nil {
		outcome = "dead"
	} else {
		m.chunkSeconds.Observe(c.Seconds)
	}
	m.chunks.WithLabelValues(pipeline, outcome).Inc()
	m.read.WithLabelValues(pipeline).Add(float64(c.Bytes))
	for outcome, n := range map[string]int64{
		"written": c.Counts.Written, "merged": c.Counts.Merged, "filtered": c.Counts.Filtered, "rejected": c.Counts.Rejected,
	} {
		m.records.WithLabelValues(pipeline, outcome).Add(float64(n))
	}
	for rule, n := range c.Rules {
		m.rejects.WithLabelValues(pipeline, string(rule)).Add(float64(n))
	}
}

// GivenBack counts a chunk that went back to the queue.
func (m *Metrics) GivenBack(pipeline string, failed bool) {
	outcome := "returned"
	if failed {
		outcome = "failed"
	}
	m.chunks.WithLabelValues(m.label(pipeline), outcome).Inc()
}

// Buried counts a chunk that a dispatcher gave up, as nobody can be asked to load it.
func (m *Metrics) Buried(pipeline string) {
	m.chunks.WithLabelValues(m.label(pipeline), "dead").Inc()
}

// Wrote counts rows that the table acknowledged.
func (m *Metrics) Wrote(pipeline string, rows, bytes int64) {
	pipeline = m.label(pipeline)
	m.rows.WithLabelValues(pipeline).Add(float64(rows))
	m.written.WithLabelValues(pipeline).Add(float64(bytes))
}

// Batch counts a batch that the database acknowledged.
func (m *Metrics) Batch(rows int, took time.Duration) {
	m.batchSeconds.Observe(took.Seconds())
	m.batchRows.Observe(float64(rows))
}

// Retry counts a batch that is sent again. Reasons are few.
func (m *Metrics) Retry(reason string) { m.retries.WithLabelValues(reason).Inc() }

// Redelivered counts a message that was delivered before.
func (m *Metrics) Redelivered() { m.redeliveries.Inc() }

// DeadLetter counts a dead letter; "" is a message of which nobody knows the pipeline.
func (m *Metrics) DeadLetter(pipeline string) {
	m.deadLetters.WithLabelValues(m.label(pipeline)).Inc()
}

// JobEnded counts a job that came to its end.
func (m *Metrics) JobEnded(r contracts.Report) {
	outcome := "loaded"
	switch r.State {
	case contracts.StateFailed, contracts.StateCancelled:
		outcome = string(r.State)
	}
	m.jobs.WithLabelValues(m.label(r.Pipeline), outcome).Inc()
	m.jobSeconds.Observe(max(0, r.Seconds))
}

// Heard tells of a pipeline that has work: its counters begin.
func (m *Metrics) Heard(pipeline string) { m.label(pipeline) }

// label is how metrics call a pipeline. What is rare begins at 0 when the pipeline is first heard of: of a counter that
// begins at 1 no rate and no increase knows the first step.
func (m *Metrics) label(pipeline string) string {
	label, known := m.pipelines.of(pipeline)
	if known {
		return label
	}
	m.deadLetters.WithLabelValues(label)
	for _, outcome := range []string{"done", "failed", "returned", "dead"} {
		m.chunks.WithLabelValues(label, outcome)
	}
	for _, outcome := range []string{"loaded", "failed", "cancelled"} {
		m.jobs.WithLabelValues(label, outcome)
	}
	return label
}

// maxPipelines bounds the values of the label pipeline: those that come later are "other".
const maxPipelines = 200

// names are the pipelines that have a label of their own. The zero value knows none.
type names struct {
	mu    sync.Mutex
	known map[string]bool
}

// of gives a pipeline's label, and whether it was given before.
func (n *names) of(pipeline string) (label string, known bool) {
	if pipeline == "" {
		return "unknown", true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known[pipeline] {
		return pipeline, true
	}
	if len(n.known) >= maxPipelines {
		return "other", true
	}
	if n.known == nil {
		n.known = map[string]bool{}
	}
	n.known[pipeline] = true
	return pipeline, false
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
