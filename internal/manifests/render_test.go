package manifests

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/internal/testenv"
	"github.com/penstock-io/penstock/internal/testenv/tools"
)

const root = "../../manifests"

// names are the overlays that users apply, or the components that overlays are made of, each of which is rendered
// here over the base alone.
func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, folder))
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// built is what kustomize prints for each folder: once for all tests.
var built sync.Map // of a folder's path to func() ([]byte, error)

// render gives the objects of a folder, which the test may change.
func render(t *testing.T, name string, folder func() (string, error)) []Object {
	t.Helper()
	once, _ := built.LoadOrStore(name, sync.OnceValues(func() ([]byte, error) {
		path, err := folder()
		if err == nil {
			err = look(root)
		}
		if err != nil {
			return nil, err
		}
		return build(context.Background(), path)
	}))
	documents, err := once.(func() ([]byte, error))()
	if errors.Is(err, tools.ErrMissing) {
		testenv.Skip(t, "%v", err)
	}
	must(t, err)
	objects, err := decode(documents)
	must(t, err)
	return objects
}

func overlay(t *testing.T, name string) []Object {
	t.Helper()
	return render(t, name, func() (string, error) { return filepath.Join(root, "overlays", name), nil })
}

// component gives the objects of the base with one component.
func component(t *testing.T, name string) []Object {
	t.Helper()
	dir := realTempDir(t)
	return render(t, "base and "+name, func() (string, error) {
		path, err := relative(dir)
		if err != nil {
			return "", err
		}
		text := fmt.Sprintf("namespace: penstock\nresources: [%s/base]\ncomponents: [%[1]s/components/%s]\n", path, name)
		return dir, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o644)
	})
}

// relative is the way from a folder to manifests/: kustomize takes no absolute one.
func relative(from string) (string, error) {
	manifests, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	return filepath.Rel(from, manifests)
}

// submitters are the components that production.md has users add to their copy of production.
var submitters = []string{"cronjob", "argo"}

// production gives the objects of a copy of the overlay production whose list of components has one more, as users
// are told to add it.
func production(t *testing.T, name string) []Object {
	t.Helper()
	dir := realTempDir(t)
	return render(t, "production and "+name, func() (string, error) {
		path, err := relative(dir)
		if err != nil {
			return "", err
		}
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, "overlays/production"))); err != nil {
			return "", err
		}
		file := filepath.Join(dir, "kustomization.yaml")
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		const list = "\ncomponents:\n"
		added := strings.Replace(string(text), list, list+"  - ../../components/"+name+"\n", 1)
		return dir, os.WriteFile(file, []byte(strings.ReplaceAll(added, "../..", path)), 0o644)
	})
}

// realTempDir has no symbolic link in it: kustomize counts the folders upwards on the real path.
func realTempDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	return dir
}

// onEach runs a test on all that can be rendered.
func onEach(t *testing.T, test func(t *testing.T, objects []Object)) {
	t.Helper()
	for _, name := range names(t, "overlays") {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, overlay(t, name)) })
	}
	for _, name := range names(t, "components") {
		t.Run("base and "+name, func(t *testing.T) { t.Parallel(); test(t, component(t, name)) })
	}
	for _, name := range submitters {
		t.Run("production and "+name, func(t *testing.T) { t.Parallel(); test(t, production(t, name)) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// find gives the object of a kind and name; generated names have their hash taken off.
func find(t *testing.T, objects []Object, kind, name string) Object {
	t.Helper()
	i := slices.IndexFunc(objects, func(o Object) bool {
		return o.Kind() == kind && (o.Name() == name || unhashed(o.Name()) == name)
	})
	if i < 0 {
		t.Fatalf("there is no %s/%s", kind, name)
	}
	return objects[i]
}

// unhashed takes off what a generator adds to a name.
func unhashed(name string) string {
	if i := strings.LastIndexByte(name, '-'); i >= 0 && len(name)-i == 11 {
		return name[:i]
	}
	return name
}

// all gives the objects of a kind.
func all(objects []Object, kind string) []Object {
	return slices.DeleteFunc(slices.Clone(objects), func(o Object) bool { return o.Kind() != kind })
}

// pods gives the spec of each pod that the objects would make, by the object's name.
func pods(objects []Object) map[string]Object {
	specs := map[string]Object{}
	for _, o := range objects {
		if spec, ok := o.At(PodPaths[o.Kind()]).(map[string]any); ok {
			specs[o.String()] = spec
		}
	}
	return specs
}

// started gives the pods of CronWorkflows, too, which Argo adds containers of its own to.
func started(objects []Object) map[string]Object {
	specs := pods(objects)
	for _, o := range all(objects, "CronWorkflow") {
		spec, _ := o.At("spec.workflowSpec").(map[string]any)
		var containers []any
		for _, template := range o.List("spec.workflowSpec.templates") {
			containers = append(containers, template.At("container"))
		}
		pod := Object(maps.Clone(spec))
		pod["containers"] = containers
		specs[o.String()] = pod
	}
	return specs
}

// TestNames holds names to be there once, in the namespace, and in labels that select something.
func TestNames(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, objects []Object) {
		seen := map[string]bool{}
		for _, o := range objects {
			if seen[o.String()] {
				t.Errorf("%s is there twice", o)
			}
			seen[o.String()] = true
			if ns := o.Text("metadata.namespace"); o.Kind() != "Namespace" && ns != "penstock" {
				t.Errorf("%s is in namespace %q, expected penstock", o, ns)
			}
			if selected(o) != "" {
				wantsSelected(t, objects, o)
			}
		}
	})
}

// selected is the path of the labels by which an object looks for pods of its own namespace.
func selected(o Object) string {
	return map[string]string{
		"Service": "spec.selector", "PodDisruptionBudget": "spec.selector.matchLabels",
		"Deployment": "spec.selector.matchLabels", "StatefulSet": "spec.selector.matchLabels",
	}[o.Kind()]
}

func wantsSelected(t *testing.T, objects []Object, o Object) {
	t.Helper()
	want := labels(o, selected(o))
	for _, other := range objects {
		have := labels(other, strings.TrimSuffix(PodPaths[other.Kind()], "spec")+"metadata.labels")
		if PodPaths[other.Kind()] != "" && len(want) > 0 && contains(have, want) {
			return
		}
	}
	t.Errorf("%s selects %v, which no pod is labelled with", o, want)
}

// labels are the strings of a map at a path.
func labels(o Object, path string) map[string]string {
	values, _ := o.At(path).(map[string]any)
	found := map[string]string{}
	for k, v := range values {
		found[k] = fmt.Sprint(v)
	}
	return found
}

func contains(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}
