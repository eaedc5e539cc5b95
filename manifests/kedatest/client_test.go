package kedatest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// client speaks as much of the NATS protocol as the tests need, so that no client of our choice changes what KEDA is
// built from. One goroutine at a time uses it.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	n    int
}

// patience bounds each wait for something that must come.
const patience = 2 * time.Minute

func dial(t *testing.T, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	c := &client{t: t, conn: conn, in: bufio.NewReader(conn)}
	c.line() // INFO
	c.send("CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"go\",\"version\":\"1\",\"protocol\":1}\r\nPING\r\n")
	for c.line() != "PONG" {
	}
	return c
}

func (c *client) send(text string) {
	c.t.Helper()
	must(c.t, c.conn.SetDeadline(time.Now().Add(patience)))
	_, err := io.WriteString(c.conn, text)
	must(c.t, err)
}

func (c *client) line() string {
	c.t.Helper()
	text, err := c.in.ReadString('\n')
	must(c.t, err)
	return strings.TrimSpace(text)
}

// request publishes and gives the answer.
func (c *client) request(subject, body string) string {
	c.t.Helper()
	c.n++
	inbox := fmt.Sprintf("_INBOX.keda.%d", c.n)
	c.send(fmt.Sprintf("SUB %s %d\r\nUNSUB %d 1\r\n", inbox, c.n, c.n))
	c.send(fmt.Sprintf("PUB %s %s %d\r\n%s\r\n", subject, inbox, len(body), body))
	for {
		line := c.line()
		switch word, _, _ := strings.Cut(line, " "); word {
		case "PING":
			c.send("PONG\r\n")
		case "-ERR":
			c.t.Fatalf("request %s: %s", subject, line)
		case "MSG":
			return c.payload(line, subject)
		}
	}
}

func (c *client) payload(line, subject string) string {
	c.t.Helper()
	var size int
	fields := strings.Fields(line)
	_, err := fmt.Sscan(fields[len(fields)-1], &size)
	must(c.t, err)
	data := make([]byte, size+2)
	_, err = io.ReadFull(c.in, data)
	must(c.t, err)
	if len(fields) > 4 { // with a subject to answer to: a message of a stream
		return fields[3]
	}
	return string(data[:size])
}

// api asks JetStream; an answer with an error fails the test.
func (c *client) api(subject, body string) map[string]any {
	c.t.Helper()
	answer, err := c.tryAPI(subject, body)
	must(c.t, err)
	return answer
}

func (c *client) tryAPI(subject, body string) (map[string]any, error) {
	c.t.Helper()
	var answer map[string]any
	text := c.request("$JS.API."+subject, body)
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", subject, err, text)
	}
	if answer["error"] != nil {
		return nil, fmt.Errorf("%s: %v", subject, answer["error"])
	}
	return answer, nil
}

// publish puts chunk messages into the stream.
func (c *client) publish(from, to int) {
	c.t.Helper()
	for i := from; i < to; i++ {
		if answer := c.request(fmt.Sprintf("penstock.chunks.job.load.%d", i), "x"); !strings.Contains(answer, `"seq"`) {
			c.t.Fatalf("publish: %s", answer)
		}
	}
}

// pull takes so many messages as a worker does, and gives the subjects that acknowledge them.
func (c *client) pull(n int) (acks []string) {
	c.t.Helper()
	for range n {
		acks = append(acks, c.request("$JS.API.CONSUMER.MSG.NEXT.CHUNKS.workers", ""))
	}
	return acks
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
