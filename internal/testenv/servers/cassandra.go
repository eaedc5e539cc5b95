package servers

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"github.com/penstock-io/penstock/internal/testenv/tools"
)

// CassandraOptions say how a Cassandra is set up. The zero value has no password and no TLS.
type CassandraOptions struct {
	Auth       bool   // passwords and permissions; the superuser is in Username and Password
	TLS        bool   // clients must encrypt
	ClientCert bool   // clients must show a certificate; only with TLS
	HeapMB     int    // 0 is 1024
	Long       bool   // for minutes of load: the JVM optimises to the end, which takes the start half as long again
	Lossy      bool   // acknowledge before the commit log is on disk: faster, and SIGKILL may lose the last 100 ms
	Address    string // to listen at; "" is 127.0.0.1
	Tuned      bool   // for measuring, as on a node of a cluster: tries in memory and on disk, the whole heap at once, G1
}

// Cassandra is a running node.
type Cassandra struct {
	server
	Addr     string // 127.0.0.1:port of CQL
	Username string // "" without Auth
	Password string
	CAFile   string // PEM, "" without TLS
	CertFile string // PEM, a client's, "" without TLS
	KeyFile  string

	secure   *tls.Config
	settings *cassandraSettings
}

//go:embed cassandra.yaml.tmpl
var cassandraYAML string

//go:embed logback.xml
var logback []byte

var cassandraTemplate = template.Must(template.New("cassandra.yaml").Parse(cassandraYAML))

// cassandraSettings fill cassandra.yaml.tmpl.
type cassandraSettings struct {
	CassandraOptions
	Dir               string
	Address           string // of CQL
	Port, StoragePort int
	Durable           bool
	Certificate       string // key and certificate, PEM
	Authority         string
}

// StartCassandra starts a Cassandra whose files are in dir and returns when it answers and, with Auth, its superuser
// has a password that nobody else knows. The error is tools.ErrMissing where JDK or jars are not installed.
func StartCassandra(ctx context.Context, dir string, o CassandraOptions) (*Cassandra, error) {
	java, err := tools.Java(ctx)
	if err != nil {
		return nil, err
	}
	jars, err := tools.CassandraJars()
	if err != nil {
		return nil, err
	}
	settings := &cassandraSettings{CassandraOptions: o, Dir: dir, Address: address(o.Address), Durable: !o.Lossy}
	if settings.Port, err = freePort(); err != nil {
		return nil, err
	}
	if settings.StoragePort, err = freePort(); err != nil {
		return nil, err
	}
	s := &Cassandra{settings: settings, Addr: net.JoinHostPort(settings.Address, strconv.Itoa(settings.Port))}
	if err := s.issueCerts(settings); err != nil {
		return nil, err
	}
	if err := settings.write(); err != nil {
		return nil, err
	}
	s.server = server{
		name:    "cassandra",
		log:     filepath.Join(dir, "cassandra.log"),
		command: func() *exec.Cmd { return settings.command(java, jars) },
		probe:   s.answers,
	}
	if o.Auth {
		s.Username, s.Password = "cassandra", "cassandra"
	}
	if err := s.up(ctx); err != nil {
		return nil, err
	}
	if err := s.changePassword(ctx); err != nil {
		s.Kill()
		return nil, fmt.Errorf("cassandra: change the superuser's password: %w", err)
	}
	return s, nil
}

// Move restarts the server on another address of this machine, such as 127.0.0.2, with the same port and data.
func (s *Cassandra) Move(ctx context.Context, address string) error {
	s.Kill()
	s.settings.Address = address
	s.Addr = net.JoinHostPort(address, strconv.Itoa(s.settings.Port))
	if err := s.settings.write(); err != nil {
		return err
	}
	return s.Restart(ctx)
}

// issueCerts makes the certificates that TLS needs, if it is asked for.
func (s *Cassandra) issueCerts(settings *cassandraSettings) error {
	if !settings.TLS {
		return nil
	}
	ca, err := newAuthority(settings.Dir)
	if err != nil {
		return err
	}
	node, err := ca.issue("node")
	if err != nil {
		return err
	}
	client, err := ca.issue("client")
	if err != nil {
		return err
	}
	settings.Certificate, settings.Authority = node.both, ca.file
	s.CAFile, s.CertFile, s.KeyFile = ca.file, client.cert, client.key
	if s.secure, err = trust(ca.file); err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(client.cert, client.key)
	if err != nil {
		return fmt.Errorf("load the client's certificate: %w", err)
	}
	s.secure.Certificates = []tls.Certificate{pair}
	return nil
}

// write renders the configuration into the server's folder.
func (c cassandraSettings) write() error {
	f, err := os.Create(filepath.Join(c.Dir, "cassandra.yaml"))
	if err != nil {
		return fmt.Errorf("write cassandra.yaml: %w", err)
	}
	defer f.Close()
	if err := cassandraTemplate.Execute(f, c); err != nil {
		return fmt.Errorf("write cassandra.yaml: %w", err)
	}
	if err := os.WriteFile(filepath.Join(c.Dir, "logback.xml"), logback, 0o644); err != nil {
		return fmt.Errorf("write logback.xml: %w", err)
	}
	return nil
}

// command starts the daemon as Cassandra's own script does on JDK 17, without JMX and for one node that need not wait
// for others.
func (c cassandraSettings) command(java, jars string) *exec.Cmd {
	heap := c.HeapMB
	if heap == 0 {
		heap = 1024
	}
	start, collector := min(256, heap), "-XX:+UseSerialGC" // Cassandra locks what heap there is at its start into memory
	if c.Tuned {
		start, collector = heap, "-XX:+UseG1GC"
	}
	args := []string{
		fmt.Sprintf("-Xms%dm", start), fmt.Sprintf("-Xmx%dm", heap), collector, "-Xss512k",
		"-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData", "-Xshare:auto",
		"-Djdk.attach.allowAttachSelf=true", "-Djava.security.manager=allow", "-Djava.net.preferIPv4Stack=true",
		"-Dcassandra.config=file://" + filepath.Join(c.Dir, "cassandra.yaml"),
		"-Dcassandra.storagedir=" + c.Dir,
		"-Dlogback.configurationFile=" + filepath.Join(c.Dir, "logback.xml"),
		"-Dcassandra-foreground=yes",
		"-Dcassandra.skip_wait_for_gossip_to_settle=0",
		"-Dcassandra.ring_delay_ms=100",
		"-Dcassandra.superuser_setup_delay_ms=0",
	}
	if !c.Long {
		args = append(args, "-XX:TieredStopAtLevel=1")
	}
	for _, module := range strings.Fields(javaExports) {
		args = append(args, "--add-exports", module+"=ALL-UNNAMED")
	}
	for _, module := range strings.Fields(javaOpens) {
		args = append(args, "--add-opens", module+"=ALL-UNNAMED")
	}
	args = append(args, "-cp", filepath.Join(jars, "*"), "org.apache.cassandra.service.CassandraDaemon")
	cmd := exec.Command(java, args...)
	cmd.Dir = c.Dir
	return cmd
}

// What Cassandra reaches for inside the JDK: conf/jvm17-server.options of its distribution.
const (
	javaExports = `java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/sun.nio.ch
		java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry java.rmi/sun.rmi.server
		java.sql/java.sql java.base/java.lang.ref jdk.unsupported/sun.misc`
	javaOpens = `java.base/java.lang.module java.base/jdk.internal.loader java.base/jdk.internal.ref
		java.base/jdk.internal.reflect java.base/jdk.internal.math java.base/jdk.internal.module
		java.base/jdk.internal.util.jar jdk.management/com.sun.management.internal java.base/sun.nio.ch java.base/java.io
		java.base/java.nio java.base/java.lang java.base/java.util java.base/java.util.concurrent
		java.base/java.util.concurrent.atomic java.base/java.lang.reflect`
)

// answers says whether the node serves CQL and, with Auth, lets the superuser in.
func (s *Cassandra) answers(ctx context.Context) error {
	c, err := dialCQL(ctx, s.Addr, s.secure)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.options(); err != nil || s.Username == "" {
		return err
	}
	return c.login(s.Username, s.Password)
}

// changePassword replaces the password that every new node has.
func (s *Cassandra) changePassword(ctx context.Context) error {
	if s.Username == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	c, err := dialCQL(ctx, s.Addr, s.secure)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.login(s.Username, s.Password); err != nil {
		return err
	}
	password := rand.Text()
	if err := c.query(fmt.Sprintf("ALTER ROLE %s WITH PASSWORD = '%s'", s.Username, password)); err != nil {
		return err
	}
	s.Password = password
	return nil
}
