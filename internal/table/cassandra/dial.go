package cassandra

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/contracts"
)

// dialer opens connections whose frames the driver can read (frames.go).
type dialer struct {
	tls   *tls.Config // nil: plain
	names []string    // of the contact points

	mu      sync.Mutex
	making  context.Context // while a session is being made: its connections end with this
	guarded []func() bool   // detach the connections from it again
	refusal error           // the last TLS alert that a server sent after the handshake
}

// guard ties new connections to ctx until release is called: that is how a session that is being made is abandoned.
func (d *dialer) guard(ctx context.Context) (release func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.making = ctx
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.making = nil
		for _, stop := range d.guarded {
			stop()
		}
		d.guarded = nil
	}
}

// adopt closes conn when the session in the making is abandoned.
func (d *dialer) adopt(conn net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.making != nil {
		d.guarded = append(d.guarded, context.AfterFunc(d.making, func() { _ = conn.Close() }))
	}
}

// abandoned is an error once the session in the making is not wanted any more.
func (d *dialer) abandoned() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.making == nil {
		return nil
	}
	return d.making.Err()
}

// DialHost connects to a node. Coalescing is off: our batches are large enough to be a write of their own.
func (d *dialer) DialHost(ctx context.Context, host *gocql.HostInfo) (*gocql.DialedHost, error) {
	if err := d.abandoned(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	tcp := net.Dialer{KeepAlive: keepAlive}
	conn, err := tcp.DialContext(ctx, "tcp", host.ConnectAddressAndPort())
	if err != nil {
		return nil, err
	}
	d.adopt(conn)
	if d.tls == nil {
		return &gocql.DialedHost{Conn: newFrameConn(conn), DisableCoalesce: true}, nil
	}
	secure := tls.Client(conn, d.tlsFor(host))
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &gocql.DialedHost{Conn: newFrameConn(&watched{secure, d}), DisableCoalesce: true}, nil
}

// watched tells its dialer of a server's TLS alert. In TLS 1.3 a server judges the client's certificate after the
// handshake has ended here, and the driver then says that there was no answer, if it is not quick enough to read it.
type watched struct {
	net.Conn
	dialer *dialer
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err != nil && isRemoteAlert(err) {
		w.dialer.mu.Lock()
		defer w.dialer.mu.Unlock()
		w.dialer.refusal = err
	}
	return n, err
}

// Write looks for an alert where it fails: a server that has refused this side has hung up too.
func (w *watched) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	if err != nil && w.SetReadDeadline(time.Now().Add(time.Second)) == nil {
		_, _ = w.Read(make([]byte, 1))
	}
	return n, err
}

// refused is the TLS alert of a server that wants nothing to do with this side, or nil.
func (d *dialer) refused() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.refusal
}

// tlsFor accepts a certificate that the CA signed for the node's address or for a contact point's name: nodes that the
// driver discovers are known by address only, and the certificates of a cluster rarely list those.
func (d *dialer) tlsFor(host *gocql.HostInfo) *tls.Config {
	c := d.tls.Clone()
	name, _, _ := net.SplitHostPort(host.HostnameAndPort())
	c.ServerName = name
	c.InsecureSkipVerify = true // verify replaces the built-in check, which knows a single name
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		return verify(cs.PeerCertificates, c.RootCAs, append([]string{name}, d.names...))
	}
	return c
}

// verify checks the chain up to the roots, and that the certificate is for one of the names.
func verify(chain []*x509.Certificate, roots *x509.CertPool, names []string) error {
	opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, cert := range chain[1:] {
		opts.Intermediates.AddCert(cert)
	}
	if _, err := chain[0].Verify(opts); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	var err error
	for _, name := range names {
		if err = chain[0].VerifyHostname(name); err == nil {
			return nil
		}
	}
	return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
}

// tlsConfig reads the PEM files; nil where TLS is off.
func tlsConfig(cfg Config) (*tls.Config, error) {
	if !cfg.TLS && cfg.CAFile == "" && cfg.CertFile == "" && cfg.KeyFile == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, contracts.Errorf(contracts.KindConfig, "read PENSTOCK_CASSANDRA_CA: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, contracts.Errorf(contracts.KindConfig,
				"PENSTOCK_CASSANDRA_CA %s holds no certificate: expected PEM", cfg.CAFile)
		}
	}
	if cfg.CertFile != "" || cfg.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return nil, contracts.Errorf(contracts.KindConfig,
				"load PENSTOCK_CASSANDRA_CERT and PENSTOCK_CASSANDRA_KEY, which go together: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// names are the contact points as the user wrote them, without ports.
func (c Config) names() []string {
	names := make([]string, 0, len(c.Hosts))
	for _, h := range c.Hosts {
		if name, _, err := net.SplitHostPort(c.address(h)); err == nil {
			names = append(names, name)
		}
	}
	return names
}
