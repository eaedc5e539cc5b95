package penstock_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/penstock-io/penstock/internal/queue"
	"github.com/penstock-io/penstock/loadtest/k6/penstock"
)

// startNATS starts a server without Penstock.
func startNATS(t *testing.T, jetStream bool) string {
	t.Helper()
	return start(t, &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: jetStream, StoreDir: t.TempDir(), NoSigs: true,
	}).ClientURL()
}

func start(t *testing.T, options *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("nats-server does not answer")
	}
	return s
}

// expectRefused wants no connection, and an error that says all of these.
func expectRefused(t *testing.T, s penstock.Settings, words ...string) {
	t.Helper()
	c, _, err := penstock.Connect(t.Context(), s)
	if err == nil {
		c.Close()
		t.Fatalf("connected, expected an error with %q", words)
	}
	if strings.Contains(err.Error(), "dden") {
		t.Errorf("error %q has the password", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q lacks %q", err, w)
		}
	}
}

// TestRefusesOtherUps is about a Penstock that is not the one which is meant.
func TestRefusesOtherUps(t *testing.T) {
	t.Parallel()
	env := startUp(t).Env
	for _, c := range []struct {
		change string
		words  []string
	}{
		{"PENSTOCK_NATS_PREFIX=lab", []string{"no stream LAB_JOBS", "PENSTOCK_NATS_PREFIX", "this server has: penstock"}},
		{"LOAD_BUCKET=No_Bucket", []string{"bucket No_Bucket"}},
	} {
		expectRefused(t, settings(t, env, c.change), c.words...)
	}
	s := settings(t, env)
	s.Secret = "wrong"
	expectRefused(t, s, "bucket penstock-load", "PENSTOCK_S3_SECRET_KEY")
}

// TestRefusesNATSAlone is about servers on which no Penstock works.
func TestRefusesNATSAlone(t *testing.T) {
	t.Parallel()
	at := func(url string) penstock.Settings {
		return settings(t, nil, "PENSTOCK_NATS_URL="+url, "PENSTOCK_S3_URL=http://127.0.0.1:1")
	}
	expectRefused(t, at("nats://user:hidden@127.0.0.1:1"), "NATS at 127.0.0.1:1", "is it up")
	expectRefused(t, at("nats://user:hi%zzdden@127.0.0.1:1"), "PENSTOCK_NATS_URL", "expected nats://host:port")
	expectRefused(t, at(startNATS(t, false)), "has no JetStream")

	url := startNATS(t, true)
	expectRefused(t, at(url), "no stream JOBS", "there is no Penstock", "start a dispatcher")

	q, err := queue.Connect(t.Context(), queue.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if err := q.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectRefused(t, at(url), "no dispatcher asks for jobs on stream JOBS", "penstock dispatcher")

	if err := q.PublishJob(t.Context(), "k6", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	expectRefused(t, at(url), "stream JOBS holds 1 messages", "LOAD_BUSY")
}

// TestRefusesForeignStreams is about a stream that happens to have the name of ours.
func TestRefusesForeignStreams(t *testing.T) {
	t.Parallel()
	url := startNATS(t, true)
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream()
	if err == nil {
		_, err = js.AddStream(&nats.StreamConfig{Name: "JOBS", Subjects: []string{"payroll.>"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	s := settings(t, nil, "PENSTOCK_NATS_URL="+url, "PENSTOCK_S3_URL=http://127.0.0.1:1")
	expectRefused(t, s, "stream JOBS", "payroll.>", "penstock.jobs.", "not Penstock's")
}
