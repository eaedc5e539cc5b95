package penstock

import (
	"errors"
	"time"

	"go.k6.io/k6/metrics"
)

// meters are the module's metrics. All virtual users share those of one registry.
type meters struct {
	jobs, rows, rejects, bytes            *metrics.Metric
	failures                              *metrics.Metric // rate
	publish, job, upload                  *metrics.Metric // milliseconds
	redeliveries, failedAttempts, rowRate *metrics.Metric // of the whole test
}

func newMeters(r *metrics.Registry) (*meters, error) {
	m := &meters{}
	var errs []error
	add := func(to **metrics.Metric, name string, kind metrics.MetricType, unit ...metrics.ValueType) {
		var err error
		*to, err = r.NewMetric(name, kind, unit...)
		errs = append(errs, err)
	}
	add(&m.jobs, "penstock_jobs", metrics.Counter)
	add(&m.rows, "penstock_rows", metrics.Counter)
	add(&m.rejects, "penstock_rejects", metrics.Counter)
	add(&m.bytes, "penstock_bytes", metrics.Counter, metrics.Data)
	add(&m.failures, "penstock_job_failures", metrics.Rate)
	add(&m.publish, "penstock_publish_duration", metrics.Trend, metrics.Time)
	add(&m.job, "penstock_job_duration", metrics.Trend, metrics.Time)
	add(&m.upload, "penstock_upload_duration", metrics.Trend, metrics.Time)
	add(&m.redeliveries, "penstock_redeliveries", metrics.Counter)
	add(&m.failedAttempts, "penstock_failed_attempts", metrics.Counter)
	add(&m.rowRate, "penstock_rows_per_second", metrics.Gauge)
	return m, errors.Join(errs...)
}

// measure counts one job. One that did not end has no duration: its failure counts.
func (i *instance) measure(l Loaded, err error) {
	m := i.meters
	i.push(m.jobs, 1)
	i.push(m.failures, metrics.B(err != nil))
	if l.Published > 0 {
		i.push(m.publish, milliseconds(l.Published))
	}
	if l.Took > 0 {
		i.push(m.job, milliseconds(l.Took))
	}
	i.push(m.rows, float64(l.Report.Records.Written))
	i.push(m.rejects, float64(l.Report.Records.Rejected))
	i.push(m.bytes, float64(l.Report.Bytes))
}

func (i *instance) push(m *metrics.Metric, value float64) {
	state := i.vu.State()
	tags := state.Tags.GetCurrentValues()
	metrics.PushIfNotDone(i.vu.Context(), state.Samples, metrics.Sample{
		TimeSeries: metrics.TimeSeries{Metric: m, Tags: tags.Tags}, Time: time.Now(), Value: value, Metadata: tags.Metadata,
	})
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
