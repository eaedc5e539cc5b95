package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

// newHome is an installation with everything embedded: a data folder and nothing else.
func newHome(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, binary: testenv.Penstock(t), dir: t.TempDir(), keyspace: "lab"}
	l.db = l.dir + "/penstock-data/penstock.db"
	l.env = append(cleanEnv(), "PENSTOCK_RECONCILE=1s")
	return l
}

// TestUp attaches other commands to a `penstock up` of the same data folder.
func TestUp(t *testing.T) {
	t.Parallel()
	l := newHome(t)
	up := l.start("up", "--workers", "0")
	up.says("penstock is up")

	second := l.run("up")
	if second.code != 1 || !strings.Contains(second.errOut, "is in use by another penstock") {
		t.Errorf("a second up: exit %d\n%s", second.code, second.errOut)
	}

	pipeline, source := l.file("small.yaml", smallPipeline), l.file("a.csv", "id,n\na,1\nb,2\n")
	l.ok("apply", pipeline)
	cancelled := strings.TrimSpace(l.ok("submit", "small", source))
	watching := l.start("status", "--watch", cancelled)
	watching.says(string(contracts.EventPlanned))
	if got := l.ok("jobs"); !strings.Contains(got, cancelled) || !strings.Contains(got, string(contracts.StateRunning)) {
		t.Errorf("jobs while nobody works:\n%s", got)
	}
	l.ok("cancel", cancelled)
	if r := watching.end(); r.code != 1 || !strings.Contains(r.out, "cancelled") {
		t.Errorf("status --watch of the cancelled job: exit %d\n%s%s", r.code, r.out, r.errOut)
	}
	if r := l.run("cancel", cancelled); r.code != 1 || !strings.Contains(r.errOut, "is over: cancelled") {
		t.Errorf("a second cancel: exit %d\n%s", r.code, r.errOut)
	}

	l.start("worker").says("ready")
	report := l.report(l.run("load", "--output", "json", pipeline, source), 0)
	if report.Records.Written != 2 || report.Objects.Loaded != 1 {
		t.Errorf("load: report %+v", report)
	}
	if got, want := l.query("SELECT id, n FROM small ORDER BY id"), []string{"a|1", "b|2"}; !slices.Equal(got, want) {
		t.Errorf("table %q, expected %q", got, want)
	}
	var jobs []contracts.Report
	l.must(json.Unmarshal([]byte(l.ok("jobs", "--output", "json")), &jobs))
	if len(jobs) != 2 || string(jobs[0].Job) != cancelled || jobs[0].State != contracts.StateCancelled ||
		jobs[1].State != contracts.StateDone {
		t.Errorf("jobs %+v, expected the cancelled one and the loaded one", jobs)
	}

	up.Signal(syscall.SIGTERM)
	if r := up.end(); r.code != 0 {
		t.Errorf("up after SIGTERM: exit %d\n%s", r.code, r.errOut)
	}
	again := l.report(l.run("load", "--output", "json", "--force", pipeline, source), 0)
	if again.Records.Written != 2 {
		t.Errorf("load on the folder that up has left: report %+v", again)
	}
}

// TestUpOnANATSOfItsOwn attaches commands that name the same NATS as the `up` and no S3: that is embedded there,
// whatever is configured for another one. NATS wants a password.
func TestUpOnANATSOfItsOwn(t *testing.T) {
	t.Parallel()
	l := newHome(t)
	queue := testenv.StartNATS(t, `authorization { users = [ { user: loader, password: "tide-pool-secret" } ] }`)
	l.env = append(l.env, "PENSTOCK_NATS_URL="+queue.URL, "PENSTOCK_NATS_USER=loader",
		"PENSTOCK_NATS_PASSWORD=tide-pool-secret", "PENSTOCK_S3_ACCESS_KEY=a/b", "PENSTOCK_S3_SECRET_KEY=c",
		"PENSTOCK_S3_SESSION_TOKEN=d", "PENSTOCK_S3_REGION=eu-central-1", "PENSTOCK_S3_STYLE=host")
	up := l.start("up")
	up.says("penstock is up")
	var at struct{ S3 string }
	l.readJSON("penstock-data/up.json", &at)
	up.says("S3 " + at.S3 + " (keys in penstock-data/credentials.json)")

	pipeline, source := l.file("small.yaml", smallPipeline), l.file("a.csv", "id,n\na,1\n")
	if r := l.report(l.run("load", "--output", "json", pipeline, source), 0); r.Records.Written != 1 {
		t.Errorf("load: report %+v", r)
	}
	other := l.run("jobs", "--nats", "nats://127.0.0.1:1")
	if other.code != 1 || !strings.Contains(other.errOut, "is in use by another penstock") {
		t.Errorf("jobs of another NATS: exit %d\n%s", other.code, other.errOut)
	}
}
