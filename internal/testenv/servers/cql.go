package servers

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// Opcodes of the native protocol, version 4.
const (
	opError         = 0x00
	opStartup       = 0x01
	opReady         = 0x02
	opAuthenticate  = 0x03
	opOptions       = 0x05
	opSupported     = 0x06
	opQuery         = 0x07
	opResult        = 0x08
	opAuthResponse  = 0x0F
	opAuthSuccess   = 0x10
	frameHeaderSize = 9
	maxReply        = 1 << 20
)

var errNoAuthentication = errors.New("the server asks for no password")

// cqlConn speaks as much of Cassandra's native protocol as readiness and a first password need, so that no test server
// depends on the driver under test.
type cqlConn struct{ conn net.Conn }

func dialCQL(ctx context.Context, addr string, secure *tls.Config) (cqlConn, error) {
	conn, err := dial(ctx, addr, secure)
	return cqlConn{conn}, err
}

func (c cqlConn) close() { _ = c.conn.Close() }

// options asks what the server supports; it answers so before any password.
func (c cqlConn) options() error {
	return c.call(opOptions, nil, opSupported)
}

// login starts a session as the user.
func (c cqlConn) login(user, password string) error {
	startup := appendString(appendString([]byte{0, 1}, "CQL_VERSION"), "3.0.0")
	switch op, err := c.exchange(opStartup, startup); {
	case err != nil:
		return err
	case op == opReady:
		return errNoAuthentication
	case op != opAuthenticate:
		return fmt.Errorf("reply to STARTUP is opcode %#x: expected AUTHENTICATE", op)
	}
	return c.call(opAuthResponse, appendLong(nil, "\x00"+user+"\x00"+password), opAuthSuccess)
}

// query runs a statement at consistency ONE and drops its result.
func (c cqlConn) query(statement string) error {
	const consistencyOne, noFlags = 1, 0
	return c.call(opQuery, append(appendLong(nil, statement), 0, consistencyOne, noFlags), opResult)
}

func (c cqlConn) call(op byte, body []byte, expected byte) error {
	got, err := c.exchange(op, body)
	if err != nil {
		return err
	}
	if got != expected {
		return fmt.Errorf("reply to opcode %#x is %#x: expected %#x", op, got, expected)
	}
	return nil
}

// exchange sends one frame and reads its reply; an ERROR reply is an error.
func (c cqlConn) exchange(op byte, body []byte) (byte, error) {
	frame := append([]byte{4, 0, 0, 0, op}, binary.BigEndian.AppendUint32(nil, uint32(len(body)))...)
	if _, err := c.conn.Write(append(frame, body...)); err != nil {
		return 0, fmt.Errorf("send opcode %#x: %w", op, err)
	}
	header := make([]byte, frameHeaderSize)
	if _, err := io.ReadFull(c.conn, header); err != nil {
		return 0, fmt.Errorf("read the reply to opcode %#x: %w", op, err)
	}
	n := binary.BigEndian.Uint32(header[5:])
	if n > maxReply {
		return 0, fmt.Errorf("reply to opcode %#x has %d bytes: not the native protocol", op, n)
	}
	reply := make([]byte, n)
	if _, err := io.ReadFull(c.conn, reply); err != nil {
		return 0, fmt.Errorf("read the reply to opcode %#x: %w", op, err)
	}
	if header[4] == opError && len(reply) > 6 {
		return 0, fmt.Errorf("server error %#x: %s", binary.BigEndian.Uint32(reply), reply[6:])
	}
	return header[4], nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func appendLong(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}
