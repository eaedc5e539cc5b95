package objects

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/penstock-io/penstock/contracts"
)

// metadataTimeout bounds each question to the metadata service or STS: off the cloud nobody answers there.
const metadataTimeout = 5 * time.Second

func newCredentials(
	ctx context.Context, c S3Config, store *url.URL, t http.RoundTripper,
) (*credentials.Credentials, error) {
	switch {
	case c.AccessKey != "" && c.SecretKey != "":
		return credentials.NewStaticV4(c.AccessKey, c.SecretKey, c.SessionToken), nil
	case c.AccessKey != "" || c.SecretKey != "" || c.SessionToken != "":
		return nil, contracts.Errorf(contracts.KindConfig,
			"PENSTOCK_S3_ACCESS_KEY and PENSTOCK_S3_SECRET_KEY go together: set both, or none for the AWS chain")
	}
	creds := credentials.New(&chain{sources: sources(store, t)})
	if _, err := creds.GetWithContext(&credentials.CredContext{Context: ctx}); err != nil {
		return nil, err
	}
	return creds, nil
}

// source is one place where credentials may be found.
type source struct {
	name string
	credentials.Provider
}

func sources(store *url.URL, t http.RoundTripper) []source {
	list := []source{
		{"environment (AWS_ACCESS_KEY_ID)", &credentials.EnvAWS{}},
		{"shared file (~/.aws, AWS_PROFILE)", &credentials.FileAWSCredentials{}},
	}
	if os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "" {
		sts := &credentials.IAM{Endpoint: stsEndpoint(store), Client: &http.Client{Transport: t, Timeout: metadataTimeout}}
		return append(list, source{"web identity (AWS_WEB_IDENTITY_TOKEN_FILE)", sts})
	}
	if strings.EqualFold(os.Getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		return list
	}
	return append(list, source{"metadata service", &credentials.IAM{
		Endpoint: metadataEndpoint(), Client: &http.Client{Timeout: metadataTimeout},
	}})
}

// stsEndpoint is where a web identity is exchanged: "" leaves it to the region. Other stores than Amazon's answer STS
// calls on their own address.
func stsEndpoint(store *url.URL) string {
	if e := os.Getenv("AWS_ENDPOINT_URL_STS"); e != "" {
		return e
	}
	if strings.HasSuffix(store.Hostname(), ".amazonaws.com") || strings.HasSuffix(store.Hostname(), ".amazonaws.com.cn") {
		return ""
	}
	return store.String()
}

// metadataEndpoint is "" where a container's own endpoint is set: the provider reads that itself.
func metadataEndpoint() string {
	if cmp.Or(os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")) != "" {
		return ""
	}
	return strings.TrimSuffix(os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"), "/")
}

// chain takes the first source that has credentials. Unlike minio-go's own it never falls back to anonymous requests,
// whose refusals would not tell what is missing. Callers hold the lock of credentials.Credentials.
type chain struct {
	sources []source
	current credentials.Provider
}

// Retrieve asks the sources in order.
func (c *chain) Retrieve() (credentials.Value, error) {
	return c.RetrieveWithCredContext(&credentials.CredContext{})
}

// RetrieveWithCredContext asks the sources in order; the error names each and what it said. Where there were
// credentials before, it is KindUnavailable: their source is down, not gone.
func (c *chain) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	var tried []string
	for _, s := range c.sources {
		v, err := s.RetrieveWithCredContext(cc)
		if err == nil && v.AccessKeyID != "" && v.SecretAccessKey != "" {
			c.current = s.Provider
			return v, nil
		}
		tried = append(tried, s.name+": "+why(err))
	}
	if c.current != nil {
		return credentials.Value{}, contracts.Errorf(contracts.KindUnavailable,
			"S3 credentials cannot be renewed now: %s", strings.Join(tried, "; "))
	}
	return credentials.Value{}, contracts.Errorf(contracts.KindDenied,
		"no S3 credentials found: set PENSTOCK_S3_ACCESS_KEY and PENSTOCK_S3_SECRET_KEY, or one of these: %s",
		strings.Join(tried, "; "))
}

// IsExpired says whether the source that answered last wants to be asked again.
func (c *chain) IsExpired() bool { return c.current == nil || c.current.IsExpired() }

// why shortens a source's error; the address that a request went to may hold a token and is left out.
func why(err error) string {
	var u *url.Error
	switch {
	case err == nil:
		return "not set"
	case errors.Is(err, os.ErrNotExist):
		return "no such file"
	case errors.As(err, &u):
		return fmt.Sprintf("%v", u.Err)
	}
	return err.Error()
}
