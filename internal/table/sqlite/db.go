package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// busyTimeout is how long a statement waits for another process: many times our own longest transaction.
const busyTimeout = 10 * time.Second

// readers bounds the connections that read; each has a page cache of its own.
const readers = 4

// DB is one SQLite file. It is safe for concurrent use: writes take turns on one connection.
type DB struct {
	path  string
	write *sql.DB  // one connection
	kept  *session // of that connection, for whoever has it: to prepare anew for each small write is half of it
	read  *sql.DB
}

// Open opens the file at path and creates it where it is missing; its folder must exist. Errors: config (missing
// folder, no database), denied, unavailable (locked).
func Open(ctx context.Context, path string) (*DB, error) { return open(ctx, path, busyTimeout) }

func open(ctx context.Context, path string, busy time.Duration) (*DB, error) {
	file, err := checkPath(path)
	if err != nil {
		return nil, err
	}
	db := &DB{path: path}
	if db.write, err = sql.Open("sqlite", dsn(file, busy, "journal_mode(WAL)")); err != nil {
		return nil, db.fail(err, "open")
	}
	db.write.SetMaxOpenConns(1)
	if db.read, err = sql.Open("sqlite", dsn(file, busy, "query_only(1)")); err != nil {
		return nil, errors.Join(db.fail(err, "open"), db.Close())
	}
	db.read.SetMaxOpenConns(readers)
	if err := db.writing(ctx, "open", readSchema(ctx)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// readSchema reads the file's header, which is when SQLite finds out what it has opened.
func readSchema(ctx context.Context) func(*session) error {
	return func(s *session) error {
		return s.query(ctx, "SELECT count(*) FROM sqlite_master", func([]driver.Value) error { return nil })
	}
}

func checkPath(path string) (string, error) {
	if path == "" || path == ":memory:" {
		return "", contracts.Errorf(contracts.KindConfig, "sqlite path %q: expected the path of a file", path)
	}
	file, err := filepath.Abs(path)
	if err != nil {
		return "", contracts.Errorf(contracts.KindConfig, "sqlite path %q: %w", path, err)
	}
	switch info, err := os.Stat(filepath.Dir(file)); {
	case errors.Is(err, fs.ErrNotExist):
		return "", contracts.Errorf(contracts.KindConfig, "sqlite %s: folder %s does not exist: create it, or name another",
			path, filepath.Dir(file))
	case errors.Is(err, fs.ErrPermission):
		return "", contracts.Errorf(contracts.KindDenied, "sqlite %s: %w", path, err)
	case err == nil && !info.IsDir():
		return "", contracts.Errorf(contracts.KindConfig, "sqlite %s: %s is a file, expected a folder",
			path, filepath.Dir(file))
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return "", contracts.Errorf(contracts.KindConfig, "sqlite %s: is a folder, expected a file", path)
	}
	return file, nil
}

// dsn sets what every connection needs. The page cache holds 16 MiB; the log is folded into the file every 16 MiB and
// cut to 64 MiB after a transaction that outgrew that. Without _dqs=0 SQLite takes an unknown column for a string.
func dsn(file string, busy time.Duration, more string) string {
	q := url.Values{"_dqs": {"0"}, "_pragma": {
		"busy_timeout(" + strconv.FormatInt(busy.Milliseconds(), 10) + ")", more,
		"synchronous(NORMAL)", "cache_size(-16384)", "wal_autocheckpoint(4096)", "journal_size_limit(67108864)",
	}}
	return "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + q.Encode()
}

// Close closes the file. Calls in flight end first.
func (db *DB) Close() error {
	errs := []error{db.forget()}
	for _, pool := range []*sql.DB{db.read, db.write} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return db.fail(errors.Join(errs...), "close")
}

// Ping says whether the file can be read. Errors: config, denied, unavailable.
func (db *DB) Ping(ctx context.Context) error { return db.reading(ctx, "ping", readSchema(ctx)) }

// writing runs fn on the one connection that writes, waiting for its turn; reading runs it on one that reads.
func (db *DB) writing(ctx context.Context, doing string, fn func(*session) error) error {
	return db.fail(raw(ctx, db.write, func(driverConn any) error {
		s, err := db.keep(driverConn)
		if err != nil {
			return err
		}
		return fn(s)
	}), doing)
}

func (db *DB) reading(ctx context.Context, doing string, fn func(*session) error) error {
	return db.fail(raw(ctx, db.read, func(driverConn any) (err error) {
		s, err := newSession(driverConn)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.close()) }()
		return fn(s)
	}), doing)
}

func raw(ctx context.Context, pool *sql.DB, fn func(driverConn any) error) (err error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return conn.Raw(fn)
}

// mostPrepared bounds the statements that are kept. A table has some thirty.
const mostPrepared = 1000

// keep gives the session that was kept of this connection, or a new one.
func (db *DB) keep(driverConn any) (s *session, err error) {
	switch {
	case db.kept == nil || db.kept.conn != driverConn: // the statements of a connection end with it
		db.kept, err = newSession(driverConn)
	case len(db.kept.prepared) > mostPrepared:
		err = db.kept.close()
	}
	return db.kept, err
}

// forget frees the statements that were kept, without which a connection cannot be closed.
func (db *DB) forget() error {
	if db.write == nil || db.write.Stats().OpenConnections == 0 {
		return nil
	}
	return raw(context.Background(), db.write, func(driverConn any) error {
		s, err := db.keep(driverConn)
		if err != nil {
			return err
		}
		return s.close()
	})
}
