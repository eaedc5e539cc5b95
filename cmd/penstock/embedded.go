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
	"github.com/penstock-io/penstock/internal/queue"
)

// embedded are the servers that run in this process because none were configured.
type embedded struct {
	nats   *nats.Server // nil where NATS is configured
	s3     *s3.Server   // nil where S3 is configured
	notify *queue.Queue // takes what s3 tells; nil without it
	lock   *folderLock
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
	// One that was killed left it.
	if err := os.Remove(filepath.Join(dir, upFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, contracts.Errorf(contracts.KindConfig, "data folder: %w", err)
	}
	if !v.given("nats_url") {
		if e.nats, err = nats.Start(ctx, nats.Config{Dir: filepath.Join(dir, "nats"), Log: log}); err != nil {
			return nil, err
		}
	}
	if !v.given("s3_url") {
		if err = e.startS3(ctx, v, dir, log); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (e *embedded) startS3(ctx context.Context, v values, dir string, log *slog.Logger) error {
	keys, err := folderKeys(dir)
	if err != nil {
		return err
	}
	cfg := natsConfig(v, e.nats)
	cfg.Name, cfg.Log, cfg.Held = "penstock s3", log, heldNotices
	e.notify, err = queue.Connect(ctx, cfg)
	if contracts.KindOf(err) == contracts.KindUnavailable {
		return fmt.Errorf("embedded S3, to tell what arrives: %w And is PENSTOCK_NATS_URL its address as seen from here?",
			err)
	}
	if err != nil {
		return fmt.Errorf("embedded S3, to tell what arrives: %w", err)
	}
	e.s3, err = s3.Start(ctx, s3.Config{
		Dir: filepath.Join(dir, "s3"), AccessKey: keys.Access, SecretKey: keys.Secret, Notify: e.notify.Notify,
		Silent: []string{v.str("state_bucket"), v.str("rejects_bucket")},
	})
	return err
}

// heldNotices is for some 10,000 notifications.
const heldNotices = 4 << 20

// natsConfig is how to connect to the embedded server, or to the one that is configured where that is nil.
func natsConfig(v values, server *nats.Server) queue.Config {
	if server != nil {
		return queue.Config{URL: server.URL(), Prefix: v.str("nats_prefix")}
	}
	replicas, _ := v.integer("nats_replicas", 0) // check has seen to it
	return queue.Config{
		URL: v.str("nats_url"), Prefix: v.str("nats_prefix"), User: v.str("nats_user"), Password: v.str("nats_password"),
		Token: v.str("nats_token"), CredsFile: v.str("nats_creds"), NKeyFile: v.str("nats_nkey"),
		CAFile: v.str("nats_ca"), CertFile: v.str("nats_cert"), KeyFile: v.str("nats_key"),
		Inbox: v.str("nats_inbox"), Replicas: replicas,
	}
}

// Close stops what was started, S3 first: it may still have news for NATS.
func (e *embedded) Close() (err error) {
	if e.s3 != nil {
		err = e.s3.Close()
	}
	if e.notify != nil {
		e.notify.Close()
	}
	if e.nats != nil {
		e.nats.Close()
	}
	if e.lock != nil {
		err = errors.Join(err, e.lock.release())
	}
	return err
}

// keysFile holds, in the data folder, what opens the embedded S3 gateway.
const keysFile = "credentials.json"

// keyPair opens the embedded S3 gateway. It is made once for a data folder, so that other tools may be given it.
type keyPair struct {
	Access string `json:"access_key"`
	Secret string `json:"secret_key"`
}

func folderKeys(dir string) (keyPair, error) {
	var k keyPair
	path := filepath.Join(dir, keysFile)
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
	if err == nil && (k.Access == "" || k.Secret == "") {
		err = errors.New("found no access_key or no secret_key")
	}
	if err != nil {
		err = contracts.Errorf(contracts.KindConfig,
			"keys of the embedded S3 gateway: %s: %w: delete the file to have new ones made", path, err)
	}
	return k, err
}

// randomText is n random bytes in hexadecimal.
func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
