package cassandra

import (
	"context"
	"time"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/contracts"
)

// session is the one that exists, or the first. There is one for all keyspaces and it is in none of them: the driver
// then sends a batch to the local node that follows its token on the ring, which is a replica whatever the keyspace,
// and needs no schema of ours.
func (db *DB) session(ctx context.Context) (*gocql.Session, error) {
	if s, err := db.current(); s != nil || err != nil {
		return s, err
	}
	return db.replace(ctx, nil)
}

func (db *DB) current() (*gocql.Session, error) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.closed {
		return nil, contracts.Errorf(contracts.KindInterrupted, "the connection to cassandra is closed")
	}
	return db.live, nil
}

// nodes is the ring of the session that exists.
func (db *DB) nodes() *ring {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.ring
}

// replace makes a new session in old's place, unless another caller has done so: a driver that has marked every host
// down finds hosts that came back elsewhere only through its contact points.
func (db *DB) replace(ctx context.Context, old *gocql.Session) (*gocql.Session, error) {
	select {
	case db.dialing <- struct{}{}:
		defer func() { <-db.dialing }()
	case <-ctx.Done():
		return nil, contracts.Errorf(contracts.KindInterrupted, "connect to cassandra: %w", context.Cause(ctx))
	}
	if s, err := db.current(); err != nil || s != old {
		return s, err
	}
	if err := db.lastDial.recent(); err != nil {
		return nil, err
	}
	r := new(ring)
	s, err := connect(ctx, db.cluster(r))
	db.lastDial = dial{at: time.Now(), err: err}
	if err != nil {
		return nil, err
	}
	return db.install(s, r)
}

// install makes s, which keeps r, the session and closes the one before.
func (db *DB) install(s *gocql.Session, r *ring) (*gocql.Session, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		s.Close()
		return nil, contracts.Errorf(contracts.KindInterrupted, "the connection to cassandra is closed")
	}
	if db.live != nil {
		db.live.Close()
	}
	db.live, db.ring = s, r
	return s, nil
}

// dial remembers a try to make a session, so that many waiting batches do not each try at once.
type dial struct {
	at  time.Time
	err error
}

// redialInterval is the least time between two tries after a failed one.
const redialInterval = time.Second

// recent is the error of a try that failed a moment ago. One that was interrupted says nothing about the servers.
func (d dial) recent() error {
	if time.Since(d.at) > redialInterval || !unavailable(d.err) {
		return nil
	}
	return d.err
}

func unavailable(err error) bool { return contracts.KindOf(err) == contracts.KindUnavailable }
