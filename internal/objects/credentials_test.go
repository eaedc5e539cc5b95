package objects_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/testenv"
)

// nobody clears whatever credentials the machine has.
func nobody(t *testing.T) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// admits writes and reads as whoever the configuration says.
func admits(t *testing.T, c objects.S3Config) {
	t.Helper()
	docs := objects.NewDocs(open(t, c), bucketFixture(t, open(t, c)).Bucket)
	if err := docs.Probe(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWrongKeys(t *testing.T) {
	t.Parallel()
	e := testenv.S3(t)
	_, err := open(t, objects.S3Config{URL: e.URL, AccessKey: e.AccessKey, SecretKey: "the-secret-key"}).
		Stat(t.Context(), "bucket", "key")
	wantError(t, err, contracts.KindDenied, "check PENSTOCK_S3_SECRET_KEY")
	_, err = open(t, objects.S3Config{URL: e.URL, AccessKey: "stranger", SecretKey: "the-secret-key"}).
		Stat(t.Context(), "bucket", "key")
	wantError(t, err, contracts.KindDenied, "check PENSTOCK_S3_ACCESS_KEY")
}

func TestNoCredentials(t *testing.T) {
	nobody(t)
	_, err := objects.NewS3(t.Context(), objects.S3Config{URL: "http://127.0.0.1:1"})
	wantError(t, err, contracts.KindDenied, "set PENSTOCK_S3_ACCESS_KEY",
		"AWS_ACCESS_KEY_ID): not set", "AWS_PROFILE): no such file")
	_, err = objects.NewS3(t.Context(), objects.S3Config{URL: "http://127.0.0.1:1", AccessKey: "only"})
	wantError(t, err, contracts.KindConfig, "go together")
}

func TestCredentialsFromEnvironment(t *testing.T) {
	nobody(t)
	e := testenv.S3(t)
	t.Setenv("AWS_ACCESS_KEY_ID", e.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", e.SecretKey)
	admits(t, objects.S3Config{URL: e.URL})
}

func TestCredentialsFromSharedFile(t *testing.T) {
	nobody(t)
	e := testenv.S3(t)
	dir := filepath.Join(os.Getenv("HOME"), ".aws")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := fmt.Sprintf("[default]\naws_access_key_id = x\naws_secret_access_key = wrong\n"+
		"[lab]\naws_access_key_id = %s\naws_secret_access_key = %s\n", e.AccessKey, e.SecretKey)
	if err := os.WriteFile(filepath.Join(dir, "credentials"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_PROFILE", "lab")
	admits(t, objects.S3Config{URL: e.URL})
}

func TestSessionToken(t *testing.T) {
	t.Parallel()
	e := testenv.S3(t)
	sts, err := credentials.NewSTSAssumeRole(e.URL, credentials.STSAssumeRoleOptions{
		AccessKey: e.AccessKey, SecretKey: e.SecretKey, DurationSeconds: 900,
	})
	if err != nil {
		t.Fatal(err)
	}
	v, err := sts.GetWithContext(&credentials.CredContext{Context: t.Context(), Client: http.DefaultClient})
	if err != nil {
		t.Fatal(err)
	}
	c := objects.S3Config{URL: e.URL, AccessKey: v.AccessKeyID, SecretKey: v.SecretAccessKey, SessionToken: v.SessionToken}
	admits(t, c)
	c.SessionToken = "the-token"
	_, err = open(t, c).Stat(t.Context(), "bucket", "key")
	wantError(t, err, contracts.KindDenied, "PENSTOCK_S3_SESSION_TOKEN")
}

func TestCredentialsFromMetadataService(t *testing.T) {
	e := testenv.S3(t)
	answer := fmt.Sprintf(`{"Code":"Success","AccessKeyId":%q,"SecretAccessKey":%q,"Expiration":%q}`,
		e.AccessKey, e.SecretKey, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	const roles = "/latest/meta-data/iam/security-credentials"
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("imds-token")) })
	mux.HandleFunc("GET "+roles+"/{$}", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("the-role")) })
	mux.HandleFunc("GET "+roles+"/the-role", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-aws-ec2-metadata-token") != "imds-token" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		w.Write([]byte(answer))
	})
	mux.HandleFunc("GET /container", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(answer)) })
	server := httptest.NewServer(mux)
	defer server.Close()
	t.Run("machine", func(t *testing.T) {
		nobody(t)
		t.Setenv("AWS_EC2_METADATA_DISABLED", "")
		t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.URL+"/")
		admits(t, objects.S3Config{URL: e.URL})
	})
	t.Run("container", func(t *testing.T) {
		nobody(t)
		t.Setenv("AWS_EC2_METADATA_DISABLED", "")
		t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.URL+"/container")
		admits(t, objects.S3Config{URL: e.URL})
	})
}

func TestCredentialsFromWebIdentity(t *testing.T) {
	issuer := newIssuer(t)
	m := testenv.StartMinIO(t, testenv.MinIOOptions{Env: []string{
		"MINIO_IDENTITY_OPENID_CONFIG_URL=" + issuer.url + "/.well-known/openid-configuration",
		"MINIO_IDENTITY_OPENID_CLIENT_ID=penstock", "MINIO_IDENTITY_OPENID_CLAIM_NAME=policy",
	}})
	nobody(t)
	file := filepath.Join(t.TempDir(), "token")
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
	_, err := objects.NewS3(t.Context(), objects.S3Config{URL: m.URL})
	wantError(t, err, contracts.KindDenied, "AWS_WEB_IDENTITY_TOKEN_FILE): no such file")

	token := issuer.token(t, map[string]any{"policy": "nonsense"})
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = objects.NewS3(t.Context(), objects.S3Config{URL: m.URL})
	wantError(t, err, contracts.KindDenied, "AWS_WEB_IDENTITY_TOKEN_FILE): ")
	if strings.Contains(err.Error(), token) {
		t.Error("the token is in the message")
	}

	if err := os.WriteFile(file, []byte(issuer.token(t, map[string]any{"policy": "readwrite"})), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for err != nil && ctx.Err() == nil { // the server says that it is ready before it has loaded its policies
		_, err = objects.NewS3(ctx, objects.S3Config{URL: m.URL})
	}
	admits(t, objects.S3Config{URL: m.URL})
	t.Setenv("AWS_ENDPOINT_URL_STS", m.URL)
	admits(t, objects.S3Config{URL: m.URL})
}

// issuer is an OpenID provider, as a Kubernetes cluster has one.
type issuer struct {
	url string
	key *rsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	mux := http.NewServeMux()
	answer := func(path string, v func() map[string]any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			if err := json.NewEncoder(w).Encode(v()); err != nil {
				t.Error(err)
			}
		})
	}
	answer("/.well-known/openid-configuration", func() map[string]any {
		return map[string]any{"issuer": i.url, "jwks_uri": i.url + "/keys", "authorization_endpoint": i.url + "/auth",
			"token_endpoint": i.url + "/token", "response_types_supported": []string{"id_token"}}
	})
	answer("/keys", func() map[string]any {
		return map[string]any{"keys": []any{map[string]any{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1",
			"n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}}}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func (i *issuer) token(t *testing.T, claims map[string]any) string {
	claims["iss"], claims["aud"], claims["sub"] = i.url, "penstock", "worker"
	claims["iat"], claims["exp"] = time.Now().Unix(), time.Now().Add(time.Hour).Unix()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text := b64([]byte(`{"alg":"RS256","typ":"JWT","kid":"1"}`)) + "." + b64(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64(signature)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
