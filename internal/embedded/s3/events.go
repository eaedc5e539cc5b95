package s3

import (
	"slices"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/s3event"

	"github.com/penstock-io/penstock/contracts"
)

// notifications connects to NATS; nil where none are asked for. A notification may get lost, and may come twice.
func notifications(c Config) (s3event.S3EventSender, error) {
	if c.NATSURL == "" {
		return nil, nil
	}
	created := s3event.EventFilter{s3event.EventObjectCreated: true, s3event.EventCompleteMultipartUpload: true}
	s, err := s3event.InitNatsEventService(c.NATSURL, c.NATSSubject, created)
	if err != nil {
		return nil, contracts.Errorf(contracts.KindUnavailable, "embedded S3: connect to NATS for notifications: %w", err)
	}
	return &sender{S3EventSender: s, silent: c.Silent}, nil
}

// sender keeps quiet about some buckets.
type sender struct {
	s3event.S3EventSender
	silent []string
}

// SendEvent publishes the event unless its bucket is silent.
func (s *sender) SendEvent(ctx fiber.Ctx, m s3event.EventMeta) {
	bucket, _, _ := strings.Cut(strings.TrimPrefix(ctx.Path(), "/"), "/")
	if !slices.Contains(s.silent, bucket) {
		s.S3EventSender.SendEvent(ctx, m)
	}
}
