// Command bare is the yardstick of the comparison: the fastest loop over a file and gocql that we know to write. It
// reads CSV files into blocks of memory, sorts each by key, and sends it as unlogged batches while the next is read.
//
//	bare -host 127.0.0.1:9042 -table ks.readings [-partitions 1] [-rows 100] FILE…
//
// It does no more than that: no queue, no object store, no merging, no rejects, no retry of its own. A row that comes
// twice, or a file that is not as dataset writes it, is beyond it. What must never happen: that it is improved by what
// only this benchmark's files allow, such as types that are guessed or errors that are passed over.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/gocql/gocql"
)

type settings struct {
	host, table      string
	block            int64 // bytes of file that are sorted at once
	rows, partitions int   // of one batch, at the most
	bytes            int   // of one batch over several partitions: Cassandra refuses 50 KiB
	inFlight, conns  int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("bare", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.host, "host", "127.0.0.1:9042", "of Cassandra")
	flags.StringVar(&s.table, "table", "", "keyspace.table, with the columns of the files")
	flags.Int64Var(&s.block, "block", 60_000_000, "bytes of file that are sorted at once")
	flags.IntVar(&s.rows, "rows", 100, "rows of a batch, at the most")
	flags.IntVar(&s.partitions, "partitions", 1, "partitions of a batch, at the most")
	flags.IntVar(&s.bytes, "bytes", 40_000, "bytes of a batch over several partitions, at the most")
	flags.IntVar(&s.inFlight, "in-flight", 32, "batches at a time")
	flags.IntVar(&s.conns, "connections", 2, "to the host")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.table == "" || flags.NArg() == 0 {
		return errors.New("expected -table and at least one file")
	}
	debug.SetGCPercent(200) // memory is cheaper here than time
	session, err := connect(s)
	if err != nil {
		return err
	}
	defer session.Close()
	return load(ctx, session, s, flags.Args())
}

func connect(s settings) (*gocql.Session, error) {
	cluster := gocql.NewCluster(s.host)
	cluster.NumConns = s.conns
	cluster.Timeout = time.Minute
	cluster.Consistency = gocql.LocalOne
	cluster.DisableInitialHostLookup = true
	session, err := cluster.CreateSession()
	if err != nil {
		return nil, fmt.Errorf("connect to Cassandra at %s: %w", s.host, err)
	}
	return session, nil
}

// load reads a block while the last one is sorted and written. It returns the first error, when all has come to rest.
func load(ctx context.Context, session *gocql.Session, s settings, paths []string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	blocks, batches := make(chan []row), make(chan []row, s.inFlight)
	var all sync.WaitGroup
	all.Go(func() {
		defer close(blocks)
		if err := readAll(ctx, paths, s.block, blocks); err != nil {
			cancel(err)
		}
	})
	all.Go(func() {
		defer close(batches)
		for block := range blocks {
			cut(block, s, func(rows []row) { batches <- rows })
		}
	})
	for range s.inFlight {
		all.Go(func() { write(ctx, cancel, session, s.table, batches) })
	}
	all.Wait()
	return context.Cause(ctx)
}

// write sends batches until there are none; after an error it only drains them.
func write(ctx context.Context, cancel context.CancelCauseFunc, session *gocql.Session, table string,
	batches <-chan []row) {
	insert := "INSERT INTO " + table + " (device, ts, seq, status, temperature, pressure, total, valid, note, trace)" +
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	for rows := range batches {
		if ctx.Err() != nil {
			continue
		}
		batch := session.NewBatch(gocql.UnloggedBatch).WithContext(ctx)
		batch.Entries = make([]gocql.BatchEntry, len(rows))
		for i := range rows {
			batch.Entries[i] = gocql.BatchEntry{Stmt: insert, Args: rows[i].values()}
		}
		if err := session.ExecuteBatch(batch); err != nil {
			cancel(fmt.Errorf("write a batch of %d rows from %s on: %w", len(rows), rows[0].device, err))
		}
	}
}
