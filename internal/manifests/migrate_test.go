package manifests

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/testenv"
	"github.com/penstock-io/penstock/internal/testenv/tools"
)

// migration is the Job's script with what its pod would have, against a Cassandra that asks for passwords and TLS.
type migration struct {
	t      *testing.T
	server *testenv.CassandraServer
	cqlsh  string // folder of the program
	dir    string // of secrets and files
	env    []string
}

func newMigration(t *testing.T, server *testenv.CassandraServer) *migration {
	t.Helper()
	cqlsh, err := tools.Installer{Log: os.Stderr, Pauses: tools.Patient()}.Python(t.Context(), "cqlsh==6.2.2")
	if err != nil {
		testenv.Skip(t, "%v", err)
	}
	m := &migration{t: t, server: server, cqlsh: cqlsh, dir: t.TempDir()}
	objects := overlay(t, "production")
	for file, content := range labels(find(t, objects, "ConfigMap", "penstock-migrate"), "data") {
		// One node stands for three racks.
		m.write(file, strings.Replace(content, "'dc1': 3", "'datacenter1': 1", 1))
	}
	m.write("superuser/username", server.Username)
	m.write("superuser/password", server.Password)
	m.write("app/username", "penstock")
	m.write("ca.crt", read(t, server.CAFile))
	host, port, err := net.SplitHostPort(server.Addr)
	must(t, err)
	c := find(t, objects, "Job", "penstock-migrate").List("spec.template.spec.containers")[0]
	in := strings.NewReplacer("/run/secrets/ca", m.dir, "/run/secrets", m.dir, "/etc/penstock-migrate", m.dir,
		"/tmp", m.dir)
	for k, v := range env(c) {
		m.env = append(m.env, k+"="+in.Replace(v))
	}
	m.env = append(m.env, "CQL_HOST="+host, "CQL_PORT="+port, "WAIT=60", "PATH="+cqlsh+":"+os.Getenv("PATH"))
	return m
}

func (m *migration) write(name, content string) {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	must(m.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(m.t, os.WriteFile(path, []byte(content), 0o600))
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return string(data)
}

// run runs the script with more variables, and gives what it prints.
func (m *migration) run(env ...string) (string, error) {
	cmd := exec.CommandContext(m.t.Context(), "bash", filepath.Join(m.dir, "migrate.sh"))
	cmd.Env = append(append(cmd.Env, m.env...), env...)
	out, err := cmd.CombinedOutput()
	for _, secret := range []string{m.server.Password, read(m.t, filepath.Join(m.dir, "app/password"))} {
		if strings.Contains(string(out), secret) {
			m.t.Errorf("a password is in the log:\n%s", out)
		}
	}
	return string(out), err
}

// succeeds runs the script with a password of the app's role.
func (m *migration) succeeds(password string) {
	m.t.Helper()
	m.write("app/password", password)
	if out, err := m.run(); err != nil || !strings.Contains(out, "migrate: done") {
		m.t.Fatalf("the migration fails: %v\n%s", err, out)
	}
}

// penstock runs the program as the app's role, with whatever else it needs embedded.
func (m *migration) penstock(args ...string) (string, error) {
	cmd := exec.CommandContext(m.t.Context(), testenv.Penstock(m.t), args...)
	cmd.Dir = m.t.TempDir()
	cmd.Env = []string{
		"PENSTOCK_TARGET=cassandra://" + m.server.Addr, "PENSTOCK_CASSANDRA_CA=" + filepath.Join(m.dir, "ca.crt"),
		"PENSTOCK_CASSANDRA_USERNAME_FILE=" + filepath.Join(m.dir, "app/username"),
		"PENSTOCK_CASSANDRA_PASSWORD_FILE=" + filepath.Join(m.dir, "app/password"), "HOME=" + m.dir,
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestMigration runs the Job's script as often as it likes, and then Penstock as the role that it made.
func TestMigration(t *testing.T) {
	t.Parallel()
	m := newMigration(t, testenv.StartCassandra(t, testenv.CassandraOptions{Auth: true, TLS: true}))
	m.succeeds(`it's-"quoted"-%s-$HOME`)
	m.succeeds(`it's-"quoted"-%s-$HOME`)
	m.write("readings.csv", "device_id,ts,level\na,2026-01-01T00:00:00Z,7\nb,2026-01-01T00:00:00Z,8\n")
	load := []string{"load", "--table", "lab.readings", filepath.Join(m.dir, "readings.csv")}
	if out, err := m.penstock(load...); err != nil {
		t.Errorf("the app's role cannot load: %v\n%s", err, out)
	}
	m.write("more.yaml", "name: more\nsource: {format: csv}\n"+
		"table: {keyspace: other, name: more, partition_key: [device_id], create: true}\n"+
		"columns: [{name: device_id, type: text}]\n")
	more := []string{"load", filepath.Join(m.dir, "more.yaml"), filepath.Join(m.dir, "readings.csv")}
	out, err := m.penstock(more...)
	if err == nil || !strings.Contains(out, "CREATE") {
		t.Errorf("the app's role makes a table: %v\n%s\nexpected that it is denied CREATE", err, out)
	}

	m.succeeds("another-password")
	if out, err := m.penstock(load...); err != nil {
		t.Errorf("the app's role cannot load with its new password: %v\n%s", err, out)
	}
	job := find(t, overlay(t, "dev-k8ssandra"), "Job", "penstock-migrate")
	m.env = append(m.env, "CREATE="+env(job.List("spec.template.spec.containers")[0])["CREATE"])
	m.succeeds("another-password")
	if out, err := m.penstock(more...); err != nil {
		t.Errorf("the app's role cannot make a table in the overlay for development: %v\n%s", err, out)
	}
	m.fails()
}

// fails holds the script to words that help.
func (m *migration) fails() {
	m.t.Helper()
	for _, c := range []struct {
		spoil func()
		env   string
		says  string
	}{
		{func() {}, "CQL_PORT=1", "is the K8ssandraCluster ready"},
		{func() { m.write("superuser/password", "wrong") }, "", "does not let cassandra in"},
		{func() { must(m.t, os.Remove(filepath.Join(m.dir, "superuser/password"))) }, "", "secret needs the key password"},
	} {
		c.spoil()
		out, err := m.run("WAIT=0", c.env)
		if err == nil || !strings.Contains(out, c.says) {
			m.t.Errorf("found %v and\n%s\nexpected an error that says %q", err, out, c.says)
		}
	}
}
