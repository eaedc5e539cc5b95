package kedatest

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	"github.com/kedacore/keda/v2/pkg/scalers"
	"github.com/kedacore/keda/v2/pkg/scalers/scalersconfig"
)

// scaler is KEDA's own, on the trigger that is shipped, asked at a server of the test.
func scaler(t *testing.T, o *v1alpha1.ScaledObject, s *server) scalers.Scaler {
	t.Helper()
	metadata := maps.Clone(o.Spec.Triggers[0].Metadata)
	metadata["natsServerMonitoringEndpoint"] = s.monitor
	made, err := scalers.NewNATSJetStreamScaler(&scalersconfig.ScalerConfig{
		ScalableObjectName: o.Name, ScalableObjectNamespace: "penstock", TriggerMetadata: metadata,
		TriggerType: o.Spec.Triggers[0].Type, GlobalHTTPTimeout: 10 * time.Second,
	})
	must(t, err)
	t.Cleanup(func() { _ = made.Close(t.Context()) })
	return made
}

// shipped is the ScaledObject of the component.
func shipped(t *testing.T) *v1alpha1.ScaledObject {
	t.Helper()
	dir, err := onBase(t, filepath.Join(manifests, "components", "keda"))
	must(t, err)
	found := map[string]*v1alpha1.ScaledObject{}
	must(t, collect(found, "keda", dir))
	return found["keda/penstock-worker"]
}

// ask is what KEDA makes of the queue: how many chunks, and whether there is reason to wake a worker.
func ask(t *testing.T, s scalers.Scaler) (lag int64, active bool, err error) {
	t.Helper()
	values, active, err := s.GetMetricsAndActivity(t.Context(), "lag")
	if err != nil || len(values) == 0 {
		return 0, active, err
	}
	return values[0].Value.Value(), active, nil
}

func expect(t *testing.T, s scalers.Scaler, lag int64, active bool) {
	t.Helper()
	got, gotActive, err := ask(t, s)
	if err != nil || got != lag || gotActive != active {
		t.Errorf("lag %d, active %t, %v: expected %d, %t", got, gotActive, err, lag, active)
	}
}

// TestLag counts what waits and what is in work, and wakes the first worker for a single chunk.
func TestLag(t *testing.T) {
	t.Parallel()
	nats := startNATS(t, 1)[0]
	setUp(t, nats)
	s, c := scaler(t, shipped(t), nats), dial(t, nats.client)
	expect(t, s, 0, false)
	c.publish(0, 1)
	expect(t, s, 1, true)
	c.publish(1, 12)
	acks := c.pull(5)
	expect(t, s, 12, true) // in work counts: its worker must not go
	for _, ack := range acks {
		c.request(ack, "+ACK")
	}
	expect(t, s, 7, true)
	for _, ack := range c.pull(7) {
		c.request(ack, "+ACK")
	}
	expect(t, s, 0, false)
	target := s.GetMetricSpecForScaling(t.Context())[0].External.Target
	if target.AverageValue == nil || target.AverageValue.Value() < 1 {
		t.Errorf("target %+v: expected a number of chunks for each pod", target)
	}
}

// TestMissingConsumer is an error, which makes KEDA fall back: it is no reason for more pods, nor to stop all.
func TestMissingConsumer(t *testing.T) {
	t.Parallel()
	nats, o := startNATS(t, 1)[0], shipped(t)
	s := scaler(t, o, nats)
	if lag, active, err := ask(t, s); err == nil || active {
		t.Errorf("without a stream: lag %d, active %t: expected an error", lag, active)
	}
	setUp(t, nats)
	c := dial(t, nats.client)
	c.publish(0, 3)
	s = scaler(t, o, nats)
	expect(t, s, 3, true)
	c.api("CONSUMER.DELETE.CHUNKS.workers", "")
	_, active, err := ask(t, s)
	if err == nil || active || !strings.Contains(err.Error(), `consumer "workers" not found`) {
		t.Errorf("active %t, %v: expected an error that names the consumer", active, err)
	}
	setUp(t, nats)
	expect(t, s, 3, true)
}

// TestPausedConsumer goes on counting: a pause by NATS's own means keeps workers waiting, and they stay.
func TestPausedConsumer(t *testing.T) {
	t.Parallel()
	nats := startNATS(t, 1)[0]
	setUp(t, nats)
	s, c := scaler(t, shipped(t), nats), dial(t, nats.client)
	c.publish(0, 4)
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	answer := c.api("CONSUMER.PAUSE.CHUNKS.workers", fmt.Sprintf(`{"pause_until":%q}`, until))
	if answer["paused"] != true {
		t.Fatalf("pause: %v", answer)
	}
	expect(t, s, 4, true)
	c.api("CONSUMER.PAUSE.CHUNKS.workers", "{}")
	expect(t, s, 4, true)
}

// TestLeaderChange moves the consumer from server to server in a cluster of 3, and then loses the one that leads.
// Whichever server KEDA asks, it hears the truth.
func TestLeaderChange(t *testing.T) {
	t.Parallel()
	all, o := startNATS(t, 3), shipped(t)
	setUp(t, all[0])
	c := dial(t, all[0].client)
	replicate(t, c)
	c.publish(0, 9)
	c.pull(2)
	var asked []scalers.Scaler
	for _, nats := range all {
		asked = append(asked, scaler(t, o, nats))
	}
	for range 3 {
		for _, s := range asked {
			awaitLag(t, s, 9)
		}
		before := leader(all)
		c.api("CONSUMER.LEADER.STEPDOWN.CHUNKS.workers", "")
		await(t, "another server leads the consumer", func() bool { now := leader(all); return now != "" && now != before })
	}
	lost := leader(all)
	var survivor *server
	for _, nats := range all {
		if nats.name == lost {
			nats.kill()
		} else {
			survivor = nats
		}
	}
	await(t, "a survivor leads", func() bool { now := leader(all); return now != "" && now != lost })
	await(t, "KEDA hears the truth again", func() bool {
		lag, active, err := ask(t, scaler(t, o, survivor)) // KEDA makes a new scaler where one has failed
		return err == nil && active && lag == 9
	})
}

// awaitLag wants KEDA to hear the lag, some time after a change of leaders.
func awaitLag(t *testing.T, s scalers.Scaler, want int64) {
	t.Helper()
	await(t, "KEDA finds the leader", func() bool {
		lag, _, err := ask(t, s)
		return err == nil && lag == want
	})
}

// replicate has each server of the cluster hold the chunks, as an operator does.
func replicate(t *testing.T, c *client) {
	t.Helper()
	config := c.api("STREAM.INFO.CHUNKS", "")["config"].(map[string]any)
	config["num_replicas"] = 3
	body, err := json.Marshal(config)
	must(t, err)
	c.api("STREAM.UPDATE.CHUNKS", string(body))
	await(t, "every server has caught up", func() bool {
		answer, err := c.tryAPI("CONSUMER.INFO.CHUNKS.workers", "")
		if err != nil {
			return false
		}
		cluster, _ := answer["cluster"].(map[string]any)
		replicas, _ := cluster["replicas"].([]any)
		for _, r := range replicas {
			if r.(map[string]any)["current"] != true {
				return false
			}
		}
		return len(replicas) == 2
	})
}
