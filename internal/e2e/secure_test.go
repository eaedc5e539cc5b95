package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/testenv"
)

// TestServersThatDemandCredentials loads a file through a Cassandra with passwords and TLS, a nats-server with a user,
// and an S3 server with TLS, configured by environment and by mounted secrets; and sees what doctor says without them.
func TestServersThatDemandCredentials(t *testing.T) {
	t.Parallel()
	table := testenv.StartCassandra(t, testenv.CassandraOptions{Auth: true, TLS: true})
	queue := testenv.StartNATS(t, `authorization { users = [ { user: loader, password: "tide-pool-secret" } ] }`)
	store := testenv.StartMinIO(t, testenv.MinIOOptions{TLS: true})
	dir := t.TempDir()
	secret := filepath.Join(dir, "cassandra-password")
	if err := os.WriteFile(secret, []byte(table.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := []string{
		"PENSTOCK_TARGET=cassandra://" + table.Addr + "/vault",
		"PENSTOCK_CASSANDRA_USERNAME=" + table.Username, "PENSTOCK_CASSANDRA_PASSWORD_FILE=" + secret,
		"PENSTOCK_CASSANDRA_CA=" + table.CAFile,
		"PENSTOCK_NATS_URL=" + queue.URL, "PENSTOCK_NATS_USER=loader", "PENSTOCK_NATS_PASSWORD=tide-pool-secret",
		"PENSTOCK_S3_URL=" + store.URL, "PENSTOCK_S3_ACCESS_KEY=" + store.AccessKey,
		"PENSTOCK_S3_SECRET_KEY=" + store.SecretKey, "PENSTOCK_S3_CA=" + store.CAFile,
	}
	p := program{t: t, dir: dir, secrets: []string{table.Password, "tide-pool-secret", store.SecretKey, "wrong-secret"}}
	if code, out := p.run(good, "doctor"); code != 0 {
		t.Fatalf("doctor: exit %d\n%s", code, out)
	}
	pipeline := filepath.Join(dir, "p.yaml")
	source := filepath.Join(dir, "p.csv")
	p.write(pipeline, fmt.Sprintf(
		"name: p\nsource: {format: csv}\ntable: {keyspace: %s, name: p, partition_key: [id], create: true}\n"+
			"columns:\n  - {name: id, type: text}\n  - {name: level, type: int}\n", "vault"))
	p.write(source, "id,level\na,1\nb,2\n")
	if code, out := p.run(good, "load", pipeline, source); code != 0 || !strings.Contains(out, "2 written") {
		t.Fatalf("load: exit %d\n%s", code, out)
	}
	tests := map[string]struct {
		env  []string
		want string
	}{
		"Cassandra password": {[]string{"PENSTOCK_CASSANDRA_PASSWORD=wrong-secret"}, "PENSTOCK_CASSANDRA_PASSWORD"},
		"Cassandra CA":       {[]string{"PENSTOCK_CASSANDRA_CA=", "PENSTOCK_CASSANDRA_TLS=true"}, "PENSTOCK_CASSANDRA_CA"},
		"NATS password":      {[]string{"PENSTOCK_NATS_PASSWORD=wrong-secret"}, "PENSTOCK_NATS_PASSWORD"},
		"S3 secret":          {[]string{"PENSTOCK_S3_SECRET_KEY=wrong-secret"}, "PENSTOCK_S3_SECRET_KEY"},
		"S3 CA":              {[]string{"PENSTOCK_S3_CA="}, "PENSTOCK_S3_CA"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, out := p.run(append(good[:len(good):len(good)], tt.env...), "doctor")
			if code != 1 || !strings.Contains(out, "FAIL") || !strings.Contains(out, tt.want) {
				t.Errorf("doctor: exit %d, expected 1 and a hint at %s\n%s", code, tt.want, out)
			}
		})
	}
}

// program runs penstock and holds its output against secrets.
type program struct {
	t       *testing.T
	dir     string
	secrets []string
}

func (p program) write(path, text string) {
	p.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// run gives the exit code and all output, in which no secret may stand.
func (p program) run(env []string, args ...string) (int, string) {
	p.t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(p.t.Context()), testenv.Penstock(p.t), args...)
	cmd.Env, cmd.Dir = append(cleanEnv(), env...), p.dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	for _, s := range p.secrets {
		if strings.Contains(out.String(), s) {
			p.t.Errorf("penstock %s: a secret stands in its output", strings.Join(args, " "))
		}
	}
	return cmd.ProcessState.ExitCode(), out.String()
}
