// Package policytest holds every pod of manifests/ to PodSecurity `restricted`, by the code of Kubernetes itself, and
// every object that Kubernetes knows to its type, strictly. It is a module of its own: what it takes is of no use to
// Penstock.
package policytest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// render gives what a folder would have Kubernetes make.
func render(t *testing.T, folder string) []*resource.Resource {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	return resources.Resources()
}

// overBase is a folder that has the base and one component.
func overBase(t *testing.T, component string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Rel(dir, manifests)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("namespace: penstock\nresources: [%s/base]\ncomponents: [%[1]s/components/%s]\n", path, component)
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// names are the folders in a folder.
func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// known decodes what Kubernetes itself knows, and refuses fields that it does not.
func known(t *testing.T) runtime.Decoder {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme,
		rbacv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}

// ours are the groups that the scheme above holds.
var ours = []string{"", "apps", "batch", "networking.k8s.io", "policy", "rbac.authorization.k8s.io"}

func TestManifests(t *testing.T) {
	t.Parallel()
	for _, name := range names(t, "../overlays") {
		t.Run(name, func(t *testing.T) { t.Parallel(); check(t, filepath.Join("../overlays", name)) })
	}
	for _, name := range names(t, "../components") {
		t.Run("base and "+name, func(t *testing.T) { t.Parallel(); check(t, overBase(t, name)) })
	}
}

func check(t *testing.T, folder string) {
	decoder, pods := known(t), 0
	for _, r := range render(t, folder) {
		if !slices.Contains(ours, r.GetGvk().Group) {
			continue
		}
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		object, _, err := decoder.Decode(text, nil, nil)
		if err != nil {
			t.Errorf("%s/%s: %v", r.GetKind(), r.GetName(), err)
			continue
		}
		if pod := podOf(object); pod != nil {
			pods++
			for _, fault := range faults(t, pod) {
				t.Errorf("%s/%s: %s", r.GetKind(), r.GetName(), fault)
			}
		}
	}
	if pods < 2 {
		t.Errorf("found %d pods, expected those of dispatchers and workers at least", pods)
	}
}

// podOf is what an object would make pods of, nil where it makes none.
func podOf(object runtime.Object) *corev1.PodTemplateSpec {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template
	case *appsv1.StatefulSet:
		return &o.Spec.Template
	case *appsv1.DaemonSet:
		return &o.Spec.Template
	case *batchv1.Job:
		return &o.Spec.Template
	case *batchv1.CronJob:
		return &o.Spec.JobTemplate.Spec.Template
	case *corev1.Pod:
		return &corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}
	}
	return nil
}

// faults are what PodSecurity `restricted` finds, in the newest version.
func faults(t *testing.T, pod *corev1.PodTemplateSpec) (found []string) {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, r := range evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec) {
		if !r.Allowed {
			found = append(found, r.ForbiddenReason+": "+r.ForbiddenDetail)
		}
	}
	return found
}

// TestFaultsAreFound has the checks find what they are for.
func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	const good = `apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers: [{name: a, image: "a:1", securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]`
	for _, c := range []struct{ old, new, says string }{
		{"", "", ""},
		{"runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"},
		{"drop: [ALL]", "drop: [NET_RAW]", "capabilities"},
		{"allowPrivilegeEscalation: false", "privileged: true", "privileged"},
		{"{type: RuntimeDefault}", "{type: Unconfined}", "seccompProfile"},
		{"spec:", "spec:\n  hostNetwork: true", "host namespaces"},
		{"name: a, image", "nome: b, name: a, image", `unknown field "spec.containers[0].nome"`},
	} {
		object, _, err := known(t).Decode([]byte(strings.Replace(good, c.old, c.new, 1)), nil, nil)
		found := fmt.Sprint(err)
		if err == nil {
			found = strings.Join(faults(t, podOf(object)), "\n")
		}
		if !strings.Contains(found, c.says) || (c.says == "") != (found == "") {
			t.Errorf("%s for %s: found %q, expected %q", c.new, c.old, found, c.says)
		}
	}
}
