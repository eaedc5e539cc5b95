package workers

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/teststore"
	"github.com/penstock-io/penstock/state"
)

// diary is what a worker did, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

// The parts of a worker, each of which notes what was done when it is done.
type (
	diaryDocs struct {
		*objects.Docs
		diary *diary
	}
	diaryRejects struct {
		Rejects
		diary *diary
	}
	diaryQueue struct {
		Queue
		diary *diary
	}
	diaryMessage struct {
		*message
		diary *diary
	}
)

func (d diaryDocs) Create(ctx context.Context, key string, data []byte) error {
	err := d.Docs.Create(ctx, key, data)
	if strings.Contains(key, "/done/") {
		d.diary.note("completion stored")
	}
	return err
}

func (r diaryRejects) Put(ctx context.Context, key string, data []byte) error {
	defer r.diary.note("rejects stored")
	return r.Rejects.Put(ctx, key, data)
}

func (q diaryQueue) PublishEvent(ctx context.Context, e contracts.Event) error {
	defer q.diary.note("event published")
	return q.Queue.PublishEvent(ctx, e)
}

func (m diaryMessage) Ack(ctx context.Context) error {
	defer m.diary.note("message acknowledged")
	return m.message.Ack(ctx)
}

// TestAcknowledgedLast holds the order in which a chunk ends: a worker that dies between any two of the steps leaves a
// chunk that comes again.
func TestAcknowledgedLast(t *testing.T) {
	t.Parallel()
	d := &diary{}
	r, w := oneRow(t, write(func(context.Context, []cql.Row) ([]cql.Refusal, error) {
		d.note("rows acknowledged")
		return nil, nil
	}))
	r.Store = state.New(diaryDocs{teststore.Docs(t, client), d})
	r.Queue, r.Rejects = diaryQueue{r.Queue, d}, diaryRejects{r.Rejects, d}
	r.handle(t.Context(), diaryMessage{newMessage(t, w, 1), d}, newLoader(r.Workers))
	want := []string{
		"rows acknowledged", "rejects stored", "completion stored", "event published", "message acknowledged",
	}
	if !slices.Equal(d.lines, want) {
		t.Errorf("found %q, expected %q", d.lines, want)
	}
}
