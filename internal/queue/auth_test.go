package queue_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/queue"
)

// serve runs nats-server with a configuration of the test's own and returns host:port.
func serve(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	opts, err := server.ProcessConfigFile(write(t, "nats.conf", config))
	if err != nil {
		t.Fatal(err)
	}
	opts.Host, opts.Port, opts.StoreDir, opts.NoSigs, opts.NoLog = "127.0.0.1", server.RANDOM_PORT, dir, true, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s.Addr().String()
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const secret = "s3cr3t-%zz" // not valid in a URL

// works connects, sets up and passes one chunk through.
func works(t *testing.T, cfg queue.Config) {
	t.Helper()
	q := open(t, cfg)
	must(t, q.Setup(t.Context()))
	roundTrip(t, q)
}

func roundTrip(t *testing.T, q *queue.Queue) {
	t.Helper()
	must(t, q.PublishChunk(t.Context(), contracts.ChunkWork{V: 1, Job: "job-1", Work: contracts.Load}))
	p, err := q.Chunks(t.Context())
	must(t, err)
	m, err := p.Next(t.Context())
	must(t, err)
	must(t, m.Ack(t.Context()))
}

func open(t *testing.T, cfg queue.Config) *queue.Queue {
	t.Helper()
	q, err := queue.Connect(t.Context(), cfg)
	must(t, err)
	t.Cleanup(q.Close)
	return q
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused connects and expects an error of a kind that says so and shows no secret.
func refused(t *testing.T, cfg queue.Config, kind contracts.Kind, says string) {
	t.Helper()
	q, err := queue.Connect(t.Context(), cfg)
	if err == nil {
		q.Close()
		t.Fatalf("connected, expected an error of kind %s", kind)
	}
	wants(t, err, kind, says)
}

func wants(t *testing.T, err error, kind contracts.Kind, says string) {
	t.Helper()
	if contracts.KindOf(err) != kind || err == nil || !strings.Contains(err.Error(), says) {
		t.Fatalf("found %q error %v, expected kind %q and %q", contracts.KindOf(err), err, kind, says)
	}
	if strings.Contains(err.Error(), "s3cr3t") {
		t.Fatalf("a secret is in the error: %v", err)
	}
}

func TestPassword(t *testing.T) {
	t.Parallel()
	addr := serve(t, fmt.Sprintf("jetstream {}\nauthorization {user: ann, password: %q}", secret))
	works(t, queue.Config{URL: "nats://" + addr, User: "ann", Password: secret})
	works(t, queue.Config{URL: "nats://ann:s3cr3t-%25zz@" + addr})
	refused(t, queue.Config{URL: "nats://" + addr}, contracts.KindDenied, addr)
	refused(t, queue.Config{URL: "nats://" + addr, User: "ann", Password: "s3cr3t"},
		contracts.KindDenied, "check the NATS user")
	refused(t, queue.Config{URL: "nats://ann:s3cr3t@" + addr}, contracts.KindDenied, "nats://"+addr)
}

func TestToken(t *testing.T) {
	t.Parallel()
	addr := serve(t, fmt.Sprintf("jetstream {}\nauthorization {token: %q}", secret))
	works(t, queue.Config{URL: "nats://" + addr, Token: secret})
	refused(t, queue.Config{URL: "nats://" + addr, Token: "s3cr3t"}, contracts.KindDenied, "Authorization Violation")
	refused(t, queue.Config{URL: "nats://s3cr3t@" + addr}, contracts.KindDenied, "nats://"+addr)
}

func TestNKey(t *testing.T) {
	t.Parallel()
	user, other := keyPair(t, nkeys.CreateUser), keyPair(t, nkeys.CreateUser)
	addr := serve(t, "jetstream {}\nauthorization {users: [{nkey: "+public(t, user)+"}]}")
	works(t, queue.Config{URL: "nats://" + addr, NKeyFile: write(t, "user.nk", seed(t, user))})
	refused(t, queue.Config{URL: "nats://" + addr, NKeyFile: write(t, "other.nk", seed(t, other))},
		contracts.KindDenied, addr)
	refused(t, queue.Config{URL: "nats://" + addr, NKeyFile: write(t, "bad.nk", "s3cr3t")},
		contracts.KindConfig, "expected a line that starts with SU")
}

func TestCreds(t *testing.T) {
	t.Parallel()
	operator := keyPair(t, nkeys.CreateOperator)
	account, system := keyPair(t, nkeys.CreateAccount), keyPair(t, nkeys.CreateAccount)
	claims := jwt.NewAccountClaims(public(t, account))
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	preload := encode(t, claims, operator)
	systemClaims := encode(t, jwt.NewAccountClaims(public(t, system)), operator)
	addr := serve(t, fmt.Sprintf("jetstream {}\noperator: %s\nsystem_account: %s\nresolver: MEMORY\n"+
		"resolver_preload: {%s: %s, %s: %s}", encode(t, jwt.NewOperatorClaims(public(t, operator)), operator),
		public(t, system), public(t, account), preload, public(t, system), systemClaims))
	creds := func(signer nkeys.KeyPair) string {
		user := keyPair(t, nkeys.CreateUser)
		config, err := jwt.FormatUserConfig(encode(t, jwt.NewUserClaims(public(t, user)), signer), []byte(seed(t, user)))
		must(t, err)
		return write(t, "user.creds", string(config))
	}
	works(t, queue.Config{URL: "nats://" + addr, CredsFile: creds(account)})
	refused(t, queue.Config{URL: "nats://" + addr, CredsFile: creds(keyPair(t, nkeys.CreateAccount))},
		contracts.KindDenied, addr)
	refused(t, queue.Config{URL: "nats://" + addr, CredsFile: "no-such.creds"},
		contracts.KindConfig, "creds file: open no-such.creds")
	refused(t, queue.Config{URL: "nats://" + addr, CredsFile: write(t, "bad.creds", "s3cr3t")},
		contracts.KindConfig, "expected a user JWT and an nkey seed")
}

func keyPair(t *testing.T, create func() (nkeys.KeyPair, error)) nkeys.KeyPair {
	t.Helper()
	kp, err := create()
	must(t, err)
	return kp
}

func public(t *testing.T, kp nkeys.KeyPair) string {
	t.Helper()
	key, err := kp.PublicKey()
	must(t, err)
	return key
}

func seed(t *testing.T, kp nkeys.KeyPair) string {
	t.Helper()
	s, err := kp.Seed()
	must(t, err)
	return string(s)
}

func encode(t *testing.T, claims jwt.Claims, signer nkeys.KeyPair) string {
	t.Helper()
	token, err := claims.Encode(signer)
	must(t, err)
	return token
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	serverCert, serverKey := ca.issue(t, "server")
	clientCert, clientKey := ca.issue(t, "client")
	files := fmt.Sprintf("cert_file: %q, key_file: %q, ca_file: %q", serverCert, serverKey, ca.file)
	addr := serve(t, "jetstream {}\ntls {"+files+"}")
	works(t, queue.Config{URL: "tls://" + addr, CAFile: ca.file})
	refused(t, queue.Config{URL: "tls://" + addr}, contracts.KindConfig, "PENSTOCK_NATS_CA")
	refused(t, queue.Config{URL: "tls://" + addr, CAFile: newAuthority(t).file}, contracts.KindConfig, "PENSTOCK_NATS_CA")
	refused(t, queue.Config{URL: "tls://" + addr, CAFile: "no-such.pem"},
		contracts.KindConfig, "CA file: open no-such.pem")
	refused(t, queue.Config{URL: "tls://" + addr, CAFile: write(t, "bad.pem", "s3cr3t")},
		contracts.KindConfig, "expected certificates in PEM")
	refused(t, queue.Config{URL: "tls://" + addr, CAFile: ca.file, CertFile: clientCert, KeyFile: serverKey},
		contracts.KindConfig, "private key does not match public key")

	mutual := serve(t, "jetstream {}\ntls {"+files+", verify: true}")
	works(t, queue.Config{URL: "tls://" + mutual, CAFile: ca.file, CertFile: clientCert, KeyFile: clientKey})
	refused(t, queue.Config{URL: "tls://" + mutual, CAFile: ca.file}, contracts.KindDenied, "PENSTOCK_NATS_CERT")

	plain := serve(t, "jetstream {}")
	refused(t, queue.Config{URL: "tls://" + plain, CAFile: ca.file}, contracts.KindConfig, "use a nats:// URL")
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true,
		BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return authority{cert, key, pemFile(t, "CERTIFICATE", der)}
}

func (a authority) issue(t *testing.T, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return pemFile(t, "CERTIFICATE", der), pemFile(t, "PRIVATE KEY", private)
}

func pemFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	return write(t, "file.pem", string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}

func TestNoJetStream(t *testing.T) {
	t.Parallel()
	q := open(t, queue.Config{URL: "nats://" + serve(t, "")})
	wants(t, q.Setup(t.Context()), contracts.KindConfig, "start nats-server with -js")
	wants(t, q.WaitReady(t.Context()), contracts.KindConfig, "start nats-server with -js")
	_, err := q.Chunks(t.Context())
	wants(t, err, contracts.KindConfig, "start nats-server with -js")
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	refused(t, queue.Config{URL: "nats://ann:s3cr3t@" + l.Addr().String()},
		contracts.KindUnavailable, "connect to NATS at nats://"+l.Addr().String())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = queue.Connect(ended, queue.Config{URL: "nats://" + l.Addr().String()})
	wants(t, err, contracts.KindInterrupted, "connect to NATS")
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  queue.Config
		says string
	}{
		"a URL that cannot be read": {queue.Config{URL: "nats://ann:s3cr3t-%zz@host:4222"}, "server 1 of the list"},
		"the second URL is empty":   {queue.Config{URL: "nats://localhost:4222,"}, "server 2 of the list"},
		"no URL":                    {queue.Config{}, "expected nats://host:port"},
		"a prefix of two tokens":    {queue.Config{URL: "nats://localhost", Prefix: "a.b"}, "one subject token"},
		"a certificate without key": {queue.Config{URL: "nats://localhost", CertFile: "a.pem"}, "both or neither"},
		"a password without user":   {queue.Config{URL: "nats://localhost", Password: "s3cr3t"}, "both or neither"},
		"a negative limit":          {queue.Config{URL: "nats://localhost", MaxChunks: -1}, "max chunks -1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, c.cfg, contracts.KindConfig, c.says)
		})
	}
}

// TestWorkerPermissions holds workers to what their NATS user is granted, and denials to come at once.
func TestWorkerPermissions(t *testing.T) {
	t.Parallel()
	addr := serve(t, `jetstream {}
authorization {users: [
  {user: dispatcher, password: d}
  {user: worker, password: w, permissions: {
    publish: ["$JS.API.CONSUMER.INFO.CHUNKS.workers", "$JS.API.CONSUMER.MSG.NEXT.CHUNKS.workers",
      "$JS.ACK.CHUNKS.workers.>", "$JS.ACK.*.*.CHUNKS.workers.>", "penstock.status.>", "penstock.dead.>"]
    subscribe: ["_INBOX.>"]}}
  {user: mute, password: m, permissions: {publish: ["$JS.API.CONSUMER.INFO.CHUNKS.workers"]}}
]}`)
	dispatcher := open(t, queue.Config{URL: "nats://" + addr, User: "dispatcher", Password: "d"})
	must(t, dispatcher.Setup(t.Context()))
	must(t, dispatcher.PublishChunk(t.Context(), contracts.ChunkWork{V: 1, Job: "job-1", Work: contracts.Load}))

	worker := open(t, queue.Config{URL: "nats://" + addr, User: "worker", Password: "w"})
	must(t, worker.WaitReady(t.Context()))
	p, err := worker.Chunks(t.Context())
	must(t, err)
	m, err := p.Next(t.Context())
	must(t, err)
	must(t, m.Progress())
	must(t, worker.PublishEvent(t.Context(), contracts.Event{V: 1, Job: "job-1", Kind: contracts.EventChunkDone}))
	must(t, worker.PublishDead(t.Context(), "penstock.dead.job-1.0", []byte("x"), "no"))
	must(t, m.Ack(t.Context()))

	wants(t, worker.Setup(t.Context()), contracts.KindDenied, `$JS.API.STREAM.INFO.JOBS`)
	wants(t, worker.PublishJob(t.Context(), "readings", []byte(`{}`)), contracts.KindDenied, "penstock.jobs.readings")
	_, err = worker.Jobs(t.Context())
	wants(t, err, contracts.KindDenied, "grant the NATS user that subject")
	_, err = worker.Events(t.Context(), "", true, func(contracts.Event) {})
	wants(t, err, contracts.KindDenied, "STATUS")

	mute := open(t, queue.Config{URL: "nats://" + addr, User: "mute", Password: "m"})
	p, err = mute.Chunks(t.Context())
	must(t, err)
	_, err = p.Next(t.Context())
	wants(t, err, contracts.KindDenied, "MSG.NEXT")
}
