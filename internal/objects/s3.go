package objects

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"

	"github.com/penstock-io/penstock/contracts"
)

// S3Config says which store to use and as whom. The zero value of each field but URL is its default.
type S3Config struct {
	URL          string // http://host:port or https://…
	AccessKey    string // with SecretKey; without both, the AWS chain: environment, shared file, web identity, metadata
	SecretKey    string
	SessionToken string // for temporary keys
	Region       string // us-east-1
	Style        string // auto, path or host
	CAFile       string // PEM file of authorities to trust besides the system's
	Near         Near   // the store itself, where it runs in this process; nil asks all by requests
}

// S3 is a client of one store. It is safe for concurrent use.
type S3 struct {
	url       string        // for messages: scheme and host
	client    minio.Core    // asks once: retry decides what is asked again
	uploader  *minio.Client // repeats parts by itself: the whole stream cannot be read again
	transport http.RoundTripper
	near      Near     // before the client: see there
	versioned sync.Map // bucket → bool: does it keep versions?
}

// partAttempts is how often the uploader sends one part.
const partAttempts = 5

// NewS3 checks the configuration and finds credentials; it does not ask the store anything.
func NewS3(ctx context.Context, c S3Config) (*S3, error) {
	u, err := endpoint(c.URL)
	if err != nil {
		return nil, err
	}
	lookup, err := style(c.Style)
	if err != nil {
		return nil, err
	}
	transport, err := newTransport(u.Scheme == "https", c.CAFile)
	if err != nil {
		return nil, err
	}
	creds, err := newCredentials(ctx, c, u, transport)
	if err != nil {
		return nil, err
	}
	o := minio.Options{
		Creds: creds, Secure: u.Scheme == "https", Transport: transport, BucketLookup: lookup,
		Region: cmp.Or(c.Region, "us-east-1"), MaxRetries: 1,
	}
	once, err := minio.NewCore(u.Host, &o)
	if err != nil {
		return nil, contracts.Errorf(contracts.KindConfig, "PENSTOCK_S3_URL %s: %w", u, err)
	}
	o.MaxRetries = partAttempts
	uploader, err := minio.New(u.Host, &o)
	if err != nil {
		return nil, contracts.Errorf(contracts.KindConfig, "PENSTOCK_S3_URL %s: %w", u, err)
	}
	s := &S3{url: u.String(), client: *once, uploader: uploader, transport: transport, near: far{}}
	if c.Near != nil {
		s.near = c.Near
		s.url += " (embedded, as PENSTOCK_S3_URL is not set)"
	}
	return s, nil
}

// Close drops idle connections. Calls in flight are not touched.
func (s *S3) Close() {
	if t, ok := s.transport.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

// endpoint reads a store's URL. A message never repeats what stands before an @ in it.
func endpoint(raw string) (*url.URL, error) {
	const want = "PENSTOCK_S3_URL: expected http://host:port or https://host:port"
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, contracts.Errorf(contracts.KindConfig, "%s, found text that is no URL", want)
	case u.User != nil:
		return nil, contracts.Errorf(contracts.KindConfig,
			"%s, found a user name in it: put keys in PENSTOCK_S3_ACCESS_KEY and PENSTOCK_S3_SECRET_KEY", want)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", strings.Trim(u.Path, "/") != "", u.RawQuery != "":
		return nil, contracts.Errorf(contracts.KindConfig, "%s, found %q", want, raw)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func style(s string) (minio.BucketLookupType, error) {
	switch s {
	case "", "auto":
		return minio.BucketLookupAuto, nil
	case "path":
		return minio.BucketLookupPath, nil
	case "host":
		return minio.BucketLookupDNS, nil
	}
	return 0, contracts.Errorf(contracts.KindConfig, "PENSTOCK_S3_STYLE: expected auto, path or host, found %q", s)
}

func newTransport(secure bool, caFile string) (*http.Transport, error) {
	t, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, contracts.Errorf(contracts.KindInternal, "set up the connection to S3: %w", err)
	}
	if caFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, contracts.Errorf(contracts.KindConfig, "PENSTOCK_S3_CA: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, contracts.Errorf(contracts.KindConfig,
			"PENSTOCK_S3_CA: %s holds no certificate: expected PEM blocks of type CERTIFICATE", caFile)
	}
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	t.TLSClientConfig.RootCAs = pool
	return t, nil
}
