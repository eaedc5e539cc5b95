//go:build e2e

package e2e

import (
	"context"
	_ "embed"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/penstock-io/penstock/internal/kube"
)

//go:embed testdata/kustomization.yaml.tmpl
var overlay string

// mostWorkers is the maximum that the overlay gives KEDA.
const mostWorkers = 3

// deploy applies manifests/ with the overlay of this test.
func (l *lab) deploy() {
	l.t.Helper()
	dir, err := filepath.Abs(filepath.Join(*outDir, "overlay"))
	l.must(err)
	l.must(os.MkdirAll(dir, 0o755))
	shipped, err := filepath.Abs(manifests)
	l.must(err)
	relative, err := filepath.Rel(dir, shipped)
	l.must(err)
	f, err := os.OpenFile(filepath.Join(dir, "kustomization.yaml"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	l.must(err) // it holds passwords
	defer f.Close()
	l.must(template.Must(template.New("overlay").Parse(overlay)).Execute(f, map[string]any{
		"Manifests": filepath.ToSlash(relative), "Cassandra": l.cassandra, "S3": l.s3, "NATS": l.nats,
		"Passwords": l.passwords, "Monitoring": monitoring, "Most": mostWorkers,
	}))
	apply(l.t, l.cluster, "", "-k", dir)
	l.kubectl("rollout", "status", "deployment/penstock-dispatcher", "--timeout=3m")
}

// apply applies strictly: a field that the API does not know is an error, and so is whatever the API server warns of,
// such as a pod against the namespace's rules.
func apply(t *testing.T, c *kube.Cluster, stdin string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	args = append([]string{"apply", "--server-side", "--force-conflicts", "--validate=strict"}, args...)
	cmd, err := c.Command(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "Warning") {
		t.Fatalf("kubectl %v: %v\n%s", args, err, out)
	}
}

// pod is what the test needs to know of one.
type pod struct{ name, container string }

// pods are the running pods of a component, without those that are on their way out.
func (l *lab) pods(component string) []pod {
	l.t.Helper()
	out := l.kubectl("get", "pods", "--selector=app.kubernetes.io/component="+component,
		"--field-selector=status.phase=Running", "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[0].containerID} `+
			`{.metadata.deletionTimestamp}{"\n"}{end}`)
	var pods []pod
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 2 {
			pods = append(pods, pod{f[0], strings.TrimPrefix(f[1], "containerd://")})
		}
	}
	return pods
}

// drain does to the node what an operator does before it is switched off: nothing new comes, and pods are evicted as
// their budget lets them. There is no other node, so the budget keeps the rest until the node is back.
func (l *lab) drain(f *load) {
	l.t.Helper()
	const workers = "app.kubernetes.io/component=worker"
	l.kubectl("cordon", kube.Node)
	l.await("a worker is evicted", func() bool {
		f.keepBusy()
		said, err := l.try("drain", kube.Node, "--pod-selector="+workers, "--delete-emptydir-data", "--timeout=10s")
		if err != nil && !strings.Contains(err.Error(), "disruption budget") && !strings.Contains(err.Error(), "timeout") {
			l.t.Fatal(err)
		}
		leave := l.kubectl("get", "pods", "--selector="+workers, "-o",
			`jsonpath={.items[*].status.conditions[?(@.type=="DisruptionTarget")].reason}`)
		gone := strings.Count(said, " evicted") // those that KEDA takes away meanwhile are not
		l.stages.note("drained: %d workers evicted and gone, on their way out: %q, refused by the budget: %t", gone, leave,
			err != nil)
		return gone > 0 || strings.Contains(leave, "EvictionByEvictionAPI")
	})
	l.kubectl("uncordon", kube.Node)
}
