package cassandra

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/contracts"
)

var errNoCredentials = errors.New("the server asks for a user name and password")

// explain gives a driver's error its kind, what was being done, and what to do about it. nil stays nil, and an error
// that has a kind already keeps it.
func explain(ctx context.Context, op string, err error) error {
	var known *contracts.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		return contracts.Errorf(contracts.KindInterrupted, "%s: %w", op, context.Cause(ctx))
	}
	kind, hint := classify(err)
	if hint == "" {
		return contracts.Errorf(kind, "%s: %w", op, err)
	}
	return contracts.Errorf(kind, "%s: %w: %s", op, err, hint)
}

// classify finds an error's kind, and a hint where one helps. The kind of codeInvalid is for requests that carry no
// row: config.
func classify(err error) (kind contracts.Kind, hint string) {
	if _, ok := errors.AsType[gocql.RequestError](err); ok {
		return classifyCode(code(err))
	}
	switch {
	case lostHosts(err):
		return contracts.KindUnavailable, "every node is down, or none answers: is the cluster up?"
	case errors.Is(err, gocql.ErrTimeoutNoResponse):
		return contracts.KindUnavailable, "the server is overloaded or hangs"
	case errors.Is(err, gocql.ErrConnectionClosed), errors.Is(err, gocql.ErrNoStreams),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return contracts.KindUnavailable, "" // contexts: the driver ends those of a connection that it closes
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return contracts.KindUnavailable, ""
	}
	return contracts.KindInternal, ""
}

func classifyCode(code int) (kind contracts.Kind, hint string) {
	switch code {
	case gocql.ErrCodeUnavailable:
		return contracts.KindUnavailable, "too few replicas are up for the consistency level"
	case gocql.ErrCodeOverloaded, gocql.ErrCodeBootstrapping, gocql.ErrCodeTruncate, gocql.ErrCodeWriteTimeout,
		gocql.ErrCodeReadTimeout, gocql.ErrCodeReadFailure, gocql.ErrCodeWriteFailure, gocql.ErrCodeCDCWriteFailure,
		gocql.ErrCodeCASWriteUnknown:
		return contracts.KindUnavailable, ""
	case gocql.ErrCodeCredentials:
		return contracts.KindDenied, "check PENSTOCK_CASSANDRA_USERNAME and PENSTOCK_CASSANDRA_PASSWORD"
	case gocql.ErrCodeUnauthorized:
		return contracts.KindDenied, "grant the role what it lacks"
	case gocql.ErrCodeSyntax, gocql.ErrCodeInvalid, gocql.ErrCodeConfig, gocql.ErrCodeAlreadyExists:
		return contracts.KindConfig, ""
	default: // the server's own fault, or ours in speaking its protocol
		return contracts.KindInternal, "the server's log says more"
	}
}

// code is the protocol's error code; -1 where the error did not come from a server.
func code(err error) int {
	if e, ok := errors.AsType[gocql.RequestError](err); ok {
		return e.Code()
	}
	return -1
}

// reason is why a batch is sent again, in one word.
func reason(err error) string {
	switch code(err) {
	case gocql.ErrCodeOverloaded:
		return "overloaded"
	case gocql.ErrCodeWriteTimeout:
		return "timeout"
	case gocql.ErrCodeUnavailable:
		return "replicas"
	case gocql.ErrCodeInvalid: // the only refusal that is tried again
		return "schema"
	case -1:
		if errors.Is(err, gocql.ErrTimeoutNoResponse) {
			return "timeout"
		}
		return "connection"
	default:
		return "server"
	}
}

// lostHosts says that the session has no live connection.
func lostHosts(err error) bool {
	return errors.Is(err, gocql.ErrNoConnections) || errors.Is(err, gocql.ErrSessionClosed)
}

// unreachable explains why no session could be made, from what each connection failed with.
func unreachable(c *gocql.ClusterConfig, failed []gocql.ObservedConnect, err error) error {
	points := contactPoints(c)
	for _, f := range failed {
		if k := connectKind(f.Err); k != contracts.KindUnavailable {
			return contracts.Errorf(k, "connect to cassandra at %s: %w: %s", f.Host.HostnameAndPort(), f.Err,
				connectHint(c, f.Err))
		}
	}
	if len(failed) == 0 {
		return contracts.Errorf(contracts.KindUnavailable, "no cassandra host reachable at %s: %w: "+
			"are these names right, are they in the local data centre, and is the cluster up?", points, err)
	}
	last := failed[len(failed)-1]
	if d, _ := c.HostDialer.(*dialer); d.refused() != nil {
		return contracts.Errorf(contracts.KindConfig, "connect to cassandra at %s: %w: %s",
			last.Host.HostnameAndPort(), d.refused(), connectHint(c, d.refused()))
	}
	return contracts.Errorf(contracts.KindUnavailable, "no cassandra host reachable at %s: %w: %s",
		points, last.Err, connectHint(c, last.Err))
}

func contactPoints(c *gocql.ClusterConfig) string {
	out := make([]string, len(c.Hosts))
	for i, h := range c.Hosts {
		out[i] = gocql.JoinHostPort(h, c.Port)
	}
	return strings.Join(out, ", ")
}

// connectKind is classify for connections: nothing there is Penstock's own fault.
func connectKind(err error) contracts.Kind {
	switch {
	case code(err) == gocql.ErrCodeCredentials || errors.Is(err, errNoCredentials):
		return contracts.KindDenied
	case isTLS(err) || code(err) == gocql.ErrCodeInvalid || code(err) == gocql.ErrCodeProtocol:
		return contracts.KindConfig
	default:
		return contracts.KindUnavailable
	}
}

func connectHint(c *gocql.ClusterConfig, err error) string {
	d, _ := c.HostDialer.(*dialer)
	switch {
	case connectKind(err) == contracts.KindDenied:
		return "check PENSTOCK_CASSANDRA_USERNAME and PENSTOCK_CASSANDRA_PASSWORD"
	case isRemoteAlert(err):
		return "the server refuses this side's TLS: check PENSTOCK_CASSANDRA_CERT and PENSTOCK_CASSANDRA_KEY"
	case isTLS(err):
		return "check PENSTOCK_CASSANDRA_TLS and PENSTOCK_CASSANDRA_CA, and that the certificate names the host"
	case d.tls == nil && hungUp(err):
		return "the server hangs up: if it wants TLS, set PENSTOCK_CASSANDRA_TLS=true"
	case hungUp(err) && len(d.tls.Certificates) == 0:
		return "the server hangs up: if it wants a certificate of this side, set PENSTOCK_CASSANDRA_CERT"
	default:
		return "is the cluster up, and is this its CQL port?"
	}
}

// hungUp says that the server ended the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// isTLS says that the two sides do not agree on TLS: certificates, versions, or TLS against plain text.
func isTLS(err error) bool {
	_, badCert := errors.AsType[*tls.CertificateVerificationError](err)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	return badCert || plain || alert || isRemoteAlert(err)
}

// isRemoteAlert says that the server refused our side of TLS; the standard library has no type for it.
func isRemoteAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}

// driverLog hands the driver's messages to slog.
type driverLog struct{ log *slog.Logger }

func (l driverLog) write(message string) {
	if l.log != nil {
		l.log.Debug(strings.TrimSpace(message), "from", "gocql")
	}
}

func (l driverLog) Print(v ...any)                 { l.write(fmt.Sprint(v...)) }
func (l driverLog) Printf(format string, v ...any) { l.write(fmt.Sprintf(format, v...)) }
func (l driverLog) Println(v ...any)               { l.write(fmt.Sprintln(v...)) }
