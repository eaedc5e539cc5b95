package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/penstock-io/penstock/internal/testenv/servers"
	"github.com/penstock-io/penstock/loadtest/measure"
)

// startLimit bounds the start of all servers.
const startLimit = 5 * time.Minute

// lab are the servers that every tool meets.
type lab struct {
	cassandra *servers.Cassandra
	minio     *servers.MinIO
	nats      *servers.NATS
	table     *table
	bucket    *bucket
}

// start starts the servers with their files below dir. An error leaves none of them running.
func start(ctx context.Context, dir string, heapMB int) (*lab, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	l := &lab{}
	if err := l.startServers(ctx, dir, heapMB); err != nil {
		l.stop()
		return nil, err
	}
	return l, nil
}

func (l *lab) startServers(ctx context.Context, dir string, heapMB int) (err error) {
	folders := [3]string{"cassandra", "s3", "nats"}
	for i, name := range folders {
		folders[i] = filepath.Join(dir, name)
		if err := os.MkdirAll(folders[i], 0o755); err != nil {
			return err
		}
	}
	o := servers.CassandraOptions{HeapMB: heapMB, Long: true, Lossy: true, Tuned: true}
	if l.cassandra, err = servers.StartCassandra(ctx, folders[0], o); err != nil {
		return err
	}
	if l.minio, err = servers.StartMinIO(ctx, folders[1], servers.MinIOOptions{}); err != nil {
		return err
	}
	if l.nats, err = servers.StartNATS(ctx, folders[2], ""); err != nil {
		return err
	}
	if l.bucket, err = newBucket(ctx, l.minio); err != nil {
		return err
	}
	l.table, err = newTable(ctx, l.cassandra.Addr)
	return err
}

// stop ends what was started.
func (l *lab) stop() {
	if l.table != nil {
		l.table.close()
	}
	if l.nats != nil {
		l.nats.Kill()
	}
	if l.minio != nil {
		l.minio.Kill()
	}
	if l.cassandra != nil {
		l.cassandra.Kill()
	}
}

// environment by which Penstock finds the servers, and knows that no worker on another machine takes part.
func (l *lab) environment(data string) []string {
	return []string{
		fmt.Sprintf("PENSTOCK_MAX_WORKERS=%d", runtime.NumCPU()),
		"PENSTOCK_TARGET=cassandra://" + l.cassandra.Addr, "PENSTOCK_NATS_URL=" + l.nats.URL,
		"PENSTOCK_S3_URL=" + l.minio.URL, "PENSTOCK_S3_ACCESS_KEY=" + l.minio.AccessKey,
		"PENSTOCK_S3_SECRET_KEY=" + l.minio.SecretKey, "PENSTOCK_DATA=" + data,
	}
}

// A server rests when it takes less than restCPU in each of restLooks looks in a row.
const (
	lookEvery = 500 * time.Millisecond
	restCPU   = 50 * time.Millisecond
	restLooks = 4
	restLimit = 5 * time.Minute
)

// rest waits until Cassandra has nothing left to do, and returns its CPU time when it began to rest.
func (l *lab) rest(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, restLimit, fmt.Errorf("cassandra did not come to rest in %s", restLimit))
	defer cancel()
	looks := time.NewTicker(lookEvery)
	defer looks.Stop()
	last, err := measure.CPU(l.cassandra.PID())
	began, quiet := last, 0
	for err == nil && quiet < restLooks {
		select {
		case <-looks.C:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		var now time.Duration
		now, err = measure.CPU(l.cassandra.PID())
		if quiet++; now-last > restCPU {
			began, quiet = now, 0
		}
		last = now
	}
	return began, err
}

// books are the CPU times of all that a run may use.
type books struct{ server, helpers, self, machine time.Duration }

func (l *lab) books() (b books, err error) {
	var errs [5]error
	b.server, errs[0] = measure.CPU(l.cassandra.PID())
	s3, err := measure.CPU(l.minio.PID())
	errs[1] = err
	nats, err := measure.CPU(l.nats.PID())
	errs[2] = err
	b.helpers = s3 + nats
	b.self, errs[3] = measure.CPU(os.Getpid())
	b.machine, errs[4] = measure.Busy()
	return b, errors.Join(errs[:]...)
}
