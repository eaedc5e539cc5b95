package testenv_test

import (
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/testenv"
)

func TestOwnServers(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T) (addr string, restart func()){
		"cassandra with password and TLS": func(t *testing.T) (string, func()) {
			s := testenv.StartCassandra(t, testenv.CassandraOptions{Auth: true, TLS: true, ClientCert: true})
			if s.Password == "cassandra" {
				t.Error("the superuser still has the password that everybody knows")
			}
			return s.Addr, s.Restart
		},
		"minio with TLS": func(t *testing.T) (string, func()) {
			s := testenv.StartMinIO(t, testenv.MinIOOptions{TLS: true, Domain: "s3.localhost"})
			return strings.TrimPrefix(s.URL, "https://"), s.Restart
		},
		"nats-server": func(t *testing.T) (string, func()) {
			s := testenv.StartNATS(t, "max_payload: 64KB")
			return strings.TrimPrefix(s.URL, "nats://"), s.Restart
		},
	}
	for name, start := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var addr string
			t.Run("its test", func(t *testing.T) {
				var restart func()
				addr, restart = start(t)
				mustListen(t, addr, true)
				restart()
				mustListen(t, addr, true)
			})
			mustListen(t, addr, false)
		})
	}
}

func mustListen(t *testing.T, addr string, want bool) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		conn.Close()
	}
	if got := err == nil; got != want {
		t.Errorf("something listens at %s: %v (%v): expected %v", addr, got, err, want)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // prefix: what the name must look like
		"orders":                 `^orders_[a-z0-9]{12}$`,
		"Test/Some Case":         `^test_some_case_[a-z0-9]{12}$`,
		"9lives":                 `^t9lives_[a-z0-9]{12}$`,
		"":                       `^t_[a-z0-9]{12}$`,
		strings.Repeat("x", 200): `^x{32}_[a-z0-9]{12}$`,
	}
	for prefix, want := range tests {
		if got := testenv.Name(t, prefix); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("Name(%q) = %q: expected %s", prefix, got, want)
		}
	}
	if a, b := testenv.Name(t, "a"), testenv.Name(t, "a"); a == b {
		t.Errorf("Name gave %q twice", a)
	}
	if got := testenv.Bucket(t); !regexp.MustCompile(`^bucket-[a-z0-9]{12}$`).MatchString(got) {
		t.Errorf("Bucket = %q: expected bucket-random", got)
	}
}

// TestWithoutServers runs TestNeedsServers in a process that has none.
func TestWithoutServers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		ci   string
		want string
	}{
		"by hand: skipped": {ci: "", want: "--- SKIP: TestNeedsServers"},
		"in CI: failed":    {ci: "true", want: "--- FAIL: TestNeedsServers"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^TestNeedsServers$")
			cmd.Env = []string{"CI=" + tt.ci, "PATH=" + os.Getenv("PATH")}
			out, err := cmd.CombinedOutput()
			if (err != nil) != (tt.ci != "") {
				t.Errorf("the process ended with %v", err)
			}
			for _, want := range []string{tt.want, "PENSTOCK_TEST_CASSANDRA is not set", "make test"} {
				if !strings.Contains(string(out), want) {
					t.Errorf("output lacks %q:\n%s", want, out)
				}
			}
		})
	}
}

func TestNeedsServers(t *testing.T) {
	t.Parallel()
	mustListen(t, testenv.Cassandra(t), true)
	mustListen(t, strings.TrimPrefix(testenv.S3(t).URL, "http://"), true)
	mustListen(t, strings.TrimPrefix(testenv.NATS(t), "nats://"), true)
}
