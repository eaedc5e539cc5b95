package s3

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/s3event"
)

// sender tells that objects were created. The gateway's own senders encode the request's path after the request has
// ended, when its bytes may be another request's already: they name objects that are not there.
type sender struct {
	notify func([]byte)
	silent []string
}

// notifications is nil where nobody is to be told.
func notifications(c Config) s3event.S3EventSender {
	if c.Notify == nil {
		return nil
	}
	return sender{c.Notify, c.Silent}
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

// SendEvent tells of a creation. It encodes before it returns, because the context is reused then.
func (s sender) SendEvent(ctx fiber.Ctx, m s3event.EventMeta) {
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
		s.notify(data)
	}
}

// Close has nothing to let go of: whoever is told is the caller's.
func (s sender) Close() error { return nil }
