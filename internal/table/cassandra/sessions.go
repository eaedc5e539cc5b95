package cassandra

import (
	"context"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// session is the one for a keyspace; "" serves schema work. A keyspace has its own because the driver routes batches to
// replicas only inside its session's keyspace.
func (db *DB) session(ctx context.Context, keyspace string) (*session, error) {
	if s, err := db.current(keyspace); s != nil || err != nil {
		return s, err
	}
	return db.replace(ctx, keyspace, nil)
}

// current is the session that exists, if one does.
func (db *DB) current(keyspace string) (*session, error) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.closed {
		return nil, contracts.Errorf(contracts.KindInterrupted, "the connection to cassandra is closed")
	}
	return db.sessions[keyspace], nil
}

// replace makes a new session in old's place, unless another caller has done so: a driver that has marked every host
// down finds hosts again that came back elsewhere only through its contact points.
func (db *DB) replace(ctx context.Context, keyspace string, old *session) (*session, error) {
	select {
	case db.dialing <- struct{}{}:
		defer func() { <-db.dialing }()
	case <-ctx.Done():
		return nil, contracts.Errorf(contracts.KindInterrupted, "connect to cassandra: %w", context.Cause(ctx))
	}
	if s, err := db.current(keyspace); err != nil || s != old {
		return s, err
	}
	if err := db.lastDial.recent(keyspace); err != nil {
		return nil, err
	}
	s, err := connect(ctx, db.cluster(keyspace))
	db.lastDial = dial{keyspace: keyspace, at: time.Now(), err: err}
	if err != nil {
		return nil, err
	}
	return db.install(keyspace, s)
}

// install makes s the keyspace's session and closes the one before.
func (db *DB) install(keyspace string, s *session) (*session, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		s.Close()
		return nil, contracts.Errorf(contracts.KindInterrupted, "the connection to cassandra is closed")
	}
	if old := db.sessions[keyspace]; old != nil {
		old.Close()
	}
	db.sessions[keyspace] = s
	return s, nil
}

// dial remembers a try to make a session, so that many waiting batches do not each try at once.
type dial struct {
	keyspace string
	at       time.Time
	err      error
}

// redialInterval is the least time between two tries after a failed one.
const redialInterval = time.Second

// recent is the error of a try that failed a moment ago. One that was interrupted says nothing about the servers.
func (d dial) recent(keyspace string) error {
	if d.keyspace != keyspace || time.Since(d.at) > redialInterval || !unavailable(d.err) {
		return nil
	}
	return d.err
}

func unavailable(err error) bool { return contracts.KindOf(err) == contracts.KindUnavailable }
