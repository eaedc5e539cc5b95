package kubedoctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/template"

	"github.com/penstock-io/penstock/internal/manifests"
	"github.com/penstock-io/penstock/internal/testenv"
	"github.com/penstock-io/penstock/internal/testenv/tools"
)

// world is a cluster as kubectl shows it: objects, and what it answers on paths.
type world struct {
	objects []manifests.Object
	raw     map[string]string
	refuse  map[string]*Refusal // by resource or path
}

// kinds are the resources that are asked for.
var kinds = map[string]string{
	"deployments": "Deployment", "statefulsets": "StatefulSet", "jobs": "Job", "cronjobs": "CronJob", "pods": "Pod",
	"configmaps": "ConfigMap", "secrets": "Secret", "services": "Service", "scaledobjects.keda.sh": "ScaledObject",
	"apiservices.apiregistration.k8s.io": "APIService", "k8ssandraclusters.k8ssandra.io": "K8ssandraCluster",
	"cassandradatacenters.cassandra.datastax.com": "CassandraDatacenter",
}

// ask is a Kubectl that looks here.
func (w *world) ask(_ context.Context, args ...string) ([]byte, error) {
	if args[1] == "--raw" {
		return w.path(args[2])
	}
	var names []string
	namespace, format := "", ""
	for _, arg := range args[2:] {
		switch name, value, _ := strings.Cut(arg, "="); name {
		case "--namespace":
			namespace = value
		case "--output":
			format, _ = strings.CutPrefix(value, "go-template=")
		case "--all-namespaces", "--ignore-not-found", "--selector":
		default:
			names = append(names, arg)
		}
	}
	var found []manifests.Object
	var refused error
	for _, resource := range strings.Split(args[1], ",") {
		if r := w.refuse[resource]; r != nil {
			refused = r
			continue
		}
		selected := strings.HasPrefix(strings.Join(args, " "), "get deployments --all-namespaces")
		for _, o := range w.objects {
			in := namespace == "" || o.Text("metadata.namespace") == namespace
			isKEDA := o.Text("metadata.namespace") == "keda"
			if o.Kind() == kinds[resource] && in && (len(names) == 0 || slices.Contains(names, o.Name())) && selected == isKEDA {
				found = append(found, o)
			}
		}
	}
	if len(names) == 1 && len(found) == 0 && refused == nil && args[1] != "secrets" {
		return nil, &Refusal{absent, fmt.Sprintf("Error from server (NotFound): %s %q not found", args[1], names[0])}
	}
	return printed(found, len(names) == 1, format), refused
}

// printed gives objects as kubectl does: as JSON or by a template, one that was asked for by name without a list.
func printed(found []manifests.Object, single bool, format string) []byte {
	var all any = map[string]any{"items": found, "metadata": map[string]any{}}
	if single && len(found) == 0 {
		return nil
	}
	if single {
		all = found[0]
	}
	text, err := json.Marshal(all)
	if err != nil || format == "json" {
		return text
	}
	var plain map[string]any
	if err := json.Unmarshal(text, &plain); err != nil {
		return nil
	}
	var b bytes.Buffer
	if err := template.Must(template.New("").Parse(format)).Execute(&b, plain); err != nil {
		return nil
	}
	return b.Bytes()
}

func (w *world) path(path string) ([]byte, error) {
	if answer, ok := w.raw[path]; ok {
		return []byte(answer), nil
	}
	if r := w.refuse[path]; r != nil {
		return nil, r
	}
	return nil, &Refusal{unreachable, "Error from server (ServiceUnavailable): error trying to reach service: " +
		"dial tcp 10.244.0.7:8222: connect: connection refused"}
}

// rendered is what kustomize makes of each overlay: once for all tests.
var rendered sync.Map // of a name to func() ([]manifests.Object, error)

// healthy is a cluster in which an overlay was applied and all is well.
func healthy(t *testing.T, overlay string) *world {
	t.Helper()
	once, _ := rendered.LoadOrStore(overlay, sync.OnceValues(func() ([]manifests.Object, error) {
		return manifests.Render(context.Background(), filepath.Join("../../manifests/overlays", overlay))
	}))
	objects, err := once.(func() ([]manifests.Object, error))()
	if errors.Is(err, tools.ErrMissing) {
		testenv.Skip(t, "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := &world{raw: map[string]string{}, refuse: map[string]*Refusal{}}
	for _, o := range objects {
		w.objects = append(w.objects, object(t, string(printed([]manifests.Object{o}, true, "json")))) // a copy
	}
	w.run(t)
	w.addKEDA(t)
	if len(w.all("K8ssandraCluster")) > 0 {
		w.addK8ssandra(t)
	}
	w.addSecrets(t)
	return w
}

// object reads JSON or YAML's subset of it; numbers are float64, as from kubectl.
func object(t *testing.T, text string) manifests.Object {
	t.Helper()
	var o manifests.Object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return o
}

func (w *world) add(t *testing.T, format string, args ...any) {
	t.Helper()
	w.objects = append(w.objects, object(t, fmt.Sprintf(format, args...)))
}

// run gives each Deployment and StatefulSet its pods.
func (w *world) run(t *testing.T) {
	t.Helper()
	for _, o := range slices.Concat(w.all("Deployment"), w.all("StatefulSet")) {
		n := 1
		if replicas, ok := o.At("spec.replicas").(float64); ok {
			n = int(replicas)
		}
		set(o, n, "status", "availableReplicas")
		for i := range n {
			p := manifests.Object{"kind": "Pod", "spec": o.At("spec.template.spec")}
			set(p, fmt.Sprintf("%s-%d", o.Name(), i), "metadata", "name")
			set(p, "penstock", "metadata", "namespace")
			set(p, o.At("spec.template.metadata.labels"), "metadata", "labels")
			set(p, object(t, `{"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}`), "status")
			w.objects = append(w.objects, p)
			if o.Name() == "nats" {
				w.raw[monitorOf(i)] = jetStream
			}
		}
	}
}

func monitorOf(i int) string {
	return fmt.Sprintf("/api/v1/namespaces/penstock/pods/nats-%d:8222/proxy%s", i, jszPath)
}

const jetStream = `{"account_details": [{"name": "$G", "id": "$G", "stream_detail": [
	{"name": "JOBS"}, {"name": "CHUNKS", "consumer_detail": [{"name": "workers"}]}]}]}`

func (w *world) addKEDA(t *testing.T) {
	t.Helper()
	for _, name := range []string{"keda-operator", "keda-operator-metrics-apiserver"} {
		w.add(t, `{"kind": "Deployment", "metadata": {"name": %q, "namespace": "keda",
			"labels": {"app.kubernetes.io/name": %[1]q, "app.kubernetes.io/version": "2.21.0"}},
			"status": {"availableReplicas": 1, "conditions": [{"type": "Available", "status": "True"}]}}`, name)
	}
	w.add(t, `{"kind": "APIService", "metadata": {"name": %q},
		"spec": {"service": {"name": "keda-operator-metrics-apiserver", "namespace": "keda"}},
		"status": {"conditions": [{"type": "Available", "status": "True"}]}}`, metricsAPI)
	for _, o := range w.all("ScaledObject") {
		set(o, object(t, `{"conditions": [{"type": "Ready", "status": "True"}, {"type": "Active", "status": "False"},
			{"type": "Fallback", "status": "False"}, {"type": "Paused", "status": "False"}]}`), "status")
	}
}

func (w *world) addK8ssandra(t *testing.T) {
	t.Helper()
	set(w.find(t, "K8ssandraCluster/penstock"), object(t, `{"error": "None", "conditions": [
		{"type": "CassandraInitialized", "status": "True"}]}`), "status")
	w.add(t, `{"kind": "CassandraDatacenter", "metadata": {"name": "dc1", "namespace": "penstock"}, "status": {
		"cassandraOperatorProgress": "Ready", "conditions": [{"type": "Ready", "status": "True"},
		{"type": "Valid", "status": "True"}, {"type": "Healthy", "status": "True"}]}}`)
	w.add(t, `{"kind": "Pod", "metadata": {"name": "penstock-dc1-r1-sts-0", "namespace": "penstock", "labels":
		{"cassandra.datastax.com/cluster": "penstock"}}, "status": {"phase": "Running", "conditions":
		[{"type": "Ready", "status": "True"}]}}`)
	set(w.find(t, "Job/penstock-migrate"), 1, "status", "succeeded")
}

// addSecrets makes those that the overlay leaves to people, by what manifests/README.md says of them.
func (w *world) addSecrets(t *testing.T) {
	t.Helper()
	readme, err := os.ReadFile("../../manifests/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range secretRow.FindAllStringSubmatch(string(readme), -1) {
		w.add(t, `{"kind": "Secret", "metadata": {"name": %q, "namespace": "penstock"}, "data": {}}`, row[1])
		for _, key := range strings.Split(row[2], ", ") {
			set(w.find(t, "Secret/"+row[1]), hush, "data", strings.Trim(key, "`"))
		}
	}
}

var secretRow = regexp.MustCompile("(?m)^\\| `(penstock-[a-z0-9-]+)` \\| (`[^|]+`) \\|")

// hush is a value that nobody may ever see.
const hush = "aHVzaA=="

// all are the objects of a kind in the installation's namespace.
func (w *world) all(kind string) []manifests.Object {
	return slices.DeleteFunc(slices.Clone(w.objects), func(o manifests.Object) bool {
		return o.Kind() != kind || o.Text("metadata.namespace") == "keda"
	})
}

// find gives the object whose Kind/name begins so: generated names end in a hash.
func (w *world) find(t *testing.T, name string) manifests.Object {
	t.Helper()
	i := slices.IndexFunc(w.objects, func(o manifests.Object) bool { return strings.HasPrefix(o.String(), name) })
	if i < 0 {
		t.Fatalf("there is no %s", name)
	}
	return w.objects[i]
}

func (w *world) remove(t *testing.T, name string) {
	t.Helper()
	gone := w.find(t, name).String()
	w.objects = slices.DeleteFunc(w.objects, func(o manifests.Object) bool { return o.String() == gone })
}

// set sets a value at a path of keys, and makes maps on the way.
func set(o manifests.Object, value any, path ...string) {
	at := map[string]any(o)
	for _, key := range path[:len(path)-1] {
		below, ok := at[key].(map[string]any)
		if !ok {
			below = map[string]any{}
		}
		below = maps.Clone(below) // pods share what their workload has
		at[key] = below
		at = below
	}
	at[path[len(path)-1]] = plain(value)
}

// plain has maps be maps for who goes on from there.
func plain(value any) any {
	if o, ok := value.(manifests.Object); ok {
		return map[string]any(o)
	}
	return value
}
