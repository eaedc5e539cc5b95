package e2e

import (
	"net"
	"strings"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/penstock-io/penstock/internal/testenv"
)

// TestServersRestart kills a server in the middle of a job and starts it again: the job ends as if nothing had been.
func TestServersRestart(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) (site, func()){
		"nats-server": func(t *testing.T) (site, func()) {
			store := testenv.S3(t)
			s := testenv.StartNATS(t, "")
			return site{nats: s.URL, s3: store}, s.Restart
		},
		"S3": func(t *testing.T) (site, func()) {
			queue := testenv.NATS(t)
			s := testenv.StartMinIO(t, testenv.MinIOOptions{})
			keys := testenv.S3Server{URL: s.URL, AccessKey: s.AccessKey, SecretKey: s.SecretKey}
			return site{nats: queue, s3: keys}, s.Restart
		},
		"Cassandra": func(t *testing.T) (site, func()) {
			queue, store := testenv.NATS(t), testenv.S3(t)
			s := testenv.StartCassandra(t, testenv.CassandraOptions{})
			return site{s.Addr, queue, store}, s.Restart
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, restart := start(t)
			l := newLabAt(t, at)
			l.start("dispatcher").says("msg=ready")
			l.start("worker", "--workers", "2")
			d := l.submitReadings()
			d.midway()
			restart()
			d.finish()
		})
	}
}

// TestServersThatAreNotThere starts `load` with a server missing or of no use: it says so and ends.
func TestServersThatAreNotThere(t *testing.T) {
	t.Parallel()
	l := newFileLab(t)
	pipeline, source := l.readings(), l.putText("a.csv", "device,seq\na,1\n")
	nobody := closedPort(t)
	for _, c := range []struct {
		name, setting string
		says          []string
	}{
		{"Cassandra is down", "PENSTOCK_TARGET=cassandra://" + nobody + "/lab", []string{"assandra", nobody}},
		{"NATS is down", "PENSTOCK_NATS_URL=nats://" + nobody, []string{"NATS", nobody}},
		{"S3 is down", "PENSTOCK_S3_URL=http://" + nobody, []string{nobody}},
		{"NATS has no JetStream", "PENSTOCK_NATS_URL=" + bareNATS(t), []string{"JetStream"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bare := *l
			bare.t, bare.env = t, append(append([]string{}, l.env...), c.setting)
			r := bare.run("load", pipeline, source)
			if r.code != 1 {
				t.Errorf("exit %d, expected 1", r.code)
			}
			for _, text := range c.says {
				if !strings.Contains(r.errOut, text) || r.out != "" {
					t.Errorf("it said %q, expected %q, and nothing on stdout", r.errOut, text)
				}
			}
			t.Logf("%s", r.errOut)
		})
	}
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// bareNATS is a nats-server without JetStream.
func bareNATS(t *testing.T) string {
	t.Helper()
	s, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("nats-server does not answer")
	}
	return s.ClientURL()
}
