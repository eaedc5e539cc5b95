package kedatest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// server is a nats-server of the test's own.
type server struct {
	name, client, monitor string // host:port
	cmd                   *exec.Cmd
}

// program is a path that `make keda-test` gives.
func program(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Fatalf("%s is not set: run `make keda-test`", variable)
	}
	return path
}

// startNATS starts so many servers, a cluster where they are more than one. In a cluster KEDA asks each server at the
// same port, so each has a host of its own.
func startNATS(t *testing.T, n int) []*server {
	t.Helper()
	ports := freePorts(t, n)
	var routes []string
	for i := range n {
		routes = append(routes, fmt.Sprintf("nats://%s:%d", host(i), ports[2]))
	}
	var all []*server
	for i := range n {
		s := &server{
			name: fmt.Sprintf("n%d", i), client: fmt.Sprintf("%s:%d", host(i), ports[0]),
			monitor: fmt.Sprintf("%s:%d", host(i), ports[1]),
		}
		config := fmt.Sprintf("server_name: %s\nlisten: %q\nhttp: %q\njetstream { store_dir: %q }\n",
			s.name, s.client, s.monitor, t.TempDir())
		if n > 1 {
			config += fmt.Sprintf("cluster { name: c, listen: %q, routes: [%s] }\n",
				fmt.Sprintf("%s:%d", host(i), ports[2]), strings.Join(routes, ", "))
		}
		s.start(t, config)
		all = append(all, s)
	}
	for _, s := range all {
		await(t, s.name+" is healthy", func() bool { return s.healthy() })
	}
	return all
}

// leader is the server that leads the consumer of workers; "" while there is none. It does not ask by NATS: nobody
// answers there while nobody leads.
func leader(all []*server) string {
	for _, s := range all {
		if s.leads() {
			return s.name
		}
	}
	return ""
}

func (s *server) leads() bool {
	resp, err := http.Get("http://" + s.monitor + "/jsz?acc=$G&consumers=true")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	var state struct {
		Accounts []struct {
			Streams []struct {
				Name      string
				Consumers []struct{ Cluster struct{ Leader string } } `json:"consumer_detail"`
			} `json:"stream_detail"`
		} `json:"account_details"`
	}
	if json.NewDecoder(resp.Body).Decode(&state) != nil || len(state.Accounts) == 0 {
		return false
	}
	for _, stream := range state.Accounts[0].Streams {
		if stream.Name == "CHUNKS" && len(stream.Consumers) == 1 {
			return stream.Consumers[0].Cluster.Leader == s.name
		}
	}
	return false
}

func host(i int) string { return fmt.Sprintf("127.0.0.%d", i+1) }

func (s *server) start(t *testing.T, config string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nats.conf")
	must(t, os.WriteFile(path, []byte(config), 0o600))
	s.cmd = exec.Command(program(t, "PENSTOCK_TEST_NATS_SERVER"), "-c", path)
	s.cmd.SysProcAttr = ends()
	must(t, s.cmd.Start())
	t.Cleanup(s.kill)
}

// kill ends the server at once. Twice is once.
func (s *server) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Signal(syscall.SIGKILL) // Wait tells when it is gone
		_ = s.cmd.Wait()
	}
}

func (s *server) healthy() bool {
	resp, err := http.Get("http://" + s.monitor + "/healthz")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// freePorts are ports that are free on each host, below those that Linux takes for outgoing connections.
func freePorts(t *testing.T, hosts int) [3]int {
	t.Helper()
	var ports [3]int
	for i := range ports {
		for ports[i] == 0 {
			if port := 20000 + rand.IntN(12000); free(port, hosts) {
				ports[i] = port
			}
		}
	}
	return ports
}

func free(port, hosts int) bool {
	for i := range hosts {
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", host(i), port))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

// setUp has penstock make its streams and consumers, as it does wherever a role starts.
func setUp(t *testing.T, s *server) {
	t.Helper()
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "log"))
	must(t, err)
	defer out.Close()
	cmd := exec.Command(program(t, "PENSTOCK_TEST_BINARY"), "up")
	cmd.Env = append(os.Environ(), "PENSTOCK_NATS_URL=nats://"+s.client, "PENSTOCK_DATA="+dir,
		"PENSTOCK_TARGET=sqlite:"+filepath.Join(dir, "table.db"), "PENSTOCK_WORKERS=0")
	cmd.Dir, cmd.Stderr, cmd.SysProcAttr = dir, out, ends()
	must(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill() // what it made stays
		_ = cmd.Wait()
	}()
	c := dial(t, s.client)
	await(t, "penstock makes its consumer", func() bool {
		_, err := c.tryAPI("CONSUMER.INFO.CHUNKS.workers", "")
		return err == nil
	})
}

// await asks again and again until it is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
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
