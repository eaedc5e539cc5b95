package chaos

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// mood is what a link does to the bytes that pass.
type mood struct {
	name  string
	lag   time.Duration // of each piece of a stream
	rate  int           // bytes a second; 0 is no limit
	cut   bool          // connections are closed, and new ones as soon as they come
	stall bool          // bytes wait
	hole  bool          // bytes vanish; the connections that lost some are closed when the mood changes
}

// link is the way of one process to one server.
type link struct {
	listener net.Listener
	target   func() string
	running  sync.WaitGroup

	mu    sync.Mutex
	mood  mood
	turns context.Context // ends when the mood changes
	turn  context.CancelFunc
	conns map[net.Conn]bool
	base  mood
}

// newLink listens on a port of its own; it ends with the test.
func newLink(t testing.TB, base mood, target func() string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener, target: target, base: base, mood: base, conns: map[net.Conn]bool{}}
	l.turns, l.turn = context.WithCancel(context.Background())
	l.running.Go(l.accept)
	t.Cleanup(func() {
		listener.Close() // it ends here
		l.set(mood{cut: true})
		l.running.Wait()
	})
	return l
}

func (l *link) addr() string { return l.listener.Addr().String() }

// set changes the mood.
func (l *link) set(m mood) {
	l.mu.Lock()
	defer l.mu.Unlock()
	drop := m.cut || l.mood.hole
	l.mood = m
	l.turn()
	l.turns, l.turn = context.WithCancel(context.Background())
	if drop {
		for c := range l.conns {
			c.Close() // that is the fault
		}
	}
}

// heal ends a fault.
func (l *link) heal() { l.set(l.base) }

func (l *link) now() (mood, context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mood, l.turns
}

func (l *link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.running.Go(func() { l.serve(near) })
	}
}

func (l *link) serve(near net.Conn) {
	defer near.Close()
	if !l.hold(near) {
		return
	}
	defer l.drop(near)
	far, err := net.Dial("tcp", l.target())
	if err != nil || !l.hold(far) {
		return
	}
	defer l.drop(far)
	var pumps sync.WaitGroup
	pumps.Go(func() { l.pump(far, near) })
	l.pump(near, far)
	pumps.Wait()
}

// hold enters a connection, so that a cut finds it; false while the link is cut.
func (l *link) hold(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.mood.cut {
		l.conns[c] = true
	}
	return !l.mood.cut
}

func (l *link) drop(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	c.Close() // it ends here
}

// pump carries bytes one way, and closes both ways at the end.
func (l *link) pump(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if l.pass(n) {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
	}
}

// pass waits as the mood says; false where the bytes are lost.
func (l *link) pass(n int) bool {
	m, turns := l.now()
	for m.stall {
		<-turns.Done()
		m, turns = l.now()
	}
	wait := m.lag
	if m.rate > 0 {
		wait += time.Duration(n) * time.Second / time.Duration(m.rate)
	}
	pause(turns, wait)
	return !m.hole
}

// pause waits, but not longer than ctx lasts.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
