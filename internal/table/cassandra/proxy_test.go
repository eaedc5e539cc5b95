package cassandra

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/internal/testenv"
)

// opError is the native protocol's.
const opError = 0x00

// verdict says what a proxy does with a batch.
type verdict struct {
	refuse []byte // the body of an error, instead of passing it on
	lose   bool   // pass it on, and cut the connection when the answer comes
}

// proxy stands between the driver and the server, reads frames, and has judge decide about each batch by its body.
type proxy struct {
	addr string

	mu     sync.Mutex
	judge  func(body []byte) verdict // nil passes all on
	server string                    // where connections go; "" refuses them
	conns  map[net.Conn]bool
}

// newProxy starts a proxy to the server; it ends with the test.
func newProxy(t *testing.T, server, listen string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), server: server, conns: map[net.Conn]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.move("")
		serving.Wait()
	})
	return p
}

// trouble has judge decide about batches from here on.
func (p *proxy) trouble(judge func(body []byte) verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.judge = judge
}

func (p *proxy) decide(f frame) verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.judge == nil || f.op() != opBatch {
		return verdict{}
	}
	return p.judge(f.body())
}

// move cuts every connection and sends new ones elsewhere.
func (p *proxy) move(server string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server = server
	for c := range p.conns {
		_ = c.Close()
	}
}

// adopt remembers a connection, or closes it where there is nowhere to go.
func (p *proxy) adopt(client net.Conn) (server net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	server, err := net.Dial("tcp", p.server)
	if p.server == "" || err != nil {
		_ = client.Close()
		return nil
	}
	p.conns[client], p.conns[server] = true, true
	return server
}

func (p *proxy) forget(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
		_ = c.Close()
	}
}

// serve joins a connection to the server until either side ends.
func (p *proxy) serve(client net.Conn) {
	server := p.adopt(client)
	if server == nil {
		return
	}
	link := &link{client: client, server: server, lost: map[uint16]bool{}}
	var back sync.WaitGroup
	back.Go(func() {
		link.answers()
		p.forget(client, server)
	})
	link.requests(p.decide)
	p.forget(client, server)
	back.Wait()
}

// link is one connection through the proxy.
type link struct {
	client, server net.Conn
	mu             sync.Mutex // guards what follows, and writes to the client
	lost           map[uint16]bool
}

// requests passes frames of the driver on, but for the batches that are to be refused.
func (l *link) requests(decide func(frame) verdict) {
	for {
		f, err := readFrame(l.client)
		if err != nil {
			return
		}
		v := decide(f)
		if v.refuse != nil {
			l.answer(f.stream(), v.refuse)
			continue
		}
		if v.lose {
			l.lose(f.stream())
		}
		if _, err := l.server.Write(f); err != nil {
			return
		}
	}
}

// lose has the answer of a stream lost, and the connection with it.
func (l *link) lose(stream uint16) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost[stream] = true
}

// answers passes frames of the server on, up to the first that is to be lost.
func (l *link) answers() {
	for {
		f, err := readFrame(l.server)
		if err != nil {
			return
		}
		l.mu.Lock()
		lost := l.lost[f.stream()]
		if !lost {
			_, err = l.client.Write(f)
		}
		l.mu.Unlock()
		if lost || err != nil {
			return
		}
	}
}

// answer sends an error of the proxy's own.
func (l *link) answer(stream uint16, body []byte) {
	f := frame{0x80 | protocolVersion, 0, byte(stream >> 8), byte(stream), opError}
	f = append(binary.BigEndian.AppendUint32(f, uint32(len(body))), body...)
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.client.Write(f) // a connection that is gone shows when it is read
}

// frame is a frame of the native protocol, header and all.
type frame []byte

func readFrame(r io.Reader) (frame, error) {
	f := make(frame, headerSize)
	if _, err := io.ReadFull(r, f); err != nil {
		return nil, err
	}
	f = append(f, make([]byte, binary.BigEndian.Uint32(f[5:]))...)
	_, err := io.ReadFull(r, f[headerSize:])
	return f, err
}

func (f frame) op() byte       { return f[4] }
func (f frame) stream() uint16 { return binary.BigEndian.Uint16(f[2:]) }
func (f frame) body() []byte   { return f[headerSize:] }

// errorBody is an error as the server sends it: code, message, and what comes behind the message for that code.
func errorBody(code int, message string, more ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(code))
	b = binary.BigEndian.AppendUint16(b, uint16(len(message)))
	return append(append(b, message...), more...)
}

// proxied opens the shared server through a proxy.
func proxied(t *testing.T) (*DB, *proxy) {
	t.Helper()
	p := newProxy(t, testenv.Cassandra(t), "127.0.0.1:0")
	return opened(t, config(t, p.addr)), p
}
