//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/penstock-io/penstock/internal/kube"
)

// foreign are the groups of what operators bring along that are not to be had here.
var foreign = []string{"k8ssandra.io", "control.k8ssandra.io", "medusa.k8ssandra.io", "reaper.k8ssandra.io",
	"monitoring.coreos.com", "argoproj.io"}

// TestOverlays has the API server look at everything that the overlays render to, without making it; the components
// that no overlay has are looked at beside dev.
func TestOverlays(t *testing.T) {
	c := kube.Attach()
	if c == nil {
		t.Fatal("no cluster: run `make e2e`")
	}
	apply(t, c, "", "-f", filepath.Join(manifests, "base", "namespace.yaml"))
	found, err := filepath.Glob(filepath.Join(manifests, "overlays", "*"))
	if err != nil || len(found) == 0 {
		t.Fatalf("overlays: %q, %v", found, err)
	}
	for _, component := range []string{"cronjob", "argo"} {
		found = append(found, devWith(t, component))
	}
	for _, dir := range found {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			out, err := c.Kubectl(t.Context(), "", "kustomize", dir)
			if err != nil {
				t.Fatal(err)
			}
			known, left := split(t, out)
			t.Logf("%d objects; of groups that are not here: %q", len(known), left)
			if plain := []string{"dev", "kind", "dev-cronjob"}; slices.Contains(plain, filepath.Base(dir)) && len(left) > 0 {
				t.Errorf("%q need what a plain cluster with KEDA lacks", left)
			}
			apply(t, c, strings.Join(known, "\n---\n"), "--dry-run=server", "-f", "-")
		})
	}
}

// TestDevelopment applies dev with the CronJob for real, and takes all of it away again. Its pods do not come up: the
// images of its servers are not to be had here.
func TestDevelopment(t *testing.T) {
	c := kube.Attach()
	if c == nil {
		t.Fatal("no cluster: run `make e2e`")
	}
	dir := devWith(t, "cronjob")
	apply(t, c, "", "-k", dir)
	for _, object := range []string{
		"statefulset/nats", "statefulset/cassandra", "deployment/penstock-worker", "scaledobject/penstock-worker",
		"cronjob/penstock-submit",
	} {
		if _, err := c.Kubectl(t.Context(), "", "--namespace=penstock", "get", object); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Kubectl(t.Context(), "", "delete", "namespace", "penstock"); err != nil {
		t.Error(err)
	}
}

// devWith is an overlay of dev and one more component, by the name of both.
func devWith(t *testing.T, component string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "dev-"+component)
	shipped, err := filepath.Abs(manifests)
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(dir, shipped) // kustomize takes no absolute path
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		text := fmt.Sprintf("namespace: penstock\nresources: [%s/overlays/dev]\ncomponents: [%[1]s/components/%s]\n",
			filepath.ToSlash(relative), component)
		err = os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// split keeps what this cluster knows, and names the rest.
func split(t *testing.T, rendered string) (known, left []string) {
	t.Helper()
	for doc := range strings.SplitSeq(rendered, "\n---\n") {
		var o struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string
		}
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		if group, _, _ := strings.Cut(o.APIVersion, "/"); slices.Contains(foreign, group) {
			left = append(left, o.Kind)
		} else {
			known = append(known, doc)
		}
	}
	return known, left
}
