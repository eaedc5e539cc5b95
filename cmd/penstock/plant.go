package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/queue"
	"github.com/penstock-io/penstock/state"
)

// plant is everything that a command is joined to. Close it.
type plant struct {
	settings  values
	log       *slog.Logger
	s3        *objects.S3
	objects   sourceObjects
	docs      *objects.Docs
	store     *state.Store
	queue     *queue.Queue
	target    target
	pipelines *pipelines
	embedded  *embedded // nil where nothing is
	owner     string
	timing    timing
	closers   []func() error
}

// need says what a command uses of a plant.
type need uint8

const (
	needStore  need = 1 << iota // object storage
	needQueue                   // NATS, with its streams
	needTarget                  // the table
	needAll    = needStore | needQueue | needTarget
)

// openPlant connects to what is configured and starts what is not.
func openPlant(ctx context.Context, v values, log *slog.Logger, n need) (p *plant, err error) {
	p = &plant{settings: v, log: log, owner: ownerName(), timing: roleTiming()}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if p.embedded, err = startEmbedded(ctx, v, log); err != nil {
		return p, err
	}
	if p.embedded != nil {
		p.closers = append(p.closers, p.embedded.Close)
	}
	steps := []struct {
		need need
		open func(context.Context) error
	}{{needStore, p.openStore}, {needQueue, p.openQueue}, {needTarget, p.openTarget}}
	for _, s := range steps {
		if n&s.need == 0 {
			continue
		}
		if err = s.open(ctx); err != nil {
			return p, err
		}
	}
	p.pipelines = newPipelines(p.store, p.target, newBudgets(p.queue, p.log, p.timing.now))
	return p, nil
}

// Close lets go of everything, the last opened first.
func (p *plant) Close() error {
	var all error
	for i := len(p.closers) - 1; i >= 0; i-- {
		all = errors.Join(all, p.closers[i]())
	}
	p.closers = nil
	return all
}

func (p *plant) openStore(ctx context.Context) (err error) {
	v := p.settings
	cfg := objects.S3Config{
		URL: v.str("s3_url"), AccessKey: v.str("s3_access_key"), SecretKey: v.str("s3_secret_key"),
		SessionToken: v.str("s3_session_token"), Region: v.str("s3_region"), Style: v.str("s3_style"), CAFile: v.str("s3_ca"),
	}
	if p.embedded != nil && p.embedded.s3 != nil {
		cfg = objects.S3Config{URL: p.embedded.s3.URL()} // whatever opens other stores does not open this one
		cfg.AccessKey, cfg.SecretKey = p.embedded.s3.Keys()
	}
	if p.s3, err = objects.NewS3(ctx, cfg); err != nil {
		return err
	}
	p.closers = append(p.closers, func() error { p.s3.Close(); return nil })
	for _, bucket := range []string{v.str("state_bucket"), v.str("rejects_bucket")} {
		if err := p.s3.EnsureBucket(ctx, bucket); err != nil {
			return err
		}
	}
	dir, err := v.dataDir()
	if err != nil {
		return err
	}
	data := strings.TrimPrefix(filepath.ToSlash(dir), "/") + "/"
	p.objects = sourceObjects{objects.NewRouter(p.s3, objects.NewDir()), data}
	p.docs = objects.NewDocs(p.s3, v.str("state_bucket"))
	p.store = state.New(p.docs)
	return nil
}

// subjects are those of the configured prefix.
func (p *plant) subjects() contracts.Subjects {
	return contracts.Subjects{Prefix: p.settings.str("nats_prefix")}
}

func (p *plant) queueConfig() queue.Config {
	v := p.settings
	if p.embedded != nil && p.embedded.nats != nil {
		return queue.Config{URL: p.embedded.nats.URL(), Prefix: v.str("nats_prefix"), Name: p.owner, Log: p.log}
	}
	return queue.Config{
		URL: v.str("nats_url"), Prefix: v.str("nats_prefix"), User: v.str("nats_user"), Password: v.str("nats_password"),
		Token: v.str("nats_token"), CredsFile: v.str("nats_creds"), NKeyFile: v.str("nats_nkey"),
		CAFile: v.str("nats_ca"), CertFile: v.str("nats_cert"), KeyFile: v.str("nats_key"), Name: p.owner, Log: p.log,
		AckWait: p.timing.lease,
	}
}

func (p *plant) openQueue(ctx context.Context) (err error) {
	if p.queue, err = queue.Connect(ctx, p.queueConfig()); err != nil {
		return err
	}
	p.closers = append(p.closers, func() error { p.queue.Close(); return nil })
	return p.queue.Setup(ctx)
}

func (p *plant) openTarget(ctx context.Context) (err error) {
	if p.target, err = openTarget(ctx, p.settings, p.log); err != nil {
		return err
	}
	p.closers = append(p.closers, p.target.Close)
	return nil
}

// solo says that no other process can take part: NATS is this process's own.
func (p *plant) solo() bool { return p.embedded != nil && p.embedded.nats != nil }

// ownerName names this process in leases, completions and connections.
func ownerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	return host + "-" + randomText(4)
}

// targetAddress is a parsed target.
type targetAddress struct {
	sqlite   string // path; "" for Cassandra
	hosts    []string
	keyspace string
}

// parseTarget reads cassandra://host[:port][,…][/keyspace] or sqlite:PATH.
func parseTarget(text string) (targetAddress, error) {
	if path, ok := strings.CutPrefix(text, "sqlite:"); ok && path != "" {
		abs, err := filepath.Abs(strings.TrimPrefix(path, "//"))
		return targetAddress{sqlite: abs}, err
	}
	rest, ok := strings.CutPrefix(text, "cassandra://")
	if !ok || rest == "" {
		return targetAddress{}, badTarget(text)
	}
	hosts, keyspace, _ := strings.Cut(rest, "/")
	t := targetAddress{keyspace: keyspace, hosts: strings.Split(hosts, ",")}
	for _, h := range t.hosts {
		if strings.Contains(h, "@") {
			return targetAddress{}, badTarget(text)
		}
		if _, _, err := net.SplitHostPort(h); err != nil && !strings.Contains(err.Error(), "missing port") || h == "" {
			return targetAddress{}, badTarget(text)
		}
	}
	return t, nil
}

func badTarget(text string) error {
	return contracts.Errorf(contracts.KindConfig,
		"target %q: expected cassandra://host[:port][,host…]/keyspace or sqlite:PATH, without user and password",
		redacted(text))
}

// targetText is the target as configured, or the default in the data folder.
func targetText(v values) (string, error) {
	dir, err := v.dataDir()
	return cmp.Or(v.str("target"), "sqlite:"+filepath.Join(dir, "penstock.db")), err
}
