package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

var listening = regexp.MustCompile(`msg="?listening for probes and scrapes"? addr=(\S+)`)

// watch is start for a role that answers probes; it gives where.
func (l *lab) watch(args ...string) (*role, probe) {
	l.t.Helper()
	r := l.start(append(args, "--listen", "127.0.0.1:0")...)
	r.says("listening for probes")
	r.says("addr=127.0.0.1:")
	addr := listening.FindStringSubmatch(r.log.text())
	if addr == nil {
		l.t.Fatalf("no address in %q", r.log.text())
	}
	return r, probe{l.t, "http://" + addr[1]}
}

// probe asks a role's process, as a kubelet and Prometheus do.
type probe struct {
	t   *testing.T
	url string
}

func (p probe) get(path string) (code int, body string, err error) {
	r, err := http.Get(p.url + path)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	return r.StatusCode, strings.TrimSpace(string(data)), err
}

// await asks until the answer is wanted.
func (p probe) await(path string, wanted func(code int, body string) bool) {
	p.t.Helper()
	limit := time.After(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		code, body, err := p.get(path)
		if err == nil && wanted(code, body) {
			return
		}
		select {
		case <-again.C:
		case <-limit:
			p.t.Fatalf("%s: found %d %s, %v to the end", path, code, body, err)
		}
	}
}

func (p probe) ready() {
	p.t.Helper()
	p.await("/readyz", func(code int, _ string) bool { return code == 200 })
}

// scrape gives each series that a process shows.
func (p probe) scrape() map[string]float64 {
	p.t.Helper()
	code, body, err := p.get("/metrics")
	if err != nil || code != 200 {
		p.t.Fatalf("/metrics: %d, %v", code, err)
	}
	series := map[string]float64{}
	for line := range strings.Lines(body) {
		at := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || at < 0 {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
		if err != nil {
			p.t.Fatalf("%q: %v", line, err)
		}
		series[line[:at]] = v
	}
	return series
}

// shows waits until a process shows these numbers.
func (p probe) shows(want map[string]float64) {
	p.t.Helper()
	var wrong []string
	limit := time.Now().Add(patience)
	for again := time.NewTicker(50 * time.Millisecond); ; <-again.C {
		wrong = wrong[:0]
		found := p.scrape()
		for name, v := range want {
			if got, there := found[name]; got != v || !there {
				wrong = append(wrong, fmt.Sprintf("%s: found %v, %t, expected %v", name, got, there, v))
			}
		}
		if len(wrong) == 0 {
			return
		}
		if time.Now().After(limit) {
			p.t.Fatal(strings.Join(wrong, "\n"))
		}
	}
}

const countedPipeline = `
name: counted
source: {format: csv, csv: {quoted_newlines: false}}
table: {keyspace: %s, name: counted, partition_key: [id], create: true}
columns: [{name: id, type: text}, {name: n, type: int}]
where: n != 'skip'
`

// countedFile has, of 1,000 records, a tenth each that are filtered, no number, out of range, and of a key before.
func countedFile() string {
	var b strings.Builder
	b.WriteString("id,n\n")
	for i := range 100 {
		fmt.Fprintf(&b, "a%d,skip\nb%d,x\nc%d,9999999999\nd%d,1\nd%d,2\n", i, i, i, i, i)
		for j := range 5 {
			fmt.Fprintf(&b, "e%d,%d\n", 5*i+j, j)
		}
	}
	return b.String()
}

// TestScrapesEqualTheReport loads a file in many chunks, then one that is gone when its chunks come up: the figures of
// the processes are those of the reports.
func TestScrapesEqualTheReport(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T, ...string) *lab{"Cassandra": newLab, "SQLite": newFileLab} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scrapeLoads(open(t))
		})
	}
}

func scrapeLoads(l *lab) {
	l.apply(l.file("counted.yaml", fmt.Sprintf(countedPipeline, l.keyspace)))
	dispatcher, dispatches := l.watch("dispatcher")
	dispatcher.says("msg=leading")
	dispatches.ready()
	events := l.events("*")
	works := scrapeDead(l, events, dispatches)
	works.ready()
	source := l.putText("a.csv", countedFile())
	l.publish("counted", l.json(map[string]any{"id": "j1", "source": []string{source}, "chunk_size": 512}))
	r := l.awaitEnd(events, "j1")
	if r.State != contracts.StateDoneRejects || r.Chunks.Total < 10 || r.Records.Merged == 0 ||
		len(r.Rejects.ByRule) != 2 {
		l.t.Fatalf("found %+v", r)
	}
	of := func(metric, labels string) string { return "penstock_" + metric + "{" + labels + "}" }
	want := map[string]float64{
		of("rows_total", `pipeline="counted"`):                  float64(r.Records.Written),
		of("read_bytes_total", `pipeline="counted"`):            float64(r.Bytes),
		of("chunks_total", `outcome="done",pipeline="counted"`): float64(r.Chunks.Done),
		"penstock_chunk_duration_seconds_count":                 float64(r.Chunks.Done),
		"penstock_batch_rows_sum":                               float64(r.Records.Written),
		"penstock_redeliveries_total":                           0,
		of("dependency_up", `dependency="nats"`):                1,
		of("dependency_up", `dependency="s3"`):                  1,
		of("dependency_up", `dependency="table"`):               1,
	}
	for outcome, n := range map[string]int64{
		"written": r.Records.Written, "merged": r.Records.Merged, "filtered": r.Records.Filtered,
		"rejected": r.Records.Rejected,
	} {
		want[of("records_total", `outcome="`+outcome+`",pipeline="counted"`)] = float64(n)
	}
	for rule, n := range r.Rejects.ByRule {
		want[of("rejects_total", `pipeline="counted",rule="`+string(rule)+`"`)] = float64(n)
	}
	works.shows(want)
	found := works.scrape()
	if found[of("written_bytes_total", `pipeline="counted"`)] < float64(6*r.Records.Written) ||
		found["penstock_batch_duration_seconds_count"] == 0 || found["penstock_write_in_flight"] != 0 ||
		(found["penstock_write_concurrency_limit"] > 0) != (l.cql != nil) {
		l.t.Errorf("found %v", found)
	}
	dispatches.shows(map[string]float64{
		of("jobs_total", `outcome="loaded",pipeline="counted"`): 1, "penstock_job_duration_seconds_count": 2,
		"penstock_leader": 1, "penstock_lag_chunks": 0, "penstock_lag_bytes": 0, "penstock_drain_seconds": 0,
		of("jobs", `state="running"`): 0, of("jobs", `state="accepted"`): 0, of("jobs", `state="paused"`): 0,
	})
}

// scrapeDead plans an object that is gone before a worker comes, which it starts: until then all of it is lag.
func scrapeDead(l *lab, events <-chan contracts.Event, dispatches probe) (works probe) {
	l.t.Helper()
	l.apply(l.file("lost.yaml", strings.ReplaceAll(fmt.Sprintf(countedPipeline, l.keyspace), "counted", "lost")))
	gone := l.putText("gone.csv", countedFile())
	l.publish("lost", l.json(map[string]any{"id": "j0", "source": []string{gone}, "chunk_size": 512}))
	planned := l.await(events, "a plan", func(e contracts.Event) bool { return e.Kind == contracts.EventPlanned })
	dispatches.shows(map[string]float64{
		"penstock_leader": 1, "penstock_lag_chunks": float64(planned.Plan.Chunks), "penstock_drain_seconds": math.Inf(1),
		"penstock_lag_bytes": float64(planned.Plan.Bytes), `penstock_jobs{state="running"}`: 1,
		`penstock_jobs_total{outcome="failed",pipeline="lost"}`: 0, // before it happens, for rates
	})
	l.must(l.s3.RemoveObject(l.t.Context(), l.bucket, "gone.csv", minio.RemoveObjectOptions{}))
	_, works = l.watch("worker", "--workers", "2")
	r := l.awaitEnd(events, "j0")
	if r.Chunks.Dead != planned.Plan.Chunks || r.Chunks.Dead < 10 {
		l.t.Fatalf("found %+v, expected %d dead chunks", r, planned.Plan.Chunks)
	}
	dispatches.shows(map[string]float64{`penstock_jobs_total{outcome="failed",pipeline="lost"}`: 1})
	scanned := works.scrape()[`penstock_chunks_total{outcome="dead",pipeline="lost"}`]
	buried := dispatches.scrape()[`penstock_chunks_total{outcome="dead",pipeline="lost"}`]
	if scanned+buried != float64(r.Chunks.Dead) {
		l.t.Errorf("found %v and %v dead chunks, expected %d together", scanned, buried, r.Chunks.Dead)
	}
	works.shows(map[string]float64{`penstock_dead_letters_total{pipeline="lost"}`: scanned})
	return works
}

// TestReadiness starts a worker before NATS and a dispatcher are there.
func TestReadiness(t *testing.T) {
	t.Parallel()
	server := testenv.StartNATS(t, "")
	l := newLabAt(t, site{"", server.URL, testenv.S3(t)}, "PENSTOCK_NATS_USER=ann", "PENSTOCK_NATS_PASSWORD=s3cr3t")
	server.Kill()
	worker, p := l.watch("worker", "--workers", "1")
	p.await("/readyz", func(code int, body string) bool {
		if strings.Contains(body, "s3cr3t") {
			t.Fatalf("a secret is in %s", body)
		}
		return code == 503 && strings.HasPrefix(body, `{"ready":false,"draining":false,"dependencies":[`+
			`{"name":"nats","up":false,"error":"connect to NATS at `+server.URL+`: `) &&
			strings.HasSuffix(body, `{"name":"s3","up":true},{"name":"table","up":true}]}`)
	})
	if code, body, err := p.get("/healthz"); code != 200 || body != `{"able":true}` {
		t.Errorf("/healthz: %d %s, %v", code, body, err)
	}
	if up := p.scrape()[`penstock_dependency_up{dependency="nats"}`]; up != 0 {
		t.Errorf("found NATS up: %v", up)
	}
	server.Restart()
	p.await("/readyz", func(code int, body string) bool {
		return code == 503 && strings.Contains(body, "start a dispatcher, which makes the streams")
	})
	l.start("dispatcher")
	p.ready()
	server.Kill()
	p.await("/readyz", func(code int, body string) bool {
		return code == 503 && strings.Contains(body, `{"name":"nats","up":false,`)
	})
	server.Restart()
	p.ready()
	taken := strings.TrimPrefix(p.url, "http://")
	other := l.run("dispatcher", "--listen", taken)
	if says := fmt.Sprintf("listen for probes on %q: ", taken); other.code != 2 || !strings.Contains(other.errOut, says) ||
		!strings.Contains(other.errOut, "address already in use") {
		t.Errorf("exit %d, %q", other.code, other.errOut)
	}
	worker.Signal(syscall.SIGTERM)
	if r := worker.end(); r.code != 0 {
		t.Errorf("exit %d\n%s", r.code, r.errOut)
	}
}

// TestDrain asks a worker to leave that holds a chunk for hours: it is not ready from then on, and gone in time.
func TestDrain(t *testing.T) {
	t.Parallel()
	l := newFileLab(t, "PENSTOCK_GRACE=10s", "PENSTOCK_LOG_FORMAT=text")
	slow := strings.Replace(fmt.Sprintf(countedPipeline, l.keyspace), "where:", "write: {budget: {rows: 1}}\nwhere:", 1)
	l.apply(l.file("counted.yaml", slow))
	l.start("dispatcher").says("msg=leading")
	worker, p := l.watch("worker", "--workers", "1", "--log-level", "debug")
	p.ready()
	l.publish("counted", l.json(map[string]any{"id": "j1", "source": []string{l.putText("a.csv", countedFile())}}))
	worker.says("chunk taken")
	worker.Signal(syscall.SIGTERM)
	p.await("/readyz", func(code int, body string) bool {
		return code == 503 && strings.HasPrefix(body, `{"ready":false,"draining":true,`)
	})
	if code, body, err := p.get("/healthz"); code != 200 {
		t.Errorf("while it drains: /healthz says %d %s, %v", code, body, err)
	}
	if r := worker.end(); r.code != 0 {
		t.Errorf("exit %d\n%s", r.code, r.errOut)
	}
	l.start("worker", "--workers", "1", "--log-level", "debug").says("chunk taken") // it was handed back
}

// TestJSONLogs reads the logs of roles as a collector does.
func TestJSONLogs(t *testing.T) {
	t.Parallel()
	l := newFileLab(t, "PENSTOCK_LOG_FORMAT=json", "PENSTOCK_LOG_LEVEL=debug")
	l.apply(l.file("counted.yaml", fmt.Sprintf(countedPipeline, l.keyspace)))
	l.start("dispatcher").says(`"msg":"leading"`)
	worker := l.start("worker", "--workers", "2")
	events := l.events("*")
	source := l.putText("a.csv", countedFile())
	l.publish("counted", l.json(map[string]any{"id": "j1", "source": []string{source}, "chunk_size": 512}))
	r := l.awaitEnd(events, "j1")
	worker.Signal(syscall.SIGTERM)
	chunks := map[float64]bool{}
	for lines := bufio.NewScanner(strings.NewReader(worker.end().errOut)); lines.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if !strings.Contains(fmt.Sprint(line["msg"]), "chunk ") {
			continue
		}
		chunk, _ := line["chunk"].(float64)
		if chunks[chunk] = true; line["job"] != "j1" || line["chunk"] == nil || line["attempt"] != 1.0 {
			t.Errorf("%s: expected job, chunk and attempt", lines.Text())
		}
	}
	if len(chunks) != r.Chunks.Total {
		t.Errorf("lines of %d chunks, expected %d", len(chunks), r.Chunks.Total)
	}
}
