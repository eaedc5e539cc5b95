package kubedoctor

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/manifests"
)

var update = flag.Bool("update", false, "rewrite what findings are compared with")

// broken is one thing that is wrong in a cluster where all else is well.
type broken struct {
	name    string
	overlay string
	spoil   func(*testing.T, *world)
}

// trigger is the metadata of the trigger that asks NATS.
func (w *world) trigger(t *testing.T) map[string]any {
	t.Helper()
	return w.find(t, "ScaledObject/penstock-worker").At("spec.triggers.0.metadata").(map[string]any)
}

// condition sets a condition of an object.
func (w *world) condition(t *testing.T, name, kind, status, reason, message string) {
	t.Helper()
	o := w.find(t, name)
	kept := slices.DeleteFunc(slices.Clone(values(o, "status.conditions")), func(c any) bool {
		return c.(map[string]any)["type"] == kind
	})
	set(o, append(kept, map[string]any{"type": kind, "status": status, "reason": reason, "message": message}),
		"status", "conditions")
}

func values(o manifests.Object, path string) []any {
	values, _ := o.At(path).([]any)
	return values
}

// sick gives the first pod of a workload, which is not ready, a status.
func (w *world) sick(t *testing.T, workload, status string) {
	t.Helper()
	set(w.find(t, "Pod/"+workload+"-0"), object(t, status), "status")
	for _, o := range w.objects {
		if o.Name() == workload && (o.Kind() == "Deployment" || o.Kind() == "StatefulSet") {
			set(o, o.At("status.availableReplicas").(int)-1, "status", "availableReplicas")
		}
	}
}

// waiting is the status of a pod whose container waits.
const waiting = `{"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}], "containerStatuses": [
	{"name": "worker", "restartCount": 7, "state": {"waiting": {"reason": %q, "message": %q}}, "lastState": %s}]}`

// hashes are of what configurations hold, which is none of this test's concern.
var hashes = regexp.MustCompile(`-[24-9bcdfghkmt]{10}([ :])`)

// TestFindings breaks one thing at a time and holds each word that is said of it to a file.
func TestFindings(t *testing.T) {
	t.Parallel()
	const golden = "testdata/findings.txt"
	var said strings.Builder
	for _, b := range slices.Concat(brokenKEDA(), brokenNATS(), brokenPods(), brokenCassandra(), brokenRights()) {
		w := healthy(t, b.overlay)
		b.spoil(t, w)
		found := hashes.ReplaceAllString(text(Examine(t.Context(), w.ask, "penstock"), false), "-HASH$1")
		if found == "" {
			t.Errorf("%s: nothing is found", b.name)
		}
		fmt.Fprintf(&said, "== %s (%s)\n%s", b.name, b.overlay, found)
	}
	if strings.Contains(said.String(), hush) {
		t.Error("a secret's value was said")
	}
	if *update {
		if err := os.WriteFile(golden, []byte(said.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if said.String() != string(want) {
		t.Errorf("said:\n%s\nexpected, by %s (-update rewrites it):\n%s", difference(said.String(), string(want)), golden,
			difference(string(want), said.String()))
	}
}

// difference is what of a text is not in another, line by line.
func difference(text, other string) string {
	lines := strings.Split(other, "\n")
	return strings.Join(slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		return slices.Contains(lines, line)
	}), "\n")
}

// text prints findings: faults, or what is well.
func text(all []Finding, ok bool) string {
	var b strings.Builder
	for _, f := range all {
		if f.OK == ok {
			fmt.Fprintf(&b, "%s: %s\n", f.Part, f.Detail)
		}
		if !f.OK && !ok {
			fmt.Fprintf(&b, "    %s\n", f.Hint)
		}
	}
	return b.String()
}

// TestAllIsWell finds no fault in a cluster where each overlay was applied and has come up.
func TestAllIsWell(t *testing.T) {
	t.Parallel()
	for _, overlay := range []string{"dev", "kind", "dev-k8ssandra", "production"} {
		t.Run(overlay, func(t *testing.T) {
			t.Parallel()
			w := healthy(t, overlay)
			all := Examine(t.Context(), w.ask, "penstock")
			if faults := text(all, false); faults != "" {
				t.Errorf("found\n%s", faults)
			}
			want := []string{"kubernetes", "keda", "metrics", "scaling", "nats", "secrets", "dispatcher", "worker"}
			if len(w.all("K8ssandraCluster")) > 0 {
				want = append(want, "cassandra")
			}
			for _, part := range want {
				if !slices.ContainsFunc(all, func(f Finding) bool { return f.Part == part && f.OK && f.Hint == "" }) {
					t.Errorf("nothing is said of %s:\n%s", part, text(all, true))
				}
			}
		})
	}
}

// TestAsleep finds no fault where KEDA has put the workers to sleep.
func TestAsleep(t *testing.T) {
	t.Parallel()
	w := healthy(t, "kind")
	set(w.find(t, "Deployment/penstock-worker"), 0, "spec", "replicas")
	set(w.find(t, "Deployment/penstock-worker"), 0, "status", "availableReplicas")
	w.remove(t, "Pod/penstock-worker-0")
	all := Examine(t.Context(), w.ask, "penstock")
	const want = "worker: Deployment/penstock-worker has 0 of 0 pods available: KEDA makes the first when a chunk waits\n"
	if faults := text(all, false); faults != "" || !strings.Contains(text(all, true), want) {
		t.Errorf("found\n%s%s", faults, text(all, true))
	}
}

// TestLeftovers finds no fault in pods that have failed and were replaced.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	w := healthy(t, "kind")
	gone := w.find(t, "Pod/penstock-worker-0")
	w.add(t, `{"kind": "Pod", "metadata": {"name": "penstock-worker-old", "namespace": "penstock"},
		"status": {"phase": "Failed", "reason": "Evicted"}}`)
	set(w.find(t, "Pod/penstock-worker-old"), gone.At("metadata.labels"), "metadata", "labels")
	if found := text(Examine(t.Context(), w.ask, "penstock"), false); found != "" {
		t.Errorf("found\n%s", found)
	}
}

// TestUnreachableMonitor is no fault where KEDA reaches it: policies keep the API server from NATS.
func TestUnreachableMonitor(t *testing.T) {
	t.Parallel()
	w := healthy(t, "kind")
	w.raw = nil
	all := Examine(t.Context(), w.ask, "penstock")
	const want = "nats: KEDA reaches nats-headless.penstock.svc.cluster.local:8222; from here it could not be asked"
	if faults := text(all, false); faults != "" || !strings.Contains(text(all, true), want) {
		t.Errorf("found\n%s%s", faults, text(all, true))
	}
}

// TestPrefix takes the stream's name from what the workers are set to, wherever that is written.
func TestPrefix(t *testing.T) {
	t.Parallel()
	for name, configure := range map[string]func(*testing.T, *world){
		"file": func(t *testing.T, w *world) {
			set(w.find(t, "ConfigMap/penstock-config"), "nats_prefix: lab\n", "data", "penstock.yaml")
		},
		"environment": func(t *testing.T, w *world) {
			set(w.find(t, "ConfigMap/penstock-endpoints"), "lab", "data", "PENSTOCK_NATS_PREFIX")
		},
		"flag": func(t *testing.T, w *world) {
			c := w.find(t, "Deployment/penstock-worker").At("spec.template.spec.containers.0").(map[string]any)
			c["args"] = []any{"worker", "--nats-prefix", "lab"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := healthy(t, "kind")
			configure(t, w)
			found := text(Examine(t.Context(), w.ask, "penstock"), false)
			const want = `has the stream "CHUNKS": expected "LAB_CHUNKS", since the workers' PENSTOCK_NATS_PREFIX is lab`
			if !strings.Contains(found, want) {
				t.Errorf("found\n%sexpected %s", found, want)
			}
			w.trigger(t)["stream"] = "LAB_CHUNKS"
			w.raw[monitorOf(0)] = strings.ReplaceAll(jetStream, "CHUNKS", "LAB_CHUNKS")
			if found := text(Examine(t.Context(), w.ask, "penstock"), false); found != "" {
				t.Errorf("found\n%s", found)
			}
		})
	}
}

// TestOptional leaves out what pods start without.
func TestOptional(t *testing.T) {
	t.Parallel()
	w := healthy(t, "kind")
	spec := w.find(t, "Deployment/penstock-worker").At("spec.template.spec").(map[string]any)
	c := spec["containers"].([]any)[0].(map[string]any)
	c["env"] = append(c["env"].([]any), object(t, `{"name": "A", "valueFrom": {"secretKeyRef":
		{"name": "gone", "key": "a", "optional": true}}}`))
	c["envFrom"] = append(c["envFrom"].([]any), object(t, `{"secretRef": {"name": "gone", "optional": true}}`))
	spec["volumes"] = append(spec["volumes"].([]any), object(t, `{"name": "a", "secret": {"secretName": "gone",
		"optional": true}}`), object(t, `{"name": "b", "projected": {"sources": [{"secret": {"name": "gone", "optional":
		true, "items": [{"key": "a", "path": "a"}]}}]}}`))
	if found := text(Examine(t.Context(), w.ask, "penstock"), false); found != "" {
		t.Errorf("found\n%s", found)
	}
}
