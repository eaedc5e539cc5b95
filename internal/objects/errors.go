package objects

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/minio/minio-go/v7"

	"github.com/penstock-io/penstock/contracts"
)

// fail says what a failed call means: its kind, the address, what was found and what to do.
func (s *S3) fail(ctx context.Context, op, bucket, key string, err error) error {
	if err == nil {
		return nil
	}
	var known *contracts.Error
	if errors.As(err, &known) {
		return err
	}
	address := contracts.Object{Bucket: bucket, Key: key}.Address()
	if ctx.Err() != nil {
		return contracts.At(contracts.KindInterrupted, address, -1, "%s: %w", op, context.Cause(ctx))
	}
	kind, hint := s.meaning(err)
	return contracts.At(kind, address, -1, "%s: %w (%s)", op, plain(err), hint)
}

// plain drops the wrapper that repeats the whole request URL.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	var r minio.ErrorResponse
	if errors.As(err, &r) && r.Code != "" {
		return &answerError{r}
	}
	return err
}

// answerError is a store's answer with its code in the text.
type answerError struct{ minio.ErrorResponse }

func (e *answerError) Error() string { return e.Code + ": " + e.ErrorResponse.Error() }
func (e *answerError) Unwrap() error { return e.ErrorResponse }

func (s *S3) meaning(err error) (contracts.Kind, string) {
	var r minio.ErrorResponse
	if errors.As(err, &r) {
		return s.answer(r)
	}
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &verify):
		return contracts.KindConfig, s.url + " shows a certificate that is not trusted here: " +
			"name the PEM file of its authority in PENSTOCK_S3_CA"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return contracts.KindConfig, s.url + " does not speak TLS: is it http:// instead of https://?"
	case errors.As(err, &dns):
		return contracts.KindUnavailable, "the host of PENSTOCK_S3_URL=" + s.url +
			" cannot be resolved: correct it, or check DNS"
	case errors.Is(err, syscall.ECONNREFUSED):
		return contracts.KindUnavailable, "nothing listens at PENSTOCK_S3_URL=" + s.url + ": correct it, or start the server"
	case errors.As(err, &op), isBroken(err):
		return contracts.KindUnavailable, "no complete answer from " + s.url + ": check the network and the server"
	}
	return contracts.KindInternal, "unexpected; from " + s.url
}

// isBroken says that a connection ended in the middle. minio-go replaces EOF by a text of its own, inside url.Error.
func isBroken(err error) bool {
	var u *url.Error
	var n net.Error
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, errStalled) ||
		errors.As(err, &n) || errors.As(err, &u)
}

// answer maps what a store said. Codes first: several of them share a status.
func (s *S3) answer(r minio.ErrorResponse) (contracts.Kind, string) {
	switch r.Code {
	case "NoSuchBucket":
		return contracts.KindMissing, "no such bucket at " + s.url + ": create it or correct the name"
	case "NoSuchKey", "NoSuchVersion", "NoSuchUpload":
		return contracts.KindMissing, "no such object"
	case "AccessDenied", "AllAccessDisabled":
		return s.status(http.StatusForbidden)
	case "InvalidAccessKeyId", "XAdminUserNotFound":
		return contracts.KindDenied, s.url + " does not know the access key: check PENSTOCK_S3_ACCESS_KEY"
	case "SignatureDoesNotMatch":
		return contracts.KindDenied, "the secret key does not fit the access key: check PENSTOCK_S3_SECRET_KEY"
	case "ExpiredToken", "ExpiredTokenException", "InvalidToken", "InvalidTokenId":
		return contracts.KindDenied, "the session token is invalid or has expired: renew PENSTOCK_S3_SESSION_TOKEN"
	case "RequestTimeTooSkewed", "RequestExpired":
		return contracts.KindConfig, "this machine's clock and the server's differ: set the clock"
	case "AuthorizationHeaderMalformed", "InvalidRegion", "PermanentRedirect", "TemporaryRedirect":
		return contracts.KindConfig, "the bucket is in another region: set PENSTOCK_S3_REGION" + found(r.Region)
	case "InvalidBucketName", "KeyTooLongError", "XMinioInvalidObjectName", "InvalidObjectName",
		"XMinioParentIsObject", "ObjectParentIsFile", "ExistingObjectIsDirectory":
		return contracts.KindConfig, "the store refuses this name: choose another"
	case "UnexpectedEOF":
		return contracts.KindChanged, "the source changed while it was uploaded: upload it again"
	case "ConditionalRequestConflict", "OperationAborted", "SlowDown", "RequestTimeout":
		return contracts.KindUnavailable, "the store is busy: try again"
	}
	if r.StatusCode == http.StatusBadRequest && strings.HasPrefix(r.Code, "400") { // no code: a HEAD, or no S3 server
		return contracts.KindConfig, s.url + " refuses without a reason: check http:// or https:// in PENSTOCK_S3_URL, " +
			"PENSTOCK_S3_REGION and the session token"
	}
	return s.status(r.StatusCode)
}

func found(region string) string {
	if region == "" {
		return ""
	}
	return " to " + region
}

func (s *S3) status(code int) (contracts.Kind, string) {
	switch {
	case code == http.StatusPreconditionFailed:
		return contracts.KindChanged, "the object is not the version that was asked for"
	case code == http.StatusNotFound:
		return contracts.KindMissing, "no such bucket or object at " + s.url
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return contracts.KindDenied, "the credentials are wrong or lack this permission: " +
			"check the PENSTOCK_S3_ keys and the policy"
	case code == http.StatusNotImplemented, code == http.StatusMethodNotAllowed:
		return contracts.KindConfig, s.url + " does not offer this call: is it an S3-compatible store?"
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return contracts.KindUnavailable, s.url + " cannot answer now: try again"
	case code >= 300 && code < 400:
		return contracts.KindConfig, "redirected: check PENSTOCK_S3_URL and PENSTOCK_S3_REGION"
	}
	return contracts.KindInternal, "unexpected answer from " + s.url
}
