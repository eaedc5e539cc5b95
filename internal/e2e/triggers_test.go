package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/notification"
	"github.com/nats-io/nats.go"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

const arrivalsPipeline = `
name: arrivals
source: {format: csv}
table: {keyspace: lab, name: arrivals, partition_key: [key], clustering_key: [id], create: true}
columns:
  - {name: key, type: text, from: $key}
  - {name: id, type: text}
  - {name: n, type: int}
on: {bucket: %s, prefix: in/, suffix: .csv}
`

// oddKeys are hard on whoever escapes them, or does not.
var oddKeys = []string{
	"in/plain.csv", "in/a b.csv", "in/a+b.csv", "in/50%.csv", "in/100%25.csv", "in/%41.csv", "in/ünï/ćode ✓.csv",
	"in/day=2026-01-01/x&y=z?#.csv", "in/[ab]*.csv", `in/q"'uote.csv`,
}

// TestNotificationsOfMinIO has a MinIO that publishes, with and without waiting for JetStream's word; the bucket is
// listed before objects come, and not again.
func TestNotificationsOfMinIO(t *testing.T) {
	t.Parallel()
	for name, setting := range map[string]string{"JetStream": "on", "core NATS": "off"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			notificationsOfMinIO(t, "MINIO_NOTIFY_NATS_JETSTREAM_lab="+setting)
		})
	}
}

func notificationsOfMinIO(t *testing.T, setting string) {
	queue := testenv.StartNATS(t, "")
	prefix := testenv.Name(t, "p")
	notify := []string{
		"MINIO_NOTIFY_NATS_ENABLE_lab=on", "MINIO_NOTIFY_NATS_ADDRESS_lab=" + strings.TrimPrefix(queue.URL, "nats://"),
		"MINIO_NOTIFY_NATS_SUBJECT_lab=" + prefix + ".notifications", setting,
	}
	server := testenv.StartMinIO(t, testenv.MinIOOptions{Env: notify})
	store := testenv.S3Server{URL: server.URL, AccessKey: server.AccessKey, SecretKey: server.SecretKey}
	l := newLabAt(t, site{"", queue.URL, store}, "PENSTOCK_RECONCILE=1h", "PENSTOCK_NATS_PREFIX="+prefix)
	l.prefix = prefix
	told := make(chan *nats.Msg, 1000)
	_, err := l.nats.ChanSubscribe(prefix+".notifications", told)
	l.must(err)
	l.notify("lab")

	a := watchArrivals(l)
	l.start("up").says("msg=leading")
	a.everyKey()
	for len(told) > 0 { // each notification a second time
		m := <-told
		l.must(l.nats.Publish(m.Subject, m.Data))
	}
	a.again()
}

// notify has MinIO tell a target of new objects. MinIO makes its targets ready after it answers everything else.
func (l *lab) notify(target string) {
	l.t.Helper()
	config := notification.Configuration{}
	config.AddQueue(notification.Config{
		Arn:    notification.NewArn("minio", "sqs", "", target, "nats"),
		Events: []notification.EventType{notification.ObjectCreatedAll},
	})
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	err := l.s3.SetBucketNotification(ctx, l.bucket, config)
	for err != nil && ctx.Err() == nil && strings.Contains(err.Error(), "destination ARN does not exist") {
		err = l.s3.SetBucketNotification(ctx, l.bucket, config)
	}
	l.must(err)
}

// TestNotificationsOfTheGateway puts objects into the S3 gateway of an `up`; its bucket is made beforehand.
func TestNotificationsOfTheGateway(t *testing.T) {
	t.Parallel()
	l := newHome(t)
	l.upWithLanding("penstock")
	a := watchArrivals(l)
	a.everyKey()
	a.again()
}

// TestNotificationsWhileNATSIsAway puts an object into the gateway of an `up` while its NATS, another process, is down.
func TestNotificationsWhileNATSIsAway(t *testing.T) {
	t.Parallel()
	server := testenv.StartNATS(t, "")
	l := newHome(t)
	l.env = append(l.env, "PENSTOCK_NATS_URL="+server.URL, "PENSTOCK_NATS_PREFIX=lab")
	up := l.upWithLanding("lab")
	a := watchArrivals(l)
	a.putText("in/early.csv", "id,n\na,1\n")
	a.awaitJobs(1)
	server.Kill()
	up.says("NATS is gone")
	a.putText("in/late.csv", "id,n\na,1\n")
	server.Restart()
	a.until("both objects are loaded", func() bool { return a.query("SELECT count(*) FROM arrivals")[0] == "2" })
}

// upWithLanding starts an `up` that only notifications tell of what arrives in the bucket landing, and reaches it.
func (l *lab) upWithLanding(prefix string) *role {
	l.t.Helper()
	l.env = append(l.env, "PENSTOCK_RECONCILE=1h")
	l.bucket, l.prefix = "landing", prefix
	l.must(os.MkdirAll(l.dir+"/penstock-data/s3/landing", 0o755))
	up := l.start("up")
	up.says("msg=leading")
	var at struct{ NATS, S3 string }
	l.readJSON("penstock-data/up.json", &at)
	var keys struct {
		Access string `json:"access_key"`
		Secret string `json:"secret_key"`
	}
	l.readJSON("penstock-data/credentials.json", &keys)
	l.openNATS(at.NATS)
	l.dialS3(testenv.S3Server{URL: at.S3, AccessKey: keys.Access, SecretKey: keys.Secret})
	return up
}

// TestArrivalsWithoutNotifications relies on listings alone; some objects are there before the pipeline is.
func TestArrivalsWithoutNotifications(t *testing.T) {
	t.Parallel()
	l := newFileLab(t, "PENSTOCK_RECONCILE=500ms")
	l.start("up").says("msg=leading")
	l.putText("in/early.csv", "id,n\na,1\n")
	a := watchArrivals(l)
	a.awaitJobs(1)
	l.must(l.s3.RemoveObject(t.Context(), l.bucket, "in/early.csv", minio.RemoveObjectOptions{}))
	l.putText("in/plain.csv", "id,n\na,1\n")
	a.awaitJobs(2)
	a.again()
}

// TestTwoDispatchersHearOfOneObject has two dispatchers, notifications that come twice, and listings: one job.
func TestTwoDispatchersHearOfOneObject(t *testing.T) {
	t.Parallel()
	l := newFileLab(t, "PENSTOCK_RECONCILE=200ms")
	l.start("dispatcher").says("msg=ready")
	l.start("dispatcher").says("msg=ready")
	l.start("worker", "--workers", "1").says("msg=ready")
	a := watchArrivals(l)
	for i := range 20 {
		key := fmt.Sprintf("in/%02d.csv", i)
		l.putText(key, "id,n\na,1\n")
		told := l.json(map[string]any{"Records": []any{map[string]any{
			"eventName": "s3:ObjectCreated:Put",
			"s3":        map[string]any{"bucket": map[string]any{"name": l.bucket}, "object": map[string]any{"key": key}},
		}}})
		for range 2 {
			l.must(l.nats.Publish(l.prefix+".notifications", told))
		}
	}
	a.awaitJobs(20)
	a.again()
	if got := l.query("SELECT count(*) FROM arrivals"); got[0] != "22" {
		t.Errorf("%s rows, expected 22", got[0])
	}
}

// arrivals watches a lab's bucket.
type arrivals struct {
	*lab
	events <-chan contracts.Event
	jobs   map[contracts.JobID]contracts.Report // that have ended
}

// watchArrivals applies the pipeline and follows events from before.
func watchArrivals(l *lab) *arrivals {
	l.t.Helper()
	a := &arrivals{lab: l, events: l.events("*"), jobs: map[contracts.JobID]contracts.Report{}}
	l.apply(l.file("arrivals.yaml", fmt.Sprintf(arrivalsPipeline, l.bucket)))
	return a
}

// awaitJobs waits until so many jobs in all have ended.
func (a *arrivals) awaitJobs(n int) {
	a.t.Helper()
	a.await(a.events, strconv.Itoa(n)+" jobs", func(e contracts.Event) bool {
		if e.Kind.Terminal() {
			a.jobs[e.Job] = *e.Report
		}
		return len(a.jobs) >= n
	})
}

// everyKey puts one object for each odd key and wants each loaded by one job of its own, under its own name.
func (a *arrivals) everyKey() {
	a.t.Helper()
	a.putText("elsewhere/a.csv", "id,n\nx,1\n")
	a.putText("in/a.txt", "id,n\nx,1\n")
	want := []string{}
	for _, key := range oddKeys {
		a.putText(key, "id,n\na,1\n")
		want = append(want, key+"|a|1")
	}
	a.awaitJobs(len(oddKeys))
	for id, r := range a.jobs {
		if r.State != contracts.StateDone || r.Objects != (contracts.ObjectTotals{Total: 1, Loaded: 1}) {
			a.t.Errorf("job %s: %+v", id, r)
		}
	}
	slices.Sort(want)
	if got := a.query("SELECT key, id, n FROM arrivals ORDER BY key"); !slices.Equal(got, want) {
		a.t.Errorf("table\n%q, expected\n%q", got, want)
	}
}

// again puts an object with the same content again, which loads nothing, and then with other content, which does. The
// fences are objects that are noticed after.
func (a *arrivals) again() {
	a.t.Helper()
	n := len(a.jobs)
	a.putText("in/fence 1.csv", "id,n\na,1\n")
	a.awaitJobs(n + 1)
	a.putText("in/fence 1.csv", "id,n\na,1\n")
	a.putText("in/fence 2.csv", "id,n\na,1\n")
	a.awaitJobs(n + 2)
	a.putText("in/fence 1.csv", "id,n\na,2\n")
	a.awaitJobs(n + 3)
	if got := a.query("SELECT n FROM arrivals WHERE key = 'in/fence 1.csv'"); !slices.Equal(got, []string{"2"}) {
		a.t.Errorf("found %q after new content came, expected 2", got)
	}
	var jobs []contracts.Report
	a.must(json.Unmarshal([]byte(a.ok("jobs", "--output", "json")), &jobs))
	if len(jobs) != n+3 {
		a.t.Errorf("%d jobs, expected %d: the same content is not loaded again", len(jobs), n+3)
	}
}

func (l *lab) readJSON(name string, into any) {
	l.t.Helper()
	data, err := os.ReadFile(l.dir + "/" + name)
	l.must(err)
	l.must(json.Unmarshal(data, into))
}
