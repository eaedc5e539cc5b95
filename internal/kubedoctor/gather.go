package kubedoctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// installation is what was learned of one: objects, and why some could not be had.
type installation struct {
	namespace string
	stopped   *Refusal // why nothing could be asked; nil where something could

	workloads  answer[workload]
	pods       answer[pod]
	configMaps answer[configMap]
	secretKeys answer[keys]
	scaled     answer[scaledObject]
	operators  answer[workload] // KEDA's Deployments, wherever they are
	adapter    answer[apiService]
	clusters   answer[k8ssandraCluster]
	centers    answer[datacenter]

	monitors map[string]*monitor // by address, as triggers name it
	down     map[string][]string // servers that pods do not reach, by pod
}

// answer is what a question brought; both where it brought a part.
type answer[T any] struct {
	items   []T
	refused *Refusal
}

func (a answer[T]) is(kind refusal) bool { return a.refused != nil && a.refused.kind == kind }

// Examine asks the cluster about the installation in a namespace, and says what it found, in the order in which to mend
// it. It takes a dozen questions, some seconds in all.
func Examine(ctx context.Context, kubectl Kubectl, namespace string) []Finding {
	return gather(ctx, kubectl, namespace).findings()
}

func gather(ctx context.Context, ask Kubectl, namespace string) *installation {
	c := &installation{namespace: namespace, monitors: map[string]*monitor{}, down: map[string][]string{}}
	here := "--namespace=" + namespace
	c.workloads = many[workload](ctx, ask, here, "deployments,statefulsets,jobs,cronjobs")
	if r := c.workloads.refused; r != nil && r.kind != forbidden && r.kind != absent {
		c.stopped = r
		return c
	}
	c.pods = many[pod](ctx, ask, here, "pods")
	c.configMaps = many[configMap](ctx, ask, here, "configmaps")
	c.scaled = many[scaledObject](ctx, ask, here, "scaledobjects.keda.sh")
	if !c.scaled.is(absent) {
		c.operators = many[workload](ctx, ask, "--all-namespaces", "deployments",
			"--selector=app.kubernetes.io/name in (keda-operator,keda-metrics-apiserver,keda-operator-metrics-apiserver)")
		c.adapter = one[apiService](ctx, ask, "", "apiservices.apiregistration.k8s.io", metricsAPI)
	}
	c.clusters = many[k8ssandraCluster](ctx, ask, here, "k8ssandraclusters.k8ssandra.io")
	c.centers = many[datacenter](ctx, ask, here, "cassandradatacenters.cassandra.datastax.com")
	c.secretKeys = c.askKeys(ctx, ask)
	c.askMonitors(ctx, ask)
	c.askUnready(ctx, ask)
	return c
}

// many lists objects.
func many[T any](ctx context.Context, ask Kubectl, where, kinds string, more ...string) answer[T] {
	out, err := ask(ctx, append([]string{"get", kinds, where, "--output=json"}, more...)...)
	var found list[T]
	return answer[T]{refused: decode(out, err, &found), items: found.Items}
}

// one asks for one object.
func one[T any](ctx context.Context, ask Kubectl, where, kind, name string) answer[T] {
	args := []string{"get", kind, name, "--output=json"}
	if where != "" {
		args = append(args, where)
	}
	out, err := ask(ctx, args...)
	var found T
	if r := decode(out, err, &found); r != nil {
		return answer[T]{refused: r}
	}
	return answer[T]{items: []T{found}}
}

// decode reads what there is of an answer, although a part of it may have been refused.
func decode(out []byte, err error, into any) *Refusal {
	var r *Refusal
	if err != nil && !errors.As(err, &r) {
		r = &Refusal{other, oneLine(err.Error())}
	}
	if len(out) == 0 {
		return r
	}
	if err := json.Unmarshal(out, into); err != nil && r == nil {
		r = &Refusal{other, oneLine(fmt.Sprintf("the answer cannot be read: %v", err))}
	}
	return r
}

// raw asks the API server for a path.
func raw(ctx context.Context, ask Kubectl, path string) ([]byte, error) {
	return ask(ctx, "get", "--raw", path)
}

// keys are the names of a Secret's keys.
type keys struct {
	name string
	keys []string
}

// keysOnly has kubectl leave values out: they never come here. One name gives an object, several a list.
const keysOnly = `{{define "o"}}{{.metadata.name}}{{range $k, $v := .data}} {{$k}}{{end}}{{"\n"}}{{end}}` +
	`{{if .items}}{{range .items}}{{template "o" .}}{{end}}{{else if .metadata.name}}{{template "o" .}}{{end}}`

// askKeys asks for the Secrets that pods refer to, by name: nobody need be granted a list of all.
func (c *installation) askKeys(ctx context.Context, ask Kubectl) answer[keys] {
	var names []string
	for _, n := range c.needs() {
		if n.kind == secretKind {
			names = append(names, n.name)
		}
	}
	if len(names) == 0 {
		return answer[keys]{}
	}
	out, err := ask(ctx, append([]string{"get", "secrets", "--namespace=" + c.namespace, "--ignore-not-found",
		"--output=go-template=" + keysOnly}, names...)...)
	found := answer[keys]{refused: decode(nil, err, nil)}
	for line := range strings.Lines(string(out)) {
		if words := strings.Fields(line); len(words) > 0 {
			found.items = append(found.items, keys{words[0], words[1:]})
		}
	}
	return found
}
