package dispatcher

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/pipeline"
)

func clock(text string) time.Time {
	at, err := time.Parse("2006-01-02 15:04:05", text)
	if err != nil {
		panic(err)
	}
	return at
}

func TestLastTick(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ schedule, last, now, want string }{
		{"*/5 * * * *", "2026-01-01 10:00:00", "2026-01-01 10:04:59", ""},
		{"*/5 * * * *", "2026-01-01 10:00:00", "2026-01-01 10:05:00", "2026-01-01 10:05:00"},
		{"*/5 * * * *", "2026-01-01 10:05:00", "2026-01-01 10:05:00", ""},
		{"*/5 * * * *", "2026-01-01 10:04:59", "2026-01-01 10:05:01", "2026-01-01 10:05:00"},
		{"*/5 * * * *", "2026-01-01 10:00:00", "2026-01-01 11:02:00", "2026-01-01 11:00:00"}, // missed ones are one
		{"0 2 * * *", "2026-03-28 12:00:00", "2026-03-30 12:00:00", "2026-03-30 02:00:00"},   // UTC has no summer
		{"30 8 * * 1", "2026-01-01 00:00:00", "2026-01-12 08:29:59", "2026-01-05 08:30:00"},
		{"0 0 29 2 *", "2026-01-01 00:00:00", "2027-12-31 00:00:00", ""},
	} {
		got, err := lastTick(c.schedule, clock(c.last), clock(c.now))
		var want time.Time
		if c.want != "" {
			want = clock(c.want)
		}
		if err != nil || !got.Equal(want) {
			t.Errorf("%s in (%s, %s]: found %v, %v, expected %v", c.schedule, c.last, c.now, got, err, want)
		}
	}
	if _, err := lastTick("every day", clock("2026-01-01 00:00:00"), clock("2026-01-01 00:00:01")); err == nil {
		t.Error("a schedule of words is understood")
	}
}

func TestUntilMinute(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"2026-01-01 10:00:00": time.Minute, "2026-01-01 10:00:59": time.Second, "2026-01-01 10:00:30": 30 * time.Second,
	} {
		if got := untilMinute(clock(text)); got != want {
			t.Errorf("%s: found %s, expected %s", text, got, want)
		}
	}
}

// The shapes are those of MinIO and of the Versity gateway, cut to what matters.
func TestNotifications(t *testing.T) {
	t.Parallel()
	record := func(event, bucket, key string) string {
		return fmt.Sprintf(`{"eventVersion":"2.0","eventName":%q,"s3":{"bucket":{"name":%q,"arn":"x"},`+
			`"object":{"key":%q,"size":3,"eTag":"e"}}}`, event, bucket, key)
	}
	for name, c := range map[string]struct {
		data string
		want []arrival
	}{
		"minio": {`{"EventName":"s3:ObjectCreated:Put","Key":"landing/a/b.csv","Records":[` +
			record("s3:ObjectCreated:Put", "landing", "a%2Fb+c.csv") + `]}`,
			[]arrival{{"landing", []string{"a/b c.csv", "a%2Fb+c.csv"}}}},
		"versity": {`{"Records":[` + record("s3:ObjectCreated:CompleteMultipartUpload", "landing", "a/b.csv") + `]}`,
			[]arrival{{"landing", []string{"a/b.csv"}}}},
		"without the prefix of AWS": {`{"Records":[` + record("ObjectCreated:Copy", "landing", "100%.csv") + `]}`,
			[]arrival{{"landing", []string{"100%.csv"}}}}, // no query escape
		"two": {`{"Records":[` + record("ObjectCreated:Put", "a", "1") + `,` + record("ObjectCreated:Put", "b", "2") + `]}`,
			[]arrival{{"a", []string{"1"}}, {"b", []string{"2"}}}},
		"deletion":   {`{"Records":[` + record("s3:ObjectRemoved:Delete", "landing", "a") + `]}`, nil},
		"test event": {`{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"landing"}`, nil},
		"without keys": {`{"Records":[` + record("ObjectCreated:Put", "", "a") + `,` + record("ObjectCreated:Put", "b", "") +
			`]}`, nil},
		"nothing": {`{}`, nil},
	} {
		got, err := parseNotification([]byte(c.data))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: found %v, %v, expected %v", name, got, err, c.want)
		}
	}
	for _, data := range []string{"", "hello", `{"Records":{}}`} {
		_, err := parseNotification([]byte(data))
		expectKind(t, err, contracts.KindInput)
	}
}

// many are several pipelines by name.
type many map[string]*pipeline.Compiled

func (m many) Compiled(_ context.Context, name, _ string) (*pipeline.Compiled, error) {
	if m[name] == nil {
		return nil, contracts.Errorf(contracts.KindConfig, "pipeline %s does not compile", name)
	}
	return m[name], nil
}

func (m many) Prepare(context.Context, *pipeline.Compiled) error { return nil }

// watcher is a dispatcher of pipelines that are applied: names and triggers. A trigger of "" does not compile.
func watcher(l *lab, triggers map[string]string) *Dispatcher {
	l.t.Helper()
	all := many{}
	for name, on := range triggers {
		must(l.t, l.store.SetCurrent(l.t.Context(), name, "r1"))
		if on != "" {
			spec := "name: " + name + csvSpec[len("\nname: p"):] + "on: " + on + "\n"
			all[name] = compiled(l.t, spec)
		}
	}
	d := l.dispatcher()
	d.pipelines = all
	return d
}

// submitted are the jobs of the store: pipeline, trigger and sources.
func (l *lab) submitted() (all []string) {
	l.t.Helper()
	for id, err := range l.store.Jobs(l.t.Context()) {
		must(l.t, err)
		j, err := l.store.Job(l.t.Context(), id)
		must(l.t, err)
		all = append(all, fmt.Sprintf("%s %s %s", j.Pipeline, j.Trigger, j.Source))
	}
	slices.Sort(all)
	return all
}

// exactly is the source of the one object of that key.
func (l *lab) exactly(key string) string {
	return exactSource(contracts.Object{Bucket: l.bucket, Key: key})
}

func (l *lab) expectSubmitted(want ...string) {
	l.t.Helper()
	slices.Sort(want)
	if got := l.submitted(); !slices.Equal(got, want) {
		l.t.Errorf("found %q, expected %q", got, want)
	}
}

func TestArrivals(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	d := watcher(l, map[string]string{
		"all":       "{bucket: " + l.bucket + "}",
		"some":      "{bucket: " + l.bucket + ", prefix: in/, suffix: .csv}",
		"scheduled": "{bucket: " + l.bucket + `, schedule: "*/5 * * * *"}`,
		"elsewhere": "{bucket: elsewhere}",
		"broken":    "",
	})
	l.put("in/a+b*.csv", numbered(1))
	l.put("in/a b*.csv", numbered(1))
	notify := func(key string) {
		t.Helper()
		must(t, d.heed(t.Context(), []byte(`{"Records":[{"eventName":"s3:ObjectCreated:Put","s3":{"bucket":{"name":"`+
			l.bucket+`"},"object":{"key":"`+key+`"}}}]}`)))
	}
	notify("in/gone.csv")
	notify("in/") // a folder
	l.expectSubmitted()
	notify("in/a+b*.csv")       // the key as it is, or that of the other object escaped: both are there
	notify("in%2Fa%2Bb%2A.csv") // again, escaped
	plus, blank := "["+l.exactly("in/a+b*.csv")+"]", "["+l.exactly("in/a b*.csv")+"]"
	l.expectSubmitted("all bucket "+plus, "some bucket "+plus, "all bucket "+blank, "some bucket "+blank)
}

func TestLoadedObjectIsNoArrival(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	d := watcher(l, map[string]string{"all": "{bucket: " + l.bucket + "}"})
	l.put("a", numbered(1))
	o, err := client.Stat(t.Context(), l.bucket, "a")
	must(t, err)
	must(t, l.store.AddLedger(t.Context(), "all", "j0", o, time.Now()))
	for _, c := range d.mustTriggered(t) {
		must(t, d.heedArrival(t.Context(), arrival{l.bucket, []string{"a"}}, c))
	}
	l.expectSubmitted()
}

func (d *Dispatcher) mustTriggered(t *testing.T) []*pipeline.Compiled {
	t.Helper()
	all, err := d.triggered(t.Context())
	must(t, err)
	return all
}

// TestWatchedBuckets: the listing finds what no notification told of, once, and makes the same job as one would.
func TestWatchedBuckets(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	d := watcher(l, map[string]string{
		"broken": "", "gone": "{bucket: " + l.bucket + "-gone}", "some": "{bucket: " + l.bucket + ", prefix: in/}",
	})
	l.put("in/a", numbered(1))
	l.put("in/b", numbered(1))
	l.put("out/c", numbered(1))
	pipelines := d.mustTriggered(t)
	for _, c := range pipelines {
		must(t, d.heedArrival(t.Context(), arrival{l.bucket, []string{"in/a"}}, c))
	}
	must(t, d.listWatched(t.Context(), pipelines))
	must(t, d.listWatched(t.Context(), pipelines))
	l.expectSubmitted("some bucket ["+l.exactly("in/a")+"]", "some bucket ["+l.exactly("in/b")+"]")
}

// TestTicks: one job for each tick at which there is something new, whichever dispatcher heeds it. A pipeline whose
// bucket is gone holds nobody up.
func TestTicks(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	triggers := map[string]string{
		"a-gone":  "{bucket: " + l.bucket + `-gone, schedule: "*/5 * * * *"}`,
		"b-daily": "{bucket: " + l.bucket + `, schedule: "0 0 * * *"}`,
		"c-often": "{bucket: " + l.bucket + `, prefix: "in/*", suffix: .csv, schedule: "*/5 * * * *"}`,
		"d-push":  "{bucket: " + l.bucket + "}",
	}
	d, other := watcher(l, triggers), watcher(l, triggers)
	tick := func(d *Dispatcher, last, now string) {
		t.Helper()
		must(t, d.tickAll(t.Context(), d.mustTriggered(t), clock(last), clock(now)))
	}
	tick(d, "2026-01-01 10:00:00", "2026-01-01 10:05:00")
	l.expectSubmitted() // nothing there
	l.put("in/*1.csv", numbered(1))
	l.put("in/other.csv", numbered(1))
	tick(d, "2026-01-01 10:05:00", "2026-01-01 10:06:00")
	l.expectSubmitted() // not due
	tick(d, "2026-01-01 10:06:00", "2026-01-01 10:11:00")
	tick(other, "2026-01-01 10:00:30", "2026-01-01 10:14:00")
	job := "c-often schedule [s3://" + l.bucket + `/in/\***.csv]`
	l.expectSubmitted(job)
	o, err := client.Stat(t.Context(), l.bucket, "in/*1.csv")
	must(t, err)
	must(t, l.store.AddLedger(t.Context(), "c-often", "j0", o, time.Now()))
	tick(d, "2026-01-01 10:11:00", "2026-01-01 10:15:00")
	l.expectSubmitted(job) // nothing new
	l.put("in/*2.csv", numbered(1))
	tick(d, "2026-01-01 10:15:00", "2026-01-01 10:20:00")
	l.expectSubmitted(job, job)
}

// TestTriggersWaitForTheTarget: what cannot be compiled for now is not passed over.
func TestTriggersWaitForTheTarget(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	must(t, l.store.SetCurrent(t.Context(), "p", "r1"))
	l.pipelines.compile = func() error { return contracts.Errorf(contracts.KindUnavailable, "no host answers") }
	_, err := l.dispatcher().triggered(t.Context())
	expectKind(t, err, contracts.KindUnavailable)
}

// TestScheduleRuns drives the loop itself with a clock of the test's: each look at it is twenty seconds later.
func TestScheduleRuns(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	l.put("a", numbered(3))
	var looks atomic.Int64
	l.cfg.Reconcile = time.Millisecond
	l.cfg.Now = func() time.Time {
		return clock("2026-01-01 10:00:30").Add(time.Duration(looks.Add(1)) * 20 * time.Second)
	}
	l.pipelines.c = compiled(t, csvSpec+"on: {bucket: "+l.bucket+`, schedule: "*/5 * * * *"}`+"\n")
	must(t, l.store.SetCurrent(t.Context(), "p", "r1"))
	l.run()
	l.work()
	var id contracts.JobID
	l.queue.wait(t.Context(), func() bool {
		for _, e := range l.queue.events {
			if e.Kind == contracts.EventAccepted {
				id = e.Job
			}
		}
		return id != ""
	})
	expectReport(t, l.report(id), contracts.StateDone, 3, totals(1, 1, 0, 0))
}
