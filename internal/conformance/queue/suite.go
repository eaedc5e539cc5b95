// Package queuetest is the suite that the queue passes on every NATS that it meets: the one in this process and a real
// nats-server. It says what dispatcher and workers may rely on.
//
// What must never happen: a test that knows which server it runs on, or one that passes because a clock was kind.
package queuetest

import (
	"context"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// Queue is a connection under test.
type Queue interface {
	Setup(ctx context.Context) error
	WaitReady(ctx context.Context) error
	PublishJob(ctx context.Context, pipeline string, data []byte) error
	PublishChunk(ctx context.Context, w contracts.ChunkWork) error
	PublishEvent(ctx context.Context, e contracts.Event) error
	Jobs(ctx context.Context) (Puller, error)
	Chunks(ctx context.Context) (Puller, error)
	Notifications(ctx context.Context) (Puller, error)
	Events(ctx context.Context, job contracts.JobID, all bool, fn func(contracts.Event)) (func(), error)
	Queued(ctx context.Context, job contracts.JobID) (map[string]bool, error)
	Purge(ctx context.Context, job contracts.JobID) error
	Close()
}

// Puller hands out messages, one at a time.
type Puller interface {
	Next(ctx context.Context) (Message, error)
	Stop()
}

// Message is one delivery.
type Message interface {
	Data() []byte
	Subject() string
	Deliveries() int
	Time() time.Time
	Sequence() uint64
	Progress() error
	Ack(ctx context.Context) error
	Nak(delay time.Duration) error
	Term(reason string) error
}

// Options are what tests vary. The zero value has the queue's defaults but for the prefix, which is needed.
type Options struct {
	Prefix    string
	AckWait   time.Duration
	MaxChunks int64
}

// Connect opens a connection.
type Connect func(ctx context.Context, o Options) (Queue, error)

// Funcs are a server under test. Every field is needed.
type Funcs struct {
	Connect     Connect
	Restartable func(t *testing.T) (connect Connect, restart func()) // a server that no other test uses
	Prefix      func(t *testing.T) string                            // one that no other test uses
	Full        error                                                // what a full stream's error wraps
}

// Run runs the suite. Its subtests run in parallel, each under a prefix of its own.
func Run(t *testing.T, f Funcs) {
	for _, c := range []struct {
		name string
		test func(*fixture)
	}{
		{"a job comes as it was published", jobRoundTrip},
		{"a chunk comes as it was published", chunkRoundTrip},
		{"an event comes as it was published", eventRoundTrip},
		{"a job needs a pipeline's name", jobNames},
		{"a chunk that is queued is queued once", queuedOnce},
		{"a full stream says so", fullStream},
		{"a larger limit makes room", largerLimit},
		{"a message handed back comes again after its delay", handBack},
		{"a message whose holder vanished comes again", vanishedHolder},
		{"progress keeps the lease", progressKeeps},
		{"a late acknowledgement counts", lateAck},
		{"a message is settled once", settledTwice},
		{"a terminated message is gone", terminated},
		{"a purge takes one job's chunks", purge},
		{"queued chunks are listed, held ones too", listing},
		{"two pullers share the work", shared},
		{"no message waits in a puller", nothingBuffered},
		{"a puller that gave up takes no message along", cancelledNext},
		{"next ends with its context", nextEnds},
		{"stop and close end a waiting next", stopEnds},
		{"events from the first", eventsFromFirst},
		{"new events only", eventsNew},
		{"events of one job", eventsOfJob},
		{"prefixes keep apart", prefixes},
		{"setup runs many times at once", concurrentSetup},
		{"a worker waits for the streams", waitReady},
		{"nothing to pull from before setup", beforeSetup},
		{"a restart loses nothing", restart},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(newFixture(t, f))
		})
	}
}
