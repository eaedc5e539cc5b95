package workers

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// inbox yields what is put in until its context ends.
type inbox chan Message

func (i inbox) Next(ctx context.Context) (Message, error) {
	select {
	case m := <-i:
		return m, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// untilStopped is a Writer that works until its context ends, and tells when it began.
func untilStopped(began chan<- struct{}) write {
	return func(ctx context.Context, _ []cql.Row) ([]cql.Refusal, error) {
		close(began)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
}

// TestGrace: after the grace period what is still held is handed back.
func TestGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := make(chan struct{})
		r, w := oneRow(t, nil)
		r.Tables = tables{write(func(ctx context.Context, rows []cql.Row) ([]cql.Refusal, error) {
			_, err := untilStopped(began)(ctx, rows)
			if !errors.Is(err, errLeaving) {
				t.Errorf("found cause %v", err)
			}
			return nil, ctx.Err()
		})}
		r.cfg.Grace = 30 * time.Second
		m, in := newMessage(t, w, 1), make(inbox, 1)
		r.Chunks = in
		in <- m
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }()
		<-began
		stop()
		at := time.Now()
		must(t, <-ended)
		if waited := time.Since(at); waited != r.cfg.Grace {
			t.Errorf("left after %s, expected %s", waited, r.cfg.Grace)
		}
		m.expect(t, "nak 0s")
	})
}

// TestUnheardAckIsHandedBack: whoever leaves before the queue has answered does not leave its message to its lease.
func TestUnheardAckIsHandedBack(t *testing.T) {
	t.Parallel()
	r, w := oneRow(t, write(accepting))
	m := newMessage(t, w, 1)
	ctx, leave := context.WithCancel(t.Context())
	m.acking = leave
	r.withState(t).handle(ctx, m, newLoader(r.Workers))
	m.expect(t, "ack", "nak 0s")
}

// TestIdleWorkersLeaveAtOnce, and nothing of them stays: synctest would find it.
func TestIdleWorkersLeaveAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil, nil)
		r.cfg.Concurrency, r.Chunks = 4, make(inbox)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }()
		synctest.Wait()
		at := time.Now()
		stop()
		must(t, <-ended)
		if waited := time.Since(at); waited != 0 {
			t.Errorf("left after %s", waited)
		}
	})
}

// TestHeldChunkIsFinished within the grace period, and no other is taken.
func TestHeldChunkIsFinished(t *testing.T) {
	t.Parallel()
	began, proceed := make(chan struct{}), make(chan struct{})
	r, w := oneRow(t, write(func(context.Context, []cql.Row) ([]cql.Refusal, error) {
		close(began)
		<-proceed
		return nil, nil
	}))
	r.withState(t)
	held, next, in := newMessage(t, w, 1), newMessage(t, w, 1), make(inbox, 2)
	r.Chunks = in
	in <- held
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	<-began
	stop()
	in <- next
	close(proceed)
	must(t, <-ended)
	held.expect(t, "ack")
	next.expect(t)
	if !slices.Equal(r.news.kinds(), []contracts.EventKind{contracts.EventChunkDone}) {
		t.Errorf("found %v", r.news.kinds())
	}
}

func TestInboxThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil, nil)
		asked := 0
		ctx, stop := context.WithCancel(t.Context())
		r.Chunks = next(func(context.Context) (Message, error) {
			if asked++; asked == 3 {
				stop()
			}
			return nil, contracts.Errorf(contracts.KindUnavailable, "no queue")
		})
		at := time.Now()
		must(t, r.Run(ctx))
		if waited := time.Since(at); asked != 3 || waited != 2*time.Second {
			t.Errorf("asked %d times in %s", asked, waited)
		}
	})
}

type next func(context.Context) (Message, error)

func (n next) Next(ctx context.Context) (Message, error) { return n(ctx) }

func TestLeaseIsRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil, nil)
		var beats []time.Duration
		begin := time.Now()
		m := &message{progress: func() error {
			beats = append(beats, time.Since(begin))
			if len(beats) > 6 {
				return errors.New("the connection is gone")
			}
			return nil
		}}
		l := r.hold(t.Context(), m)
		for _, step := range []struct {
			at   time.Duration
			held bool
		}{{59 * time.Second, true}, {89 * time.Second, true}, {91 * time.Second, false}, {200 * time.Second, false}} {
			sleep(t.Context(), step.at-time.Since(begin))
			synctest.Wait()
			if l.held() != step.held {
				t.Errorf("after %s: held %t", step.at, l.held())
			}
		}
		l.release()
		// Told every 10 s for a minute; then it failed until the lease ran out, and is not taken back.
		if want := 8; len(beats) != want || beats[0] != 10*time.Second || beats[5] != time.Minute {
			t.Errorf("told at %v, expected %d times", beats, want)
		}
	})
}
