package penstock

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

const answerTime = 10 * time.Second // for one answer of a server

// Client is this process's connection to the servers of one Penstock. Its methods are safe for concurrent use.
type Client struct {
	settings Settings
	subjects contracts.Subjects
	nc       *nats.Conn
	denied   atomic.Pointer[error] // what the user may not do, which NATS says on the side
	js       jetstream.JetStream
	s3       *minio.Client
	toS3     *http.Transport
	waiting  waiting
	totals   totals
	before   deliveries // when it connected
}

// Connect opens a client once it knows that a Penstock that runs is behind the settings.
func Connect(ctx context.Context, s Settings) (_ *Client, info Info, err error) {
	c := &Client{settings: s, subjects: contracts.Subjects{Prefix: s.Prefix}}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if err = errors.Join(c.openS3(), c.openNATS()); err != nil {
		return nil, info, err
	}
	if info, err = c.Check(ctx); err == nil {
		c.before, err = c.deliveries(ctx)
	}
	if err == nil {
		err = c.listen(ctx)
	}
	if denied := c.denied.Load(); denied != nil {
		err = errors.Join(fmt.Errorf("%w: docs/loadtest.md lists what a load test's user must be granted", *denied), err)
	}
	if err != nil {
		return nil, info, err
	}
	return c, info, nil
}

// Close ends the connections. Whoever waits for a job waits until its time is over.
func (c *Client) Close() {
	if c.toS3 != nil {
		c.toS3.CloseIdleConnections()
	}
	if c.nc != nil {
		c.nc.Close()
	}
}

func (c *Client) openNATS() error {
	options, err := c.settings.options()
	if err != nil {
		return err
	}
	options = append(options, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrPermissionViolation) {
			c.denied.CompareAndSwap(nil, &err)
		}
	}))
	c.nc, err = nats.Connect(c.settings.NATS, options...)
	if unreadable := (*url.Error)(nil); errors.As(err, &unreadable) { // it quotes the URL, and with it a password
		return errors.New("PENSTOCK_NATS_URL: it cannot be read: expected nats://host:port or tls://host:port")
	}
	if err != nil {
		return fmt.Errorf("NATS at %s: %w: is it up, PENSTOCK_NATS_URL its address as seen from here, and are user and "+
			"password right?", withoutUser(c.settings.NATS), err)
	}
	c.js, err = jetstream.New(c.nc)
	return err
}

func (s Settings) options() ([]nats.Option, error) {
	o := []nats.Option{nats.Name("penstock load test"), nats.Timeout(answerTime), nats.MaxReconnects(-1)}
	if s.User != "" { // who may read answers below an inbox of its own alone, as Penstock's users do
		o = append(o, nats.UserInfo(s.User, s.Password), nats.CustomInboxPrefix("_INBOX."+s.User))
	}
	if s.Token != "" {
		o = append(o, nats.Token(s.Token))
	}
	if s.Creds != "" {
		o = append(o, nats.UserCredentials(s.Creds))
	}
	if s.NKey != "" {
		key, err := nats.NkeyOptionFromSeed(s.NKey)
		if err != nil {
			return nil, fmt.Errorf("PENSTOCK_NATS_NKEY: %w", err)
		}
		o = append(o, key)
	}
	if s.CA == "" && s.Cert == "" && s.Key == "" {
		return o, nil
	}
	t, err := s.tls()
	return append(o, nats.Secure(t)), err
}

func (s Settings) tls() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CA != "" {
		pem, err := os.ReadFile(s.CA)
		if err != nil {
			return nil, fmt.Errorf("PENSTOCK_NATS_CA: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("PENSTOCK_NATS_CA: found no certificate in %s: expected PEM", s.CA)
		}
	}
	if s.Cert == "" && s.Key == "" {
		return t, nil
	}
	pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
	if err != nil {
		return nil, fmt.Errorf("PENSTOCK_NATS_CERT and PENSTOCK_NATS_KEY: %w", err)
	}
	t.Certificates = []tls.Certificate{pair}
	return t, nil
}

func (c *Client) openS3() error {
	u, err := url.Parse(c.settings.S3)
	if err != nil || u.Host == "" {
		return errors.New("PENSTOCK_S3_URL: expected http://host:port or https://…")
	}
	if c.toS3, err = minio.DefaultTransport(u.Scheme == "https"); err != nil {
		return err
	}
	c.s3, err = minio.New(u.Host, &minio.Options{
		Transport: c.toS3,
		Creds:     credentials.NewStaticV4(c.settings.Access, c.settings.Secret, c.settings.Session),
		Secure:    u.Scheme == "https", Region: c.settings.Region,
	})
	return err
}

// withoutUser is a list of URLs as errors may show it.
func withoutUser(list string) string {
	var hosts []string
	for raw := range strings.SplitSeq(list, ",") {
		hosts = append(hosts, raw[strings.LastIndexByte(raw, '@')+1:])
	}
	return strings.Join(hosts, ",")
}

// totals are what this process's jobs came to.
type totals struct {
	mu          sync.Mutex
	rows        int64
	first, last time.Time // of a publication, of an end
}

func (t *totals) add(rows int64, begin, end time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows += rows
	if t.first.IsZero() || begin.Before(t.first) {
		t.first = begin
	}
	if end.After(t.last) {
		t.last = end
	}
}

// rate is rows a second from the first publication to the last end; 0 where nothing was loaded.
func (t *totals) rate() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.last.After(t.first) {
		return 0
	}
	return float64(t.rows) / t.last.Sub(t.first).Seconds()
}
