package servers

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/penstock-io/penstock/internal/testenv/tools"
)

// MinIOOptions say how an S3 server is set up. The zero value is plain HTTP with buckets in the path.
type MinIOOptions struct {
	TLS     bool     // https, with a certificate of an authority made for this server
	Domain  string   // where given, buckets are also hosts: bucket.Domain
	Address string   // to listen at; "" is 127.0.0.1
	Env     []string // further variables of the server, such as MINIO_NOTIFY_NATS_ENABLE_1=on
}

// MinIO is a running S3 server.
type MinIO struct {
	server
	URL       string // http://127.0.0.1:port or https://…
	AccessKey string
	SecretKey string
	CAFile    string // PEM, "" without TLS
}

// StartMinIO starts an S3 server whose files are in dir and returns when it answers. The error is tools.ErrMissing
// where it is not installed.
func StartMinIO(ctx context.Context, dir string, o MinIOOptions) (*MinIO, error) {
	program, err := tools.Program("minio")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	certs := filepath.Join(dir, "certs")
	caFile, err := minioCerts(certs, o)
	if err != nil {
		return nil, err
	}
	secure, err := trust(caFile)
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort(address(o.Address), strconv.Itoa(port))
	s := &MinIO{URL: "http://" + addr, AccessKey: "tester", SecretKey: rand.Text(), CAFile: caFile}
	if o.TLS {
		s.URL = "https://" + addr
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: secure, DisableKeepAlives: true}}
	s.server = server{
		name: "minio",
		log:  filepath.Join(dir, "minio.log"),
		command: func() *exec.Cmd {
			cmd := exec.Command(program, "server", "--address", addr, "--certs-dir", certs, filepath.Join(dir, "data"))
			cmd.Env = append(os.Environ(), s.env(o)...)
			return cmd
		},
		probe: func(ctx context.Context) error { return probeHTTP(ctx, client, s.URL+"/minio/health/ready") },
	}
	if err := s.up(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *MinIO) env(o MinIOOptions) []string {
	env := []string{
		"MINIO_ROOT_USER=" + s.AccessKey, "MINIO_ROOT_PASSWORD=" + s.SecretKey, "MINIO_BROWSER=off", "MINIO_UPDATE=off",
	}
	if o.Domain != "" {
		env = append(env, "MINIO_DOMAIN="+o.Domain)
	}
	return append(env, o.Env...)
}

// minioCerts puts the server's certificate where MinIO looks for it and returns the authority's file. The authority
// stays out of MinIO's folder, where it would be taken for something to serve.
func minioCerts(dir string, o MinIOOptions) (caFile string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make MinIO's certificate folder: %w", err)
	}
	if !o.TLS {
		return "", nil
	}
	ca, err := newAuthority(filepath.Dir(dir))
	if err != nil {
		return "", err
	}
	var names []string
	if o.Domain != "" {
		names = []string{o.Domain, "*." + o.Domain}
	}
	files, err := ca.issue("minio", names...)
	if err != nil {
		return "", err
	}
	if err := os.Rename(files.cert, filepath.Join(dir, "public.crt")); err != nil {
		return "", fmt.Errorf("place MinIO's certificate: %w", err)
	}
	if err := os.Rename(files.key, filepath.Join(dir, "private.key")); err != nil {
		return "", fmt.Errorf("place MinIO's key: %w", err)
	}
	return ca.file, nil
}

// probeHTTP says whether url answers 200.
func probeHTTP(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	return nil
}
