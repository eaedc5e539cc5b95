package manifests

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestBudgets wants no PodDisruptionBudget to hold up the drain of a node: of the pods that there are at the least one
// may go, and pods of Penstock that are not ready, as all are while a server is away, go in any case. Servers that keep
// data wait until they are well again.
func TestBudgets(t *testing.T) {
	t.Parallel()
	for _, name := range names(t, "overlays") {
		objects := overlay(t, name)
		for _, budget := range all(objects, "PodDisruptionBudget") {
			i := slices.IndexFunc(objects, func(o Object) bool {
				return PodPaths[o.Kind()] != "" && o.Name() == budget.Name()
			})
			if i < 0 {
				t.Fatalf("%s: nothing of the name of %s makes pods", name, budget)
			}
			replicas, err := strconv.Atoi(cmp.Or(objects[i].Text("spec.replicas"), "1")) // "": an autoscaler's, one at least
			must(t, err)
			if evictable(t, budget, replicas) < 1 {
				t.Errorf("%s: %s lets none of %d pods go", name, budget, replicas)
			}
			policy, penstock := budget.Text("spec.unhealthyPodEvictionPolicy"), strings.HasPrefix(budget.Name(), "penstock-")
			if (policy == "AlwaysAllow") != penstock {
				t.Errorf("%s: %s has the policy %q for pods that are not ready", name, budget, policy)
			}
		}
	}
}

// evictable is how many of so many pods, all of them ready, may go at once. Kubernetes rounds shares up.
func evictable(t *testing.T, budget Object, replicas int) int {
	t.Helper()
	number := func(text string) int {
		share, isShare := strings.CutSuffix(text, "%")
		n, err := strconv.Atoi(share)
		must(t, err)
		if isShare {
			return (replicas*n + 99) / 100
		}
		return n
	}
	if text := budget.Text("spec.maxUnavailable"); text != "" {
		return number(text)
	}
	return replicas - number(budget.Text("spec.minAvailable"))
}
