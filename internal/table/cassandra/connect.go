package cassandra

import (
	"context"
	"crypto/tls"
	"sync"
	"time"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/contracts"
)

// Time limits of the driver. A request's is longer than the server's own (2 s writes, 5 s reads), so that the server's
// answer, which says more, comes first.
const (
	connectTimeout  = 5 * time.Second
	requestTimeout  = 12 * time.Second
	reconnectEvery  = 2 * time.Second
	connsPerHost    = 2
	protocolVersion = 4 // Cassandra 2.2 to 5.0; frames.go reads this one
	schemaAgreement = 30 * time.Second
	keepAlive       = 30 * time.Second
)

// clusterConfig is how the driver is set up. Retries and timestamps are ours, so it does neither. It keeps the ring up
// to date with the nodes that the session knows.
func clusterConfig(cfg Config, dc string, secure *tls.Config, r *ring) *gocql.ClusterConfig {
	c := gocql.NewCluster(cfg.Hosts...)
	c.Port = cfg.Port
	c.ProtoVersion = protocolVersion
	c.Timeout, c.ConnectTimeout = requestTimeout, connectTimeout
	c.NumConns = connsPerHost
	c.ReconnectInterval = reconnectEvery
	c.MaxWaitSchemaAgreement = schemaAgreement
	c.DefaultTimestamp = false
	c.Consistency = gocql.LocalQuorum
	c.Authenticator = credentials{cfg.Username, cfg.Password}
	c.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(local{gocql.DCAwareRoundRobinPolicy(dc), r})
	if dc != "" {
		// A node of another data centre would count that one's replicas for LOCAL_QUORUM.
		c.HostFilter = gocql.DataCentreHostFilter(dc)
	}
	c.HostDialer = &dialer{tls: secure, names: cfg.names()}
	c.Logger = driverLog{cfg.Log}
	return c
}

// credentials answer the server's demand for a user and password.
type credentials struct{ user, password string }

func (c credentials) Challenge([]byte) ([]byte, gocql.Authenticator, error) {
	if c.user == "" {
		return nil, nil, errNoCredentials
	}
	return []byte("\x00" + c.user + "\x00" + c.password), nil, nil
}

func (credentials) Success([]byte) error { return nil }

// connect makes a session, or says which hosts failed and how. The driver takes no context: when ctx ends, what it
// dialled for this session is closed under it.
func connect(ctx context.Context, c *gocql.ClusterConfig) (*gocql.Session, error) {
	seen := &failures{}
	c.ConnectObserver = seen
	d, _ := c.HostDialer.(*dialer)
	release := d.guard(ctx)
	s, err := c.CreateSession()
	release()
	if ctx.Err() != nil {
		if err == nil {
			s.Close()
		}
		return nil, contracts.Errorf(contracts.KindInterrupted, "connect to cassandra: %w", context.Cause(ctx))
	}
	if err != nil {
		return nil, unreachable(c, seen.list(), err)
	}
	return s, nil
}

// failures collects what went wrong with each connection: the driver's own error has the text only.
type failures struct {
	mu  sync.Mutex
	all []gocql.ObservedConnect
}

// ObserveConnect keeps a bounded number of failures.
func (f *failures) ObserveConnect(c gocql.ObservedConnect) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.Err != nil && len(f.all) < 8 {
		f.all = append(f.all, c)
	}
}

func (f *failures) list() []gocql.ObservedConnect {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all
}
