package objects_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/testenv"
)

func keyed(url string) objects.S3Config {
	return objects.S3Config{URL: url, AccessKey: "the-access-key", SecretKey: "the-secret-key"}
}

func TestConfigIsRefused(t *testing.T) {
	t.Parallel()
	junk := filepath.Join(t.TempDir(), "junk.pem")
	if err := os.WriteFile(junk, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*objects.S3Config)
		says   string
	}{
		"no URL":        {func(c *objects.S3Config) { c.URL = "" }, "expected http://host:port"},
		"no scheme":     {func(c *objects.S3Config) { c.URL = "minio:9000" }, `found "minio:9000"`},
		"a path":        {func(c *objects.S3Config) { c.URL = "http://minio/bucket" }, "expected http://host:port"},
		"keys in URL":   {func(c *objects.S3Config) { c.URL = "http://a:the-token@minio" }, "PENSTOCK_S3_ACCESS_KEY"},
		"broken URL":    {func(c *objects.S3Config) { c.URL = "http://a:the-token@%zz" }, "no URL"},
		"style":         {func(c *objects.S3Config) { c.Style = "dns" }, `expected auto, path or host, found "dns"`},
		"missing CA":    {func(c *objects.S3Config) { c.CAFile = junk + "x" }, "PENSTOCK_S3_CA"},
		"CA is no cert": {func(c *objects.S3Config) { c.CAFile = junk }, "holds no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := keyed("http://127.0.0.1:1")
			c.change(&config)
			_, err := objects.NewS3(t.Context(), config)
			wantError(t, err, contracts.KindConfig, c.says)
		})
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	_, err := open(t, keyed("http://127.0.0.1:1")).Stat(t.Context(), "bucket", "key")
	wantError(t, err, contracts.KindUnavailable, "nothing listens at PENSTOCK_S3_URL=http://127.0.0.1:1")
	_, err = open(t, keyed("http://nowhere.invalid")).Stat(t.Context(), "bucket", "key")
	wantError(t, err, contracts.KindUnavailable, "cannot be resolved")
}

func TestTLS(t *testing.T) {
	t.Parallel()
	m := testenv.StartMinIO(t, testenv.MinIOOptions{TLS: true})
	c := objects.S3Config{URL: m.URL, AccessKey: m.AccessKey, SecretKey: m.SecretKey}
	_, err := open(t, c).Stat(t.Context(), "bucket", "key")
	wantError(t, err, contracts.KindConfig, "PENSTOCK_S3_CA", "not trusted")
	c.CAFile = m.CAFile
	admits(t, c)
	c.URL = "http" + strings.TrimPrefix(c.URL, "https")
	_, err = open(t, c).Stat(t.Context(), "bucket", "key")
	wantError(t, err, contracts.KindConfig, "check http:// or https://")
}

func TestNoTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	_, err := open(t, keyed("https"+strings.TrimPrefix(server.URL, "http"))).Stat(t.Context(), "bucket", "key")
	wantError(t, err, contracts.KindConfig, "http:// instead of https://")
}

// A server that never answers must not hold a caller that leaves.
func TestContextEndsACall(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	s := open(t, keyed(server.URL))
	_, err := s.Stat(ctx, "bucket", "key")
	wantError(t, err, contracts.KindInterrupted, "s3://bucket/")
	err = s.EnsureBucket(ctx, "bucket")
	wantError(t, err, contracts.KindInterrupted)
	_, err = s.Upload(ctx, "bucket", "key", strings.NewReader("x"), 1)
	wantError(t, err, contracts.KindInterrupted)
}
