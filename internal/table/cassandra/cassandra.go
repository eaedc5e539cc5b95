// Package cassandra is the table in Apache Cassandra. It owns the session, the schema it makes when asked to, and the
// writing of rows: grouping by partition, concurrency that adapts, retries, and finding the one row that the database
// refuses.
//
// What must never happen: a row counted as written that was not acknowledged at the asked consistency, a retry that
// writes anything but the first try's bytes and timestamp, a row blamed for what the server or the schema did, and a
// password in an error.
package cassandra

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/contracts"
)

// defaultPort is where Cassandra listens for CQL unless told otherwise.
const defaultPort = 9042

// Config says where the cluster is and who we are. Only Hosts is required.
type Config struct {
	Hosts    []string // contact points, host or host:port
	Port     int      // of hosts without one; 0 is 9042
	Keyspace string   // default keyspace of the target; the session is in none
	LocalDC  string   // "" is the data centre of the first contact point that answers

	Username, Password string

	TLS                       bool   // implied by the files
	CAFile, CertFile, KeyFile string // PEM

	Log *slog.Logger // the driver's own messages, at debug; nil drops them
}

// DB is one cluster. It is safe for concurrent use.
type DB struct {
	cfg     Config
	cluster func(*ring) *gocql.ClusterConfig
	dc      string

	dialing  chan struct{}  // holds one token: whoever has it may make the session
	mu       sync.RWMutex   // guards what follows
	live     *gocql.Session // nil before the first
	ring     *ring          // of its nodes
	closed   bool
	lastDial dial // guarded by dialing
}

// Open connects and finds the local data centre. Errors: unavailable (no host answers), denied (credentials), config
// (TLS files, a data centre that does not exist).
func Open(ctx context.Context, cfg Config) (*DB, error) { return open(ctx, cfg, nil) }

// open is Open with a hand on the driver's settings, for tests that watch its frames.
func open(ctx context.Context, cfg Config, tune func(*gocql.ClusterConfig)) (*DB, error) {
	if len(cfg.Hosts) == 0 {
		return nil, contracts.Errorf(contracts.KindConfig,
			"cassandra target names no host: expected cassandra://host[:port][,host…][/keyspace]")
	}
	if cfg.Port == 0 {
		cfg.Port = defaultPort
	}
	tls, err := tlsConfig(cfg)
	if err != nil {
		return nil, err
	}
	db := &DB{cfg: cfg, dialing: make(chan struct{}, 1), ring: new(ring)}
	db.cluster = func(r *ring) *gocql.ClusterConfig {
		c := clusterConfig(cfg, db.dc, tls, r)
		if tune != nil {
			tune(c)
		}
		return c
	}
	if db.dc, err = db.localDC(ctx); err != nil {
		return nil, err
	}
	if _, err := db.session(ctx); err != nil {
		return nil, err
	}
	return db, nil
}

// Close ends all connections. Writes that still run fail.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.closed = true
	if db.live != nil {
		db.live.Close()
	}
	return nil
}

// Ping asks the cluster for a sign of life, through a new session where the old one has lost every host.
func (db *DB) Ping(ctx context.Context) error {
	return db.with(ctx, "ping cassandra", func(s *gocql.Session) error {
		return s.Query(`SELECT key FROM system.local`).WithContext(ctx).Exec()
	})
}

// with runs one schema or system request. A session without a live host is replaced and the request run once more.
func (db *DB) with(ctx context.Context, op string, fn func(*gocql.Session) error) error {
	s, err := db.session(ctx)
	if err != nil {
		return err
	}
	err = fn(s)
	if lostHosts(err) {
		if s, err = db.replace(ctx, s); err != nil {
			return err
		}
		err = fn(s)
	}
	return explain(ctx, op, err)
}

// localDC takes the configured data centre, or that of the first contact point that answers.
func (db *DB) localDC(ctx context.Context) (string, error) {
	var firstErr error
	for _, host := range db.cfg.Hosts {
		dcs, err := db.probe(ctx, host)
		if err == nil {
			return chooseDC(db.cfg.LocalDC, dcs)
		}
		if firstErr == nil || contracts.KindOf(firstErr) == contracts.KindUnavailable {
			firstErr = err
		}
	}
	if contracts.KindOf(firstErr) == contracts.KindUnavailable && len(db.cfg.Hosts) > 1 {
		return "", contracts.Errorf(contracts.KindUnavailable, "none of the contact points %s answers; the last: %w",
			strings.Join(db.cfg.Hosts, ", "), firstErr)
	}
	return "", firstErr
}

// chooseDC checks the configured data centre against those of the cluster; dcs[0] is the contact point's.
func chooseDC(configured string, dcs []string) (string, error) {
	if configured == "" || slices.Contains(dcs, configured) {
		if configured == "" {
			configured = dcs[0]
		}
		return configured, nil
	}
	names := slices.Compact(slices.Sorted(slices.Values(dcs)))
	return "", contracts.Errorf(contracts.KindConfig,
		"no data centre %q in the cluster: it has %s; set PENSTOCK_LOCAL_DC to one of them, or leave it out",
		configured, strings.Join(names, ", "))
}

// probe asks one contact point for the data centre of every node, its own first.
func (db *DB) probe(ctx context.Context, host string) ([]string, error) {
	c := db.cluster(new(ring))
	c.Hosts = []string{host}
	c.PoolConfig.HostSelectionPolicy = gocql.RoundRobinHostPolicy()
	c.DisableInitialHostLookup = true
	c.NumConns = 1
	s, err := connect(ctx, c)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return dataCentres(ctx, s)
}

// dataCentres lists the data centre of the node that answers, then of the nodes that it knows.
func dataCentres(ctx context.Context, s *gocql.Session) ([]string, error) {
	var dcs []string
	for _, table := range []string{"local", "peers"} {
		iter := s.Query(`SELECT data_center FROM system.` + table).WithContext(ctx).Iter()
		for dc := ""; iter.Scan(&dc); {
			dcs = append(dcs, dc)
		}
		if err := iter.Close(); err != nil {
			return nil, explain(ctx, "read the cluster's data centres", err)
		}
	}
	if len(dcs) == 0 {
		return nil, contracts.Errorf(contracts.KindUnavailable, "system.local is empty: the node is still starting")
	}
	return dcs, nil
}

// address is host with the default port where it has none, for messages.
func (c Config) address(host string) string {
	return gocql.JoinHostPort(host, c.Port)
}

// backoff is how long to wait before try n, counted from 0: doubling, with a ceiling.
func backoff(n int) time.Duration { return min(100*time.Millisecond<<min(n, 10), 3*time.Second) }

// wait sleeps for d or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
