package s3

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/nats-io/nats.go"
	"github.com/versity/versitygw/s3event"

	"github.com/penstock-io/penstock/contracts"
)

// sender publishes that objects were created. The gateway's own sender encodes the request's path after the request has
// ended, when its bytes may be another request's already: it names objects that are not there.
type sender struct {
	conn    *nats.Conn
	subject string
	silent  []string
}

// notifications connects to NATS; nil where none are asked for.
func notifications(c Config) (s3event.S3EventSender, error) {
	if c.NATSURL == "" {
		return nil, nil
	}
	conn, err := nats.Connect(c.NATSURL, nats.Name("penstock s3"), nats.MaxReconnects(-1))
	if err != nil {
		return nil, contracts.Errorf(contracts.KindUnavailable, "embedded S3: connect to NATS for notifications: %w", err)
	}
	return &sender{conn: conn, subject: c.NATSSubject, silent: c.Silent}, nil
}

// event is a notification as Amazon S3 writes it: the key is query-escaped.
type event struct {
	Records []record
}

type record struct {
	EventVersion string      `json:"eventVersion"`
	EventSource  string      `json:"eventSource"`
	AWSRegion    string      `json:"awsRegion"`
	EventTime    time.Time   `json:"eventTime"`
	EventName    string      `json:"eventName"`
	S3           description `json:"s3"`
}

type description struct {
	SchemaVersion string `json:"s3SchemaVersion"`
	Bucket        struct {
		Name string `json:"name"`
	} `json:"bucket"`
	Object struct {
		Key  string `json:"key"`
		Size int64  `json:"size"`
		ETag string `json:"eTag"`
	} `json:"object"`
}

// SendEvent publishes a creation. One that cannot be published is lost: notifications are hints, listings find what
// they miss. It encodes before it returns, because the context is reused then.
func (s *sender) SendEvent(ctx fiber.Ctx, m s3event.EventMeta) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(ctx.Path(), "/"), "/")
	if slices.Contains(s.silent, bucket) || !strings.HasPrefix(string(m.EventName), "s3:ObjectCreated:") {
		return
	}
	r := record{EventVersion: "2.2", EventSource: "aws:s3", AWSRegion: region, EventTime: time.Now().UTC(),
		EventName: strings.TrimPrefix(string(m.EventName), "s3:")}
	r.S3.SchemaVersion, r.S3.Bucket.Name = "1.0", bucket
	r.S3.Object.Key, r.S3.Object.Size = url.QueryEscape(key), m.ObjectSize
	if m.ObjectETag != nil {
		r.S3.Object.ETag = strings.Trim(*m.ObjectETag, `"`)
	}
	if data, err := json.Marshal(event{Records: []record{r}}); err == nil {
		_ = s.conn.Publish(s.subject, data)
	}
}

// Close sends what is buffered, unless NATS is away, and disconnects.
func (s *sender) Close() error {
	defer s.conn.Close()
	if s.conn.IsConnected() {
		_ = s.conn.FlushTimeout(flushTimeout)
	}
	return nil
}

// flushTimeout bounds the wait for a NATS server that does not answer any more.
const flushTimeout = 2 * time.Second
