package dispatcher

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/contracts"
)

// arrival is an object that a notification tells of. Some servers escape its key as in a query and some do not, so
// there may be two readings of it; the likelier comes first.
type arrival struct {
	bucket string
	keys   []string
}

// notification is the shape that S3 servers send, as far as it is needed.
type notification struct {
	Event   string `json:"Event"` // s3:TestEvent when a configuration is set
	Records []struct {
		EventName string `json:"eventName"`
		S3        struct {
			Bucket struct {
				Name string `json:"name"`
			} `json:"bucket"`
			Object struct {
				Key string `json:"key"`
			} `json:"object"`
		} `json:"s3"`
	} `json:"Records"`
}

// parseNotification gives the objects that came into being; none for test events and deletions.
func parseNotification(data []byte) ([]arrival, error) {
	var n notification
	if err := json.Unmarshal(data, &n); err != nil {
		return nil, contracts.Errorf(contracts.KindInput, "bucket notification: expected JSON as S3 sends it: %w", err)
	}
	var all []arrival
	for _, r := range n.Records {
		created := strings.Contains(r.EventName, "ObjectCreated")
		if !created || r.S3.Bucket.Name == "" || r.S3.Object.Key == "" {
			continue
		}
		all = append(all, arrival{bucket: r.S3.Bucket.Name, keys: readings(r.S3.Object.Key)})
	}
	return all, nil
}

func readings(key string) []string {
	keys := []string{key}
	if plain, err := url.QueryUnescape(key); err == nil {
		keys = []string{plain, key}
	}
	return slices.Compact(keys)
}
