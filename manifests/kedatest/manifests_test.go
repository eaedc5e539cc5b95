package kedatest

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	"sigs.k8s.io/yaml"
)

// manifests is the folder that is tested.
const manifests = ".."

// TestScaledObjects decodes strictly what every folder of manifests/ renders to, and has KEDA's own checks look at it.
func TestScaledObjects(t *testing.T) {
	t.Parallel()
	found := scaledObjects(t)
	for _, where := range slices.Sorted(maps.Keys(found)) {
		o := found[where]
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			for what, check := range map[string]func(*v1alpha1.ScaledObject) error{
				"replicas": v1alpha1.CheckReplicaCountBoundsAreValid,
				"fallback": func(o *v1alpha1.ScaledObject) error { return v1alpha1.CheckFallbackValid(o) },
			} {
				if err := check(o); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			if len(o.Spec.Triggers) != 1 || o.Spec.Triggers[0].Type != "nats-jetstream" {
				t.Fatalf("triggers %+v: expected one of nats-jetstream", o.Spec.Triggers)
			}
			expectKnown(t, o.Spec.Triggers[0].Metadata)
		})
	}
}

// TestStrict sees to it that a field which KEDA does not know is noticed.
func TestStrict(t *testing.T) {
	t.Parallel()
	err := decode([]byte("kind: ScaledObject\nspec: {minReplicaCounts: 0}"), &v1alpha1.ScaledObject{})
	if err == nil || !strings.Contains(err.Error(), "minReplicaCounts") {
		t.Errorf("error %v: expected the unknown field's name", err)
	}
}

// expectKnown wants nothing in a trigger's metadata that its scaler would leave unread.
func expectKnown(t *testing.T, metadata map[string]string) {
	t.Helper()
	known := []string{"natsServerMonitoringEndpoint", "account", "accountID", "stream", "consumer", "lagThreshold",
		"activationLagThreshold", "useHttps"}
	for key := range metadata {
		if !slices.Contains(known, key) {
			t.Errorf("metadata %q: the scaler reads %q", key, known)
		}
	}
}

// scaledObjects are those of manifests/, by folder and name; a component stands on the base.
func scaledObjects(t *testing.T) map[string]*v1alpha1.ScaledObject {
	t.Helper()
	found := map[string]*v1alpha1.ScaledObject{}
	err := filepath.WalkDir(manifests, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() != "kustomization.yaml" {
			return err
		}
		dir := filepath.Dir(path)
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.Contains(string(text), "kind: Component") {
			if dir, err = onBase(t, dir); err != nil {
				return err
			}
		}
		return collect(found, filepath.Dir(path), dir)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("manifests/ holds no ScaledObject")
	}
	return found
}

// onBase makes a folder that renders the base with a component.
func onBase(t *testing.T, component string) (string, error) {
	dir := t.TempDir()
	var relative [2]string
	for i, path := range []string{filepath.Join(manifests, "base"), component} {
		abs, err := filepath.Abs(path)
		if err != nil {
			return "", err
		}
		if relative[i], err = filepath.Rel(dir, abs); err != nil {
			return "", err
		}
	}
	text := fmt.Sprintf("resources: [%s]\ncomponents: [%s]\n", relative[0], relative[1])
	return dir, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600)
}

// collect adds what a folder renders to.
func collect(found map[string]*v1alpha1.ScaledObject, name, dir string) error {
	var errOut bytes.Buffer
	render := strings.Fields(cmp.Or(os.Getenv("PENSTOCK_TEST_KUSTOMIZE"), "kubectl kustomize"))
	cmd := exec.Command(render[0], append(render[1:], dir)...)
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("render %s: %w: %s", name, err, &errOut)
	}
	for doc := range strings.SplitSeq(string(out), "\n---\n") {
		var any struct{ Kind string }
		if err := yaml.Unmarshal([]byte(doc), &any); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if any.Kind != "ScaledObject" {
			continue
		}
		var o v1alpha1.ScaledObject
		if err := decode([]byte(doc), &o); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		found[strings.TrimPrefix(name, manifests+"/")+"/"+o.Name] = &o
	}
	return nil
}

func decode(doc []byte, o *v1alpha1.ScaledObject) error { return yaml.UnmarshalStrict(doc, o) }
