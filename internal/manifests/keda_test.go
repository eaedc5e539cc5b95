package manifests

import (
	"strconv"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// maxAckPending is internal/queue's default: more chunks are never in work at once.
const maxAckPending = 4096

// TestScaledObject holds the autoscaler to the names and numbers of everything else.
func TestScaledObject(t *testing.T) {
	t.Parallel()
	for _, name := range names(t, "overlays") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects := overlay(t, name)
			scaled := find(t, objects, "ScaledObject", "penstock-worker")
			target := find(t, objects, "Deployment", scaled.Text("spec.scaleTargetRef.name"))
			if target.At("spec.replicas") != nil {
				t.Errorf("%s sets replicas, which KEDA owns: each apply would set them back", target)
			}
			trigger := scaled.List("spec.triggers")[0]
			for path, want := range map[string]string{
				"type": "nats-jetstream", "metadata.stream": contracts.DefaultSubjects.Stream(contracts.StreamChunks),
				"metadata.consumer": contracts.Consumer, "metadata.account": "$G", "metadata.useHttps": "false",
				"metadata.natsServerMonitoringEndpoint": endpoint(t, objects),
			} {
				if found := trigger.Text(path); found != want {
					t.Errorf("%s is %q, expected %q", path, found, want)
				}
			}
			checkNumbers(t, file(t, objects), scaled, trigger)
		})
	}
}

// endpoint is the monitoring port of the headless Service of NATS: that of each server has its name in front.
func endpoint(t *testing.T, objects []Object) string {
	t.Helper()
	for _, s := range all(objects, "Service") {
		for _, p := range s.List("spec.ports") {
			if p.Text("name") == "monitor" && s.Text("spec.clusterIP") == "None" {
				return s.Name() + "." + s.Text("metadata.namespace") + ".svc.cluster.local:" + p.Text("port")
			}
		}
	}
	t.Fatal("no headless Service has a port monitor")
	return ""
}

func checkNumbers(t *testing.T, file map[string]any, scaled, trigger Object) {
	number := func(text string) int {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		must(t, err)
		return n
	}
	setting := func(key string) int { return number(Object(file).Text(key)) }
	replicas, lag := number(scaled.Text("spec.maxReplicaCount")), number(trigger.Text("metadata.lagThreshold"))
	inFlight := 2 * setting("workers") // of one pod: as many are read as are on their way to the table
	if scaled.Text("spec.minReplicaCount") != "0" || trigger.Text("metadata.activationLagThreshold") != "0" {
		t.Error("expected no worker without a chunk, and one for a single chunk")
	}
	if lag != inFlight {
		t.Errorf("lagThreshold is %d, expected %d: the chunks that a pod has in flight", lag, inFlight)
	}
	if held := replicas * inFlight; held > maxAckPending || 2*held > setting("window") {
		t.Errorf("%d pods hold %d chunks, expected at most %d (MaxAckPending), and half of the window of %d",
			replicas, held, maxAckPending, setting("window"))
	}
	if most := replicas * setting("workers"); setting("max_workers") < most {
		t.Errorf("max_workers is %d, expected %d at least: workers × maxReplicaCount", setting("max_workers"), most)
	}
	if n := number(scaled.Text("spec.fallback.replicas")); n < 1 || n > replicas {
		t.Errorf("fallback.replicas is %d, expected 1 to %d", n, replicas)
	}
}
