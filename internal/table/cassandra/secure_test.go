package cassandra

import (
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/testenv"
)

func TestPasswordsAndTLS(t *testing.T) {
	t.Parallel()
	server := testenv.StartCassandra(t, testenv.CassandraOptions{Auth: true, TLS: true, ClientCert: true})
	good := config(t, server.Addr)
	good.Username, good.Password = server.Username, server.Password
	good.CAFile, good.CertFile, good.KeyFile = server.CAFile, server.CertFile, server.KeyFile
	with := func(change func(*Config)) Config {
		c := good
		change(&c)
		return c
	}
	const secret = "hunter2-hunter2"
	for _, c := range []struct {
		name  string
		cfg   Config
		kind  contracts.Kind
		words []string
	}{
		{"wrong password", with(func(c *Config) { c.Password = secret }), contracts.KindDenied,
			[]string{"PENSTOCK_CASSANDRA_PASSWORD", server.Addr}},
		{"no user", with(func(c *Config) { c.Username, c.Password = "", "" }), contracts.KindDenied,
			[]string{"asks for a user name", "PENSTOCK_CASSANDRA_USERNAME"}},
		{"another CA", with(func(c *Config) { c.CAFile, c.TLS = "", true }), contracts.KindConfig,
			[]string{"certificate", "PENSTOCK_CASSANDRA_CA"}},
		{"no client certificate", with(func(c *Config) { c.CertFile, c.KeyFile = "", "" }), contracts.KindConfig,
			[]string{"certificate", "PENSTOCK_CASSANDRA_CERT"}},
		{"plain", with(func(c *Config) { c.CAFile, c.CertFile, c.KeyFile = "", "", "" }), contracts.KindUnavailable,
			[]string{"PENSTOCK_CASSANDRA_TLS"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(t.Context(), c.cfg)
			wantError(t, err, c.kind, c.words...)
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
	t.Run("a role without permissions", func(t *testing.T) { lackPermissions(t, good) })
}

func lackPermissions(t *testing.T, admin Config) {
	f := readings(t, opened(t, admin))
	f.write(f.writer(cql.WriteOptions{}), row("d", "1", 1, "x"))
	if err := f.db.alter(t.Context(), "create role",
		"CREATE ROLE reader WITH LOGIN = true AND PASSWORD = 'reader'"); err != nil {
		t.Fatal(err)
	}
	reader := admin
	reader.Username, reader.Password = "reader", "reader"
	db := opened(t, reader)
	w, err := db.Writer(t.Context(), f.table, cql.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(t.Context(), []cql.Row{row("d", "2", 1, "x")}, time.Now())
	wantError(t, err, contracts.KindDenied, "MODIFY", "grant")
	other := f.table
	other.Keyspace += "_2"
	wantError(t, db.Create(t.Context(), other, nil), contracts.KindDenied, "CREATE", other.Keyspace)
}

func TestTLSFiles(t *testing.T) {
	t.Parallel()
	empty := t.TempDir() + "/empty.pem"
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cfg  Config
		word string
	}{
		{"no such CA", Config{CAFile: empty + "2"}, "PENSTOCK_CASSANDRA_CA"},
		{"CA without a certificate", Config{CAFile: empty}, "expected PEM"},
		{"certificate without its key", Config{CertFile: empty}, "PENSTOCK_CASSANDRA_KEY"},
	} {
		c.cfg.Hosts = []string{"localhost"}
		_, err := Open(t.Context(), c.cfg)
		wantError(t, err, contracts.KindConfig, c.word)
	}
}

// A certificate for a contact point's name is good for the nodes that are found behind it, and no other is.
func TestCertificateNames(t *testing.T) {
	t.Parallel()
	leaf, roots := selfSigned(t, "db.lab.test", "10.0.0.7")
	for _, c := range []struct {
		name   string
		node   string
		points []string
		ok     bool
	}{
		{"contact point by name", "db.lab.test", []string{"db.lab.test"}, true},
		{"node found behind it, by address", "10.9.9.9", []string{"db.lab.test"}, true},
		{"node by its own address", "10.0.0.7", []string{"elsewhere.test"}, true},
		{"another name", "evil.test", []string{"elsewhere.test"}, false},
	} {
		err := verify([]*x509.Certificate{leaf}, roots, append([]string{c.node}, c.points...))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := verify([]*x509.Certificate{leaf}, x509.NewCertPool(), []string{"db.lab.test"}); err == nil {
		t.Error("a certificate of an unknown authority is accepted")
	}
}
