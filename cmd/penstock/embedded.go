package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/embedded/nats"
	"github.com/penstock-io/penstock/internal/embedded/s3"
)

// embedded are the servers that run in this process because none were configured.
type embedded struct {
	nats *nats.Server // nil where NATS is configured
	s3   *s3.Server   // nil where S3 is configured
	lock *folderLock
}

// startEmbedded starts what is not configured; nil where everything is.
func startEmbedded(ctx context.Context, v values, log *slog.Logger) (_ *embedded, err error) {
	if v.given("nats_url") && v.given("s3_url") {
		return nil, nil
	}
	dir, err := v.dataDir()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, contracts.Errorf(contracts.KindConfig, "data folder: %w", err)
	}
	e := &embedded{}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	if e.lock, err = lockFolder(dir); err != nil {
		return nil, err
	}
	natsURL := v.str("nats_url")
	if !v.given("nats_url") {
		if e.nats, err = nats.Start(ctx, nats.Config{Dir: filepath.Join(dir, "nats"), Log: log}); err != nil {
			return nil, err
		}
		natsURL = e.nats.URL()
	}
	if !v.given("s3_url") {
		if e.s3, err = startS3(ctx, v, dir, natsURL); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func startS3(ctx context.Context, v values, dir, natsURL string) (*s3.Server, error) {
	keys, err := folderKeys(filepath.Join(dir, "credentials.json"))
	if err != nil {
		return nil, err
	}
	server, err := s3.Start(ctx, s3.Config{
		Dir: filepath.Join(dir, "s3"), AccessKey: keys.Access, SecretKey: keys.Secret, NATSURL: natsURL,
		NATSSubject: contracts.Subjects{Prefix: v.str("nats_prefix")}.Notifications(),
		Silent:      []string{v.str("state_bucket"), v.str("rejects_bucket")},
	})
	if contracts.KindOf(err) == contracts.KindUnavailable {
		return nil, fmt.Errorf("%w: is nats-server up, and PENSTOCK_NATS_URL (%s) its address as seen from here?",
			err, redacted(natsURL))
	}
	return server, err
}

// Close stops what was started, S3 first: it may still have news for NATS.
func (e *embedded) Close() (err error) {
	if e.s3 != nil {
		err = e.s3.Close()
	}
	if e.nats != nil {
		e.nats.Close()
	}
	if e.lock != nil {
		err = errors.Join(err, e.lock.release())
	}
	return err
}

// keyPair opens the embedded S3 gateway. It is made once for a data folder, so that other tools may be given it.
type keyPair struct {
	Access string `json:"access_key"`
	Secret string `json:"secret_key"`
}

func folderKeys(path string) (keyPair, error) {
	var k keyPair
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		k = keyPair{Access: "penstock-" + randomText(4), Secret: randomText(20)}
		if data, err = json.Marshal(k); err == nil {
			err = os.WriteFile(path, data, 0o600)
		}
		return k, err
	}
	if err == nil {
		err = json.Unmarshal(data, &k)
	}
	if err != nil {
		err = contracts.Errorf(contracts.KindConfig, "keys of the embedded S3 gateway: %s: %w", path, err)
	}
	return k, err
}

// randomText is n random bytes in hexadecimal.
func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
