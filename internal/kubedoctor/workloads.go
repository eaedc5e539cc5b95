package kubedoctor

import (
	"cmp"
	"fmt"
	"slices"
)

// deployments looks at dispatchers and workers, and at what else the overlay brought.
func (c *installation) deployments() []Finding {
	all := c.unseen()
	for _, component := range []string{"dispatcher", "worker"} {
		if c.deployment(component) == nil && c.workloads.refused == nil {
			all = append(all, fault(component, fmt.Sprintf("no Deployment in %s has the labels app.kubernetes.io/name=penstock "+
				"and app.kubernetes.io/component=%s: expected one", c.namespace, component),
				"name the installation's namespace by --namespace, or apply an overlay of manifests/"))
		}
	}
	for i := range c.workloads.items {
		w := &c.workloads.items[i]
		ours := w.Metadata.Labels["app.kubernetes.io/part-of"] == "penstock" || w.component() != ""
		if ours && (w.Kind == "Deployment" || w.Kind == "StatefulSet") {
			all = append(all, c.workloadFindings(w)...)
		}
	}
	return all
}

// unseen tells of what may not be looked at.
func (c *installation) unseen() []Finding {
	var all []Finding
	if r := c.workloads.refused; r != nil {
		all = append(all, fault("pods", "not each of Deployments, StatefulSets, Jobs and CronJobs may be looked at: "+r.said,
			r.hint()))
	}
	if r := c.pods.refused; r != nil {
		all = append(all, fault("pods", "pods may not be looked at: "+r.said, r.hint()))
	}
	return all
}

func (c *installation) workloadFindings(w *workload) []Finding {
	part := cmp.Or(w.component(), "pods")
	has := fmt.Sprintf("%s has %d of %d pods available", w, w.Status.AvailableReplicas, w.wanted())
	if w.wanted() == 0 {
		if part == "worker" && c.scalerOf(w) != nil {
			return []Finding{well(part, has+": KEDA makes the first when a chunk waits")}
		}
		return []Finding{fault(part, has+": expected 1 at least", fmt.Sprintf("kubectl -n %s scale %s --replicas=1",
			c.namespace, w))}
	}
	complete := w.Status.AvailableReplicas >= w.wanted()
	var all []Finding
	for _, t := range c.troubles(w.Spec.Selector.MatchLabels, complete) {
		all = append(all, fault(part, has+": "+t.detail, t.hint))
	}
	switch {
	case len(all) > 0:
		return all
	case complete:
		return []Finding{well(part, has)}
	}
	return []Finding{fault(part, has+": "+w.why(), fmt.Sprintf("kubectl -n %s describe %s", c.namespace, w))}
}

// why pods are missing that nobody could make, or that are yet to come.
func (w *workload) why() string {
	for _, name := range []string{"ReplicaFailure", "Progressing", "Available"} {
		found := w.Status.Conditions.find(name)
		if found.Status == map[bool]string{true: "True", false: "False"}[name == "ReplicaFailure"] {
			return oneLine(found.String())
		}
	}
	return "the rest is on its way"
}

// troubles of the pods that carry the labels, each kind of trouble once, with the first pod that has it.
// Where others have replaced those that failed, these do not matter.
func (c *installation) troubles(labels map[string]string, replaced bool) []trouble {
	var all []trouble
	var seen []string
	for i := range c.pods.items {
		p := &c.pods.items[i]
		t := c.trouble(p)
		if !p.has(labels) || t == (trouble{}) || replaced && p.Status.Phase == "Failed" || slices.Contains(seen, t.detail) {
			continue
		}
		seen = append(seen, t.detail)
		all = append(all, trouble{"Pod/" + p.Metadata.Name + " " + t.detail, t.hint})
	}
	return all
}
