package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/nats-io/nats.go"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

// guarded is a nats-server with the authorization that Penstock ships; passwords are in its environment.
func guarded(t *testing.T) *testenv.NATSServer {
	t.Helper()
	for _, role := range []string{"DISPATCHER", "WORKER", "SUBMITTER"} {
		t.Setenv("NATS_"+role+"_PASSWORD", password(strings.ToLower(role)))
	}
	conf, err := os.ReadFile("../../manifests/components/nats/authorization.conf")
	if err != nil {
		t.Fatal(err)
	}
	return testenv.StartNATS(t, string(conf))
}

func password(role string) string { return "secret-of-" + role }

// dialRole connects as a role's user.
func dialRole(t *testing.T, url, role string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, nats.UserInfo(role, password(role)), nats.CustomInboxPrefix("_INBOX."+role),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// TestNATSRoles has each role do all of its work as its own user of a real nats-server, and then tries what is not its
// work. It is not parallel, as the server takes the passwords from the environment.
func TestNATSRoles(t *testing.T) {
	server := guarded(t)
	t.Run("their work", func(t *testing.T) { workAsRoles(t, server) })
	t.Run("nothing else", func(t *testing.T) { tryOtherWork(t, server.URL) })
}

// as is the lab as a role's user sees it.
func (l *lab) as(role string) *lab {
	other := *l
	other.env = append(slices.Clone(l.env), "PENSTOCK_NATS_USER="+role, "PENSTOCK_NATS_PASSWORD="+password(role))
	return &other
}

func workAsRoles(t *testing.T, server *testenv.NATSServer) {
	address := "nats://dispatcher:" + password("dispatcher") + "@" + strings.TrimPrefix(server.URL, "nats://")
	l := newLabAt(t, site{"", address, testenv.S3(t)},
		"PENSTOCK_NATS_URL="+server.URL, "PENSTOCK_NATS_PREFIX=penstock", "PENSTOCK_RECONCILE=1s")
	submitter := l.as("submitter")
	counted := strings.Replace(fmt.Sprintf(countedPipeline, l.keyspace), ", csv: {quoted_newlines: false}", "", 1)
	pipeline := l.file("counted.yaml", counted+"write: {budget: {rows: 100000}}\n")
	source := l.putText("a.csv", countedFile())

	if r := submitter.run("submit", pipeline, source); r.code != 1 ||
		!strings.Contains(r.errOut, `Permissions Violation for Publish to "$JS.API.STREAM.INFO.JOBS"`) {
		t.Errorf("before a dispatcher came: exit %d, %q", r.code, r.errOut)
	}
	worker, probe := l.as("worker").watch("worker", "--workers", "2")
	probe.await("/readyz", func(_ int, body string) bool { return strings.Contains(body, "start a dispatcher") })
	dispatcher := l.as("dispatcher").start("dispatcher")
	dispatcher.says("msg=leading")
	probe.ready()

	submit := []string{"submit", "--wait", "--output", "json", "--chunk-size", "512", pipeline, source}
	r := l.report(submitter.run(submit...), 3)
	if r.Records.Read != 1000 || r.Chunks.Done < 10 {
		t.Errorf("found %+v", r)
	}
	if s := submitter.run("status", "--watch", string(r.Job)); s.code != 0 && s.code != 3 {
		t.Errorf("status: exit %d, %q", s.code, s.errOut)
	}
	stopAsSubmitter(l, submitter)
	lost := failAsWorker(l, submitter)
	mendAsDispatcher(l, pipeline, r.Job, lost)
	for _, role := range []*role{worker, dispatcher} {
		if log := role.log.text(); strings.Contains(log, "ermission") {
			t.Errorf("%s lacked a permission:\n%s", role.name, log)
		}
	}
	for role, code := range map[string]int{"dispatcher": 0, "worker": 0, "submitter": 0} {
		d := l.as(role).run("doctor", "--role", role)
		if d.code != code || !strings.Contains(d.out, "needs: subscribe _INBOX."+role+".>") {
			t.Errorf("doctor --role %s: exit %d\n%s%s", role, d.code, d.out, d.errOut)
		}
	}
	wrong := l.as("worker").run("doctor")
	for _, text := range []string{
		"FAIL  nats", `Permissions Violation for Publish to "$JS.API.STREAM.INFO.JOBS"`,
		"what the role dispatcher needs", "penstock doctor --role ROLE", "needs: publish $JS.API.STREAM.CREATE.CHUNKS",
	} {
		if wrong.code != 1 || !strings.Contains(wrong.out, text) {
			t.Errorf("doctor as a worker: exit %d\n%s\nexpected %q", wrong.code, wrong.out, text)
		}
	}
}

// stopAsSubmitter pauses a job, lets it go on, and cancels it; the dispatcher empties the queue of it.
func stopAsSubmitter(l, submitter *lab) {
	l.t.Helper()
	job := submitter.submitSlow("slow", l.putText("slow.csv", strings.Repeat(countedFile(), 10)))
	submitter.awaitReport(job, "it runs", func(r contracts.Report) bool { return r.State == contracts.StateRunning })
	submitter.ok("pause", job)
	submitter.awaitReport(job, "it rests", func(r contracts.Report) bool { return r.State == contracts.StatePaused })
	submitter.ok("resume", job)
	submitter.awaitReport(job, "it goes on", func(r contracts.Report) bool { return r.State == contracts.StateRunning })
	submitter.ok("cancel", job)
	submitter.awaitReport(job, "it is cancelled", func(r contracts.Report) bool {
		return r.State == contracts.StateCancelled
	})
}

// submitSlow submits a job that takes minutes, by a pipeline of that name.
func (l *lab) submitSlow(name, source string) (job string) {
	l.t.Helper()
	spec := strings.ReplaceAll(fmt.Sprintf(countedPipeline, l.keyspace), "counted", name)
	pipeline := l.file(name+".yaml", spec+"write: {budget: {rows: 10}}\n")
	return strings.TrimSpace(l.ok("submit", "--chunk-size", "512", pipeline, source))
}

// awaitReport asks for a job's report until it is wanted.
func (l *lab) awaitReport(job, what string, wanted func(contracts.Report) bool) {
	l.t.Helper()
	l.until(what, func() bool {
		var r contracts.Report
		asked := l.run("status", "--output", "json", job)
		if asked.code == 2 || strings.Contains(asked.errOut, "ermission") {
			l.t.Fatalf("exit %d, %q", asked.code, asked.errOut)
		}
		return json.Unmarshal([]byte(asked.out), &r) == nil && wanted(r)
	})
}

// until asks until the answer is yes.
func (l *lab) until(what string, yes func() bool) {
	l.t.Helper()
	limit := time.After(patience)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for !yes() {
		select {
		case <-again.C:
		case <-limit:
			l.t.Fatalf("it never came to this: %s", what)
		}
	}
}

// mendAsDispatcher does what runbooks say in a dispatcher's pod, which leaves the work to workers.
func mendAsDispatcher(l *lab, pipeline string, rejected contracts.JobID, lost string) {
	l.t.Helper()
	pod := l.as("dispatcher")
	pod.env = append(pod.env, "PENSTOCK_WORKERS=0")
	bucket := "s3://" + l.bucket
	failed := l.report(pod.run("load", "--output", "json", pipeline, bucket+"/late.csv"), 1)
	l.putText("late.csv", countedFile())
	for _, args := range [][]string{
		{"retry", string(failed.Job)},
		{"rejects", string(rejected), "--replay"},
		{"load", "--force", pipeline, bucket + "/a.csv"},
		{"submit", "--wait", "--force", pipeline, bucket + "/a.csv"},
	} {
		if r := pod.run(args...); r.code != 3 || strings.Contains(r.errOut, "ermission") {
			l.t.Errorf("%q: exit %d, expected 3: the file has rejects\n%s%s", args, r.code, r.out, r.errOut)
		}
	}
	l.putText("lost.csv", strings.Repeat(countedFile(), 10))
	replay := pod.start("dead", "replay", lost) // by a pipeline that is slow
	pod.awaitReport(lost, "it runs again", func(r contracts.Report) bool { return r.State == contracts.StateRunning })
	pod.ok("cancel", lost)
	if r := replay.end(); r.code != 1 || !strings.Contains(r.out, "cancelled") || strings.Contains(r.errOut, "ermission") {
		l.t.Errorf("dead replay: exit %d, expected 1 of a cancelled job\n%s%s", r.code, r.out, r.errOut)
	}
}

// failAsWorker has a worker bury chunks, and the dispatcher refuse a message.
func failAsWorker(l, submitter *lab) (job string) {
	l.t.Helper()
	object := l.putText("lost.csv", strings.Repeat(countedFile(), 10))
	job = submitter.submitSlow("lost", object)
	submitter.awaitReport(job, "it runs", func(r contracts.Report) bool { return r.Chunks.Total > 0 })
	l.must(l.s3.RemoveObject(l.t.Context(), l.bucket, "lost.csv", minio.RemoveObjectOptions{}))
	submitter.awaitReport(job, "chunks are dead", func(r contracts.Report) bool {
		return r.State == contracts.StateFailed && r.Chunks.Dead > 0
	})

	nc := dialRole(l.t, "nats://"+l.nats.ConnectedAddr(), "submitter")
	l.must(nc.Publish("penstock.jobs.lost", []byte("no job")))
	l.must(nc.Flush())
	l.until("a refused message is listed", func() bool {
		return strings.Contains(submitter.ok("dead", "list"), "expected a JSON object")
	})
	return job
}

// tryOtherWork tries, as each role, what is another's work or nobody's.
func tryOtherWork(t *testing.T, url string) {
	streams := []string{"JOBS", "CHUNKS", "STATUS", "DEAD", "NOTIFICATIONS", "BUDGETS"}
	nobody := []string{
		"$JS.API.STREAM.CREATE.OTHER", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.ACCOUNT.PURGE.x",
		"$JS.API.CONSUMER.DELETE.CHUNKS.workers", "$JS.API.CONSUMER.DELETE.JOBS.dispatchers",
		"$JS.API.CONSUMER.DURABLE.CREATE.CHUNKS.mine", "$JS.API.CONSUMER.CREATE.CHUNKS.mine",
		"$JS.API.CONSUMER.CREATE.CHUNKS.mine.penstock.chunks.>", "$JS.API.CONSUMER.CREATE.CHUNKS",
		"$JS.API.CONSUMER.PAUSE.CHUNKS.workers", "$JS.API.CONSUMER.UNPIN.CHUNKS.workers",
		"$JS.API.DIRECT.GET.CHUNKS", "$JS.API.STREAM.MSG.GET.CHUNKS", "$JS.API.STREAM.MSG.GET.JOBS",
		"$SYS.REQ.USER.INFO", "penstock.notifications", "penstock.dead.x", "elsewhere",
	}
	for _, s := range streams {
		nobody = append(nobody, "$JS.API.STREAM.DELETE."+s, "$JS.API.STREAM.MSG.DELETE."+s, "$JS.API.STREAM.RESTORE."+s,
			"$JS.API.STREAM.SNAPSHOT."+s, "$JS.API.STREAM.LEADER.STEPDOWN."+s)
		if s != "CHUNKS" {
			nobody = append(nobody, "$JS.API.STREAM.PURGE."+s)
		}
	}
	makes := []string{"$JS.API.STREAM.PURGE.CHUNKS", "$JS.API.CONSUMER.CREATE.CHUNKS.workers",
		"$JS.API.CONSUMER.CREATE.JOBS.dispatchers", "$JS.API.CONSUMER.MSG.NEXT.JOBS.dispatchers",
		"$JS.ACK.JOBS.dispatchers.1.1.1.1.0", "$JS.ACK.d.h.JOBS.dispatchers.1.1.1.1.0.t", "penstock.chunks.j.load.1",
		"penstock.status.j.accepted", "penstock.status.j.done", "penstock.dead.jobs"}
	for _, s := range streams {
		makes = append(makes, "$JS.API.STREAM.CREATE."+s, "$JS.API.STREAM.UPDATE."+s)
	}
	pulls := []string{"$JS.API.CONSUMER.MSG.NEXT.CHUNKS.workers", "$JS.ACK.CHUNKS.workers.1.1.1.1.0",
		"$JS.ACK.d.h.CHUNKS.workers.1.1.1.1.0.t", "penstock.dead.j.1", "penstock.budgets.readings",
		"$JS.API.STREAM.MSG.GET.BUDGETS"}
	submits := []string{"penstock.jobs.readings"}
	follows := []string{"$JS.API.CONSUMER.CREATE.STATUS.mine.penstock.status.j.>", "$JS.API.CONSUMER.MSG.NEXT.STATUS.mine"}
	for role, denied := range map[string][]string{
		"dispatcher": slices.Concat(nobody, pulls),
		"worker": slices.Concat(nobody, makes, submits, follows, []string{
			"penstock.status.j.control", "penstock.status.j.paused", "$JS.API.STREAM.INFO.CHUNKS", "$JS.API.STREAM.INFO.JOBS"}),
		"submitter": slices.Concat(nobody, makes, pulls, []string{
			"penstock.status.j.chunk_done", "$JS.API.STREAM.INFO.CHUNKS", "$JS.API.CONSUMER.INFO.CHUNKS.workers"}),
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			nc := dialRole(t, url, role)
			for _, subject := range denied {
				wantsDenied(t, nc, "Publish", subject, nc.Publish(subject, nil))
			}
			for _, subject := range foreignSubjects(role) {
				_, err := nc.SubscribeSync(subject)
				wantsDenied(t, nc, "Subscription", subject, err)
			}
			nc = dialRole(t, url, role)
			if _, err := nc.SubscribeSync("_INBOX." + role + ".mine"); err != nil || flushed(nc) != nil {
				t.Errorf("its own inbox: %v, %v", err, flushed(nc))
			}
		})
	}
}

// foreignSubjects are what a role must not hear: work, news, and what others are told.
func foreignSubjects(role string) []string {
	subjects := []string{
		">", "*", "penstock.>", "penstock.chunks.>", "penstock.jobs.>", "penstock.status.>", "$JS.>", "$JS.API.>", "$SYS.>",
		"_INBOX.>", "_INBOX.*", "_INBOX.*.>", "_INBOX.x.y",
	}
	for _, other := range []string{"dispatcher", "worker", "submitter"} {
		if other != role {
			subjects = append(subjects, "_INBOX."+other+".>", "_INBOX."+other+".x.y")
		}
	}
	return subjects
}

// flushed is what the server said until now that is an error.
func flushed(nc *nats.Conn) error {
	if err := nc.Flush(); err != nil {
		return err
	}
	return nc.LastError()
}

// wantsDenied wants the server to deny what was just sent.
func wantsDenied(t *testing.T, nc *nats.Conn, what, subject string, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	err = flushed(nc)
	want := fmt.Sprintf("Permissions Violation for %s to %q", what, subject)
	if !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s to %s: found %v, expected %s", what, subject, err, want)
	}
}
