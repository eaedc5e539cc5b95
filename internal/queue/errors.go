package queue

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

// ErrFull says that a stream takes no more messages for now: publish later.
var ErrFull = errors.New("the stream is full")

var (
	errClosed      = errors.New("the queue is closed")
	errReconnected = errors.New("the connection was lost before the answer came")
)

// Codes of the JetStream API that the client library does not name.
const (
	codeNoJetStream      = 10076 // not enabled
	codeNoJetStreamHere  = 10039 // not enabled for the account
	codeStorageFull      = 10047 // the account's or server's storage is used up or reserved
	codeInsufficient     = 10023
	codeMemoryFull       = 10028
	codeStoreFailed      = 10077 // the stream's limits
	codeOverlap          = 10065 // another stream takes the subject
	codeNeedsCluster     = 10074
	codeStreamNotFound   = 10059
	codeConsumerNotFound = 10014
	codeMaxStreams       = 10027
	codeMaxConsumers     = 10026
)

// judgement is what an error means here: its kind, and what to do about it.
type judgement struct {
	kind contracts.Kind
	hint string
}

// fault gives err a kind, names the operation and says what to do. ctx is the operation's: why it ended counts.
func (q *Queue) fault(ctx context.Context, what string, err error) error {
	var known *contracts.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		err = context.Cause(ctx)
	}
	j := judge(err)
	if j.hint != "" {
		return contracts.Errorf(j.kind, "%s at %s: %w: %s", what, q.addr, err, j.hint)
	}
	return contracts.Errorf(j.kind, "%s at %s: %w", what, q.addr, err)
}

func judge(err error) judgement {
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api):
		return judgeAPI(api)
	case errors.Is(err, errClosed), errors.Is(err, nats.ErrConnectionClosed),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return judgement{contracts.KindInterrupted, ""}
	case errors.Is(err, nats.ErrPermissionViolation):
		return judgement{contracts.KindDenied,
			"grant the NATS user that subject: `penstock doctor --role` lists what each role needs"}
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		return judgement{contracts.KindUnavailable, "no stream takes it: start a dispatcher, which makes the streams"}
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrJetStreamNotEnabled):
		return judgement{contracts.KindConfig, "JetStream is off: start nats-server with -js"}
	case errors.Is(err, nats.ErrMaxPayload):
		return judgement{contracts.KindConfig, "raise max_payload of nats-server"}
	default: // disconnected, timed out, slow
		return judgement{contracts.KindUnavailable, ""}
	}
}

func judgeAPI(api *jetstream.APIError) judgement {
	switch api.ErrorCode {
	case codeNoJetStream:
		return judgement{contracts.KindConfig, "JetStream is off: start nats-server with -js"}
	case codeNoJetStreamHere:
		return judgement{contracts.KindConfig, "JetStream is off for this account: enable it in nats-server's configuration"}
	case codeStreamNotFound, codeConsumerNotFound:
		return judgement{contracts.KindMissing, "start a dispatcher, which makes the streams and their consumers"}
	case codeOverlap:
		return judgement{contracts.KindConfig, "delete the other stream or choose another PENSTOCK_NATS_PREFIX"}
	case codeNeedsCluster:
		return judgement{contracts.KindConfig, "use 1 replica, or a NATS cluster"}
	case codeMaxStreams, codeMaxConsumers:
		return judgement{contracts.KindConfig, "raise the account's limits of streams and consumers"}
	case codeStorageFull, codeInsufficient, codeMemoryFull:
		return judgement{contracts.KindUnavailable, "raise max_file_store or free disk: STATUS and DEAD reserve 1 GiB each"}
	}
	if api.Code >= http.StatusInternalServerError {
		return judgement{contracts.KindUnavailable, ""}
	}
	return judgement{contracts.KindConfig, ""}
}

// perSubject and streamFull tell the two refusals of a stream's limits apart; they share a code, so the text decides.
func perSubject(err error) bool {
	api := refusal(err)
	return api != nil && strings.Contains(api.Description, "per subject")
}

func streamFull(err error) bool {
	api := refusal(err)
	return api != nil && !strings.Contains(api.Description, "per subject") &&
		strings.Contains(api.Description, "maximum")
}

func refusal(err error) *jetstream.APIError {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == codeStoreFailed {
		return api
	}
	return nil
}

func (q *Queue) connectFault(err error) error {
	var alert *net.OpError
	var untrusted *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	kind, hint := contracts.KindUnavailable, "is nats-server running there?"
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		errors.Is(err, nats.ErrAccountAuthExpired):
		kind, hint = contracts.KindDenied, "check the NATS user, token, creds or nkey"
	case errors.As(err, &alert) && alert.Op == "remote error": // how crypto/tls hands the peer's alert on
		kind, hint = contracts.KindDenied, "the server refused TLS: check PENSTOCK_NATS_CERT and PENSTOCK_NATS_KEY"
	case errors.As(err, &untrusted), errors.As(err, &authority):
		kind, hint = contracts.KindConfig, "check the server's name and PENSTOCK_NATS_CA"
	case errors.Is(err, nats.ErrTLS) && q.cfg.CertFile == "": // closed behind the handshake, and the alert was lost
		kind, hint = contracts.KindDenied, "the server may want a certificate: check PENSTOCK_NATS_CERT and PENSTOCK_NATS_KEY"
	case errors.Is(err, nats.ErrSecureConnWanted):
		kind, hint = contracts.KindConfig, "the server has no TLS: use a nats:// URL"
	case errors.Is(err, nats.ErrNkeysNotSupported):
		kind, hint = contracts.KindDenied, "the server asks for no nkey: it knows neither creds nor nkeys"
	}
	return contracts.Errorf(kind, "connect to NATS at %s: %w: %s", q.addr, err, hint)
}
