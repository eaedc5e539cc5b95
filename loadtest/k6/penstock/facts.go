package penstock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

const dispatchers = "dispatchers" // the consumer that dispatchers share

var ownStreams = [...]string{
	contracts.StreamJobs, contracts.StreamChunks, contracts.StreamStatus, contracts.StreamDead,
}

// facts are what a NATS server has, by the names of its streams.
type facts map[string]stream

type stream struct {
	subjects  []string
	messages  uint64
	work      bool // a work queue
	consumers map[string]consumer
}

type consumer struct {
	waiting   int // pulls
	delivered deliveries
}

// facts asks the monitoring port where it is named, and otherwise JetStream, for which a submitter of jobs has no
// permission.
func (c *Client) facts(ctx context.Context) (facts, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if c.settings.Monitor != "" {
		return c.monitored(ctx)
	}
	f := facts{}
	streams := c.js.ListStreams(ctx)
	for info := range streams.Info() {
		f[info.Config.Name] = stream{
			info.Config.Subjects, info.State.Msgs, info.Config.Retention == jetstream.WorkQueuePolicy, map[string]consumer{},
		}
	}
	return f, errors.Join(c.noList(streams.Err()), c.ask(ctx, f, contracts.StreamJobs, dispatchers),
		c.ask(ctx, f, contracts.StreamChunks, contracts.Consumer))
}

// noList says why the streams cannot be listed.
func (c *Client) noList(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrJetStreamNotEnabled),
		errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("NATS at %s has no JetStream: this is not Penstock's server", withoutUser(c.nc.ConnectedUrl()))
	}
	return fmt.Errorf("list the streams: %w: may this user ask for $JS.API.STREAM.LIST? LOAD_MONITOR, the address of "+
		"NATS's monitoring port, does without", err)
}

// ask adds a consumer to the facts; one that is not there waits for nothing.
func (c *Client) ask(ctx context.Context, f facts, name, consumerName string) error {
	full := c.subjects.Stream(name)
	if _, ok := f[full]; !ok {
		return nil
	}
	found, err := c.js.Consumer(ctx, full, consumerName)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("consumer %s of stream %s: %w", consumerName, full, err)
	}
	info := found.CachedInfo()
	f[full].consumers[consumerName] = consumer{info.NumWaiting, deliveries{info.Delivered.Consumer, info.Delivered.Stream}}
	return nil
}

// monitored asks the monitoring port, which has no password.
func (c *Client) monitored(ctx context.Context) (facts, error) {
	url := c.settings.Monitor + "/jsz?accounts=true&streams=true&consumers=true&config=true"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("LOAD_MONITOR: %w: expected http://host:8222", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("monitoring port of NATS: %w: is LOAD_MONITOR right?", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("monitoring port of NATS: %s: %s: is LOAD_MONITOR right?", url, response.Status)
	}
	var all struct {
		Accounts []struct {
			Streams []struct {
				Name   string                 `json:"name"`
				Config jetstream.StreamConfig `json:"config"`
				State  struct {
					Messages uint64 `json:"messages"`
				} `json:"state"`
				Consumers []jetstream.ConsumerInfo `json:"consumer_detail"`
			} `json:"stream_detail"`
		} `json:"account_details"`
	}
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
		return nil, fmt.Errorf("monitoring port of NATS: %s: %w", url, err)
	}
	f := facts{}
	for _, account := range all.Accounts {
		for _, s := range account.Streams {
			of := stream{s.Config.Subjects, s.State.Messages, s.Config.Retention == jetstream.WorkQueuePolicy,
				map[string]consumer{}}
			for _, i := range s.Consumers {
				of.consumers[i.Name] = consumer{i.NumWaiting, deliveries{i.Delivered.Consumer, i.Delivered.Stream}}
			}
			f[s.Name] = of
		}
	}
	return f, nil
}
