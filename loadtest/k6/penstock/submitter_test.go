package penstock_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/queue"
	"github.com/penstock-io/penstock/loadtest/k6/penstock"
)

// startCluster starts a server with the users of manifests/, each with its own name for a password, and gives the
// addresses of clients and of the monitoring port.
func startCluster(t *testing.T) (url, monitor string) {
	t.Helper()
	for _, user := range []string{"dispatcher", "worker", "submitter"} {
		t.Setenv("NATS_"+strings.ToUpper(user)+"_PASSWORD", user)
	}
	dir := t.TempDir()
	users, err := os.ReadFile("../../../manifests/components/nats/authorization.conf")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "authorization.conf"), users, 0o600)
	}
	config := filepath.Join(dir, "nats.conf")
	if err == nil {
		text := fmt.Sprintf("listen: 127.0.0.1:-1\nhttp: 127.0.0.1:-1\njetstream {store_dir: %q}\n"+
			"include ./authorization.conf\n", dir)
		err = os.WriteFile(config, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	options, err := server.ProcessConfigFile(config)
	if err != nil {
		t.Fatal(err)
	}
	options.NoSigs = true
	s := start(t, options)
	return s.ClientURL(), "http://" + s.MonitorAddr().String()
}

// TestSubmitter loads with the permissions that manifests/ give to who submits jobs: the monitoring port says the rest.
func TestSubmitter(t *testing.T) {
	url, monitor := startCluster(t)
	q, err := queue.Connect(t.Context(), queue.Config{URL: url, User: "dispatcher", Password: "dispatcher"})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if err := q.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	jobs, err := q.Jobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer jobs.Stop()
	end := make(chan error, 1)
	go func() { // a dispatcher that finds every job done
		m, err := jobs.Next(t.Context())
		var job contracts.Job
		if err == nil {
			err = contracts.Unmarshal(m.Data(), &job)
		}
		if err == nil {
			report := &contracts.Report{Job: job.ID, State: contracts.StateDone, Records: contracts.Counts{Written: 7}}
			err = q.PublishEvent(t.Context(), contracts.Event{Job: job.ID, Kind: contracts.EventDone, Report: report})
		}
		end <- err
	}()

	s := settings(t, startUp(t).Env) // for its S3
	s.NATS, s.Monitor, s.User, s.Password = url, monitor, "submitter", "submitter"
	c, info, err := penstock.Connect(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if info.Dispatchers != 1 || info.Workers != 0 {
		t.Errorf("found %+v, expected one dispatcher", info)
	}
	loaded, err := c.Load(t.Context(), job("one", "s3://penstock-load/x.csv"), patience)
	if err != nil || loaded.Report.Records.Written != 7 {
		t.Errorf("report %+v, %v", loaded.Report, err)
	}
	if err := <-end; err != nil {
		t.Error(err)
	}
	if again, err := c.Redeliveries(t.Context()); again != 0 || err != nil {
		t.Errorf("redeliveries %d, %v, expected none", again, err)
	}

	comeAgain(t, url, q)
	if again, err := c.Redeliveries(t.Context()); again != 1 || err != nil {
		t.Errorf("redeliveries %d, %v, expected one", again, err)
	}
	await(t, "the failed attempt is counted", func() bool { return c.FailedAttempts() == 1 })

	s.Monitor = ""
	expectRefused(t, s, "may this user ask for $JS.API.STREAM.LIST", "LOAD_MONITOR", "docs/loadtest.md")
}

// comeAgain has a worker fail a chunk once: it hands it back, and is given it again.
func comeAgain(t *testing.T, url string, dispatcher *queue.Queue) {
	t.Helper()
	err := dispatcher.PublishChunks(t.Context(), []contracts.ChunkWork{
		{V: contracts.Version, Job: "two", Work: contracts.Load, Pipeline: "k6"},
		{V: contracts.Version, Job: "two", Work: contracts.Load, Pipeline: "k6", Chunk: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	worker, err := queue.Connect(t.Context(), queue.Config{URL: url, User: "worker", Password: "worker"})
	if err != nil {
		t.Fatal(err)
	}
	defer worker.Close()
	chunks, err := worker.Chunks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer chunks.Stop()
	for _, settle := range []func(*queue.Message) error{
		func(m *queue.Message) error { return m.Nak(0) },
		func(m *queue.Message) error { return m.Ack(t.Context()) },
		func(m *queue.Message) error { return m.Ack(t.Context()) },
	} {
		m, err := chunks.Next(t.Context())
		if err == nil {
			err = settle(m)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	err = worker.PublishEvent(t.Context(), contracts.Event{Job: "two", Kind: contracts.EventChunkFailed})
	if err != nil {
		t.Fatal(err)
	}
}

// await asks again and again until it is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("it never came to this: %s", what)
		}
	}
}
