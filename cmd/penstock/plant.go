package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/embedded/nats"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/ops"
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
	watch     *watch       // nil where nobody asks
	metrics   *ops.Metrics // the watch's

	mu      sync.Mutex // guards closers, as parts may be opened at once
	closers []func() error
}

// need says what a command uses of a plant.
type need uint8

const (
	needStore   need = 1 << iota // object storage
	needQueue                    // NATS, with its streams
	needTarget                   // the table
	needStreams                  // with needQueue: streams and consumers are made, or found to be as they must
	needAll     = needStore | needQueue | needTarget
	needRoles   = needAll | needStreams // what a dispatcher in this process needs
)

// openPlant connects to what is configured and starts what is not.
func openPlant(ctx context.Context, v values, log *slog.Logger, n need) (p *plant, err error) {
	if p, err = newPlant(ctx, v, log); err != nil {
		return p, advised(err)
	}
	for _, part := range p.parts(n) {
		if err = part.open(ctx); err != nil {
			return p, errors.Join(advised(err), p.Close())
		}
	}
	p.join()
	return p, nil
}

// advised says what to do next about a server that does not answer, or not us.
func advised(err error) error {
	switch kind := contracts.KindOf(err); {
	case kind == contracts.KindUnavailable, kind == contracts.KindDenied && !queue.Forbidden(err): // which advises already
		return fmt.Errorf("%w: `penstock doctor`, with the same settings, looks at each server", err)
	}
	return err
}

// newPlant starts what is not configured.
func newPlant(ctx context.Context, v values, log *slog.Logger) (p *plant, err error) {
	p = &plant{settings: v, log: log, owner: ownerName(), timing: roleTiming()}
	if p.embedded, err = startEmbedded(ctx, v, log); err == nil && p.embedded != nil {
		p.closeLater(p.embedded.Close)
	}
	return p, err
}

// part is something that a plant is joined to.
type part struct {
	name string // as probes and doctor call it
	open func(context.Context) error
}

// parts are those that are needed. Each may be opened by itself, and again where that failed.
func (p *plant) parts(n need) (needed []part) {
	for _, s := range []struct {
		need need
		part part
	}{
		{needStore, part{"s3", p.openStore}},
		{needQueue, part{"nats", func(ctx context.Context) error { return p.openQueue(ctx, n) }}},
		{needTarget, part{"table", p.openTarget}},
	} {
		if n&s.need != 0 {
			needed = append(needed, s.part)
		}
	}
	return needed
}

// join puts together what was opened.
func (p *plant) join() {
	p.pipelines = newPipelines(p.store, p.target, newBudgets(p.queue, p.log, p.timing.now), p.metrics)
}

// closeLater has Close call fn, the later the sooner.
func (p *plant) closeLater(fn func() error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closers = append(p.closers, fn)
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
		cfg.Near = p.embedded.s3
	}
	s3, err := objects.NewS3(ctx, cfg)
	if err != nil {
		return err
	}
	for _, bucket := range []string{v.str("state_bucket"), v.str("rejects_bucket")} {
		if err := s3.EnsureBucket(ctx, bucket); err != nil {
			s3.Close()
			return err
		}
	}
	p.closeLater(func() error { s3.Close(); return nil })
	p.s3 = s3
	dir, err := v.dataDir()
	if err != nil {
		return err
	}
	data := strings.TrimPrefix(filepath.ToSlash(dir), "/") + "/"
	p.objects = sourceObjects{objects.NewRouter(p.s3, objects.NewDir()), data}
	p.docs = objects.NewDocs(p.s3, v.str("state_bucket"))
	p.store = state.New(p.docs)
	if p.embedded != nil && p.embedded.nats != nil && p.embedded.s3 != nil {
		p.store.Alone()
	}
	return nil
}

// subjects are those of the configured prefix.
func (p *plant) subjects() contracts.Subjects {
	return contracts.Subjects{Prefix: p.settings.str("nats_prefix")}
}

func (p *plant) queueConfig() queue.Config {
	var server *nats.Server
	if p.embedded != nil {
		server = p.embedded.nats
	}
	cfg := natsConfig(p.settings, server)
	cfg.Name, cfg.Log, cfg.AckWait = p.owner, p.log, p.timing.lease
	return cfg
}

// openQueue connects. Who needs streams makes them; anybody else does so only where there are none, and lacks the
// permission where NATS users are kept apart: then a dispatcher must come first.
func (p *plant) openQueue(ctx context.Context, n need) error {
	q, err := queue.Connect(ctx, p.queueConfig())
	if err != nil {
		return err
	}
	if n&needStreams == 0 {
		err = q.Ping(ctx, queue.Submitter)
	}
	if n&needStreams != 0 || contracts.KindOf(err) == contracts.KindMissing {
		err = q.Setup(ctx)
	}
	return p.keepQueue(q, err)
}

// openWorkersQueue connects and looks for the chunks, for which a dispatcher makes a place.
func (p *plant) openWorkersQueue(ctx context.Context) error {
	q, err := queue.Connect(ctx, p.queueConfig())
	if err != nil {
		return err
	}
	return p.keepQueue(q, q.Ping(ctx, queue.Worker))
}

// keepQueue closes a queue that is of no use.
func (p *plant) keepQueue(q *queue.Queue, err error) error {
	if err != nil {
		q.Close()
		return err
	}
	p.closeLater(func() error { q.Close(); return nil })
	p.queue = q
	return nil
}

func (p *plant) openTarget(ctx context.Context) (err error) {
	if p.target, err = openTarget(ctx, p.settings, p.log); err != nil {
		return err
	}
	p.closeLater(p.target.Close)
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
