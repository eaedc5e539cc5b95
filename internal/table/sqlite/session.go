package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
)

// session speaks to one driver connection. database/sql would cost as much per parameter as SQLite itself; here a
// statement's parameters are bound from one reused slice.
type session struct {
	conn     driver.Conn
	prepared map[string]*statement
}

func newSession(driverConn any) (*session, error) {
	conn, ok := driverConn.(driver.Conn)
	if !ok {
		return nil, fmt.Errorf("the SQLite driver handed out a %T", driverConn)
	}
	return &session{conn: conn, prepared: map[string]*statement{}}, nil
}

// close frees the statements, not the connection.
func (s *session) close() error {
	var errs []error
	for _, st := range s.prepared {
		errs = append(errs, st.stmt.Close())
	}
	clear(s.prepared)
	return errors.Join(errs...)
}

// statement is a prepared statement with its parameters.
type statement struct {
	stmt driver.Stmt
	args []driver.NamedValue
	row  []driver.Value
}

// prepare returns the one statement of a text; texts are few, since row counts are cut into a few sizes.
func (s *session) prepare(query string) (*statement, error) {
	if st := s.prepared[query]; st != nil {
		return st, nil
	}
	stmt, err := s.conn.Prepare(query)
	if err != nil {
		return nil, err
	}
	st := &statement{stmt: stmt}
	s.prepared[query] = st
	return st, nil
}

// start empties the parameters, add appends one.
func (st *statement) start() { st.args = st.args[:0] }

func (st *statement) add(v driver.Value) {
	st.args = append(st.args, driver.NamedValue{Ordinal: len(st.args) + 1, Value: v})
}

// run executes with the parameters added and returns the number of rows changed.
func (st *statement) run(ctx context.Context) (int64, error) {
	res, err := st.stmt.(driver.StmtExecContext).ExecContext(ctx, st.args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// each hands every row to fn, which must not keep the slice.
func (st *statement) each(ctx context.Context, fn func(row []driver.Value) error) (err error) {
	rows, err := st.stmt.(driver.StmtQueryContext).QueryContext(ctx, st.args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if st.row == nil {
		st.row = make([]driver.Value, len(rows.Columns()))
	}
	for {
		switch err := rows.Next(st.row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := fn(st.row); err != nil {
			return err
		}
	}
}

// exec prepares and runs a statement.
func (s *session) exec(ctx context.Context, query string, args ...driver.Value) error {
	st, err := s.bind(query, args)
	if err != nil {
		return err
	}
	_, err = st.run(ctx)
	return err
}

// query prepares a statement and hands its rows to fn.
func (s *session) query(ctx context.Context, query string, fn func([]driver.Value) error, args ...driver.Value) error {
	st, err := s.bind(query, args)
	if err != nil {
		return err
	}
	return st.each(ctx, fn)
}

func (s *session) bind(query string, args []driver.Value) (*statement, error) {
	st, err := s.prepare(query)
	if err != nil {
		return nil, err
	}
	st.start()
	for _, a := range args {
		st.add(a)
	}
	return st, nil
}

// transaction runs fn between BEGIN IMMEDIATE, so that no other process writes between our reads and our writes, and
// COMMIT.
func (s *session) transaction(ctx context.Context, fn func() error) error {
	if err := s.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := fn()
	if err == nil {
		err = s.exec(context.WithoutCancel(ctx), "COMMIT")
	}
	if err != nil {
		return errors.Join(err, s.rollback(ctx))
	}
	return nil
}

// rollback ends a transaction that SQLite may have rolled back already, as it does on a full disk.
func (s *session) rollback(ctx context.Context) error {
	err := s.exec(context.WithoutCancel(ctx), "ROLLBACK")
	if err != nil && codeOf(err) == codeError {
		return nil
	}
	return err
}
