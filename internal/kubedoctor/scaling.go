package kubedoctor

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/penstock-io/penstock/contracts"
)

const natsTrigger = "nats-jetstream"

// scaling looks at what KEDA is told to do with the workers, and at what it says of that.
func (c *installation) scaling() []Finding {
	const part = "scaling"
	switch r := c.scaled.refused; {
	case c.scaled.is(absent):
		return nil // of which keda tells
	case r != nil:
		return []Finding{fault(part, "ScaledObjects may not be looked at: "+r.said, r.hint())}
	}
	var all []Finding
	if worker := c.deployment("worker"); worker != nil && c.scalerOf(worker) == nil {
		all = append(all, fault(part, fmt.Sprintf("no ScaledObject in %s names %s: expected one, or the number of workers "+
			"stays what it is", c.namespace, worker), "apply an overlay with the component keda"))
	}
	for i := range c.scaled.items {
		o := &c.scaled.items[i]
		faults := append(c.targetFaults(o), c.triggerFaults(o)...)
		if faults = append(faults, c.stateFaults(o)...); len(faults) == 0 {
			faults = []Finding{well(part, o.summary())}
		}
		all = append(all, faults...)
	}
	return all
}

// scalerOf is the ScaledObject of a Deployment, nil where there is none.
func (c *installation) scalerOf(w *workload) *scaledObject {
	for i := range c.scaled.items {
		if o := &c.scaled.items[i]; o.scales(w) {
			return o
		}
	}
	return nil
}

func (o *scaledObject) scales(w *workload) bool {
	return cmp.Or(o.Spec.ScaleTargetRef.Kind, "Deployment") == w.Kind && o.Spec.ScaleTargetRef.Name == w.Metadata.Name
}

// content says that KEDA hears from NATS. Where there is a fallback it calls a ScaledObject Ready even if it does not.
func (o *scaledObject) content() bool {
	for _, metric := range o.Status.ExternalMetricNames {
		if o.Status.Health[metric].Status == "Failing" {
			return false
		}
	}
	return o.Status.Conditions.find("Ready").Status == "True" && o.Status.Conditions.find("Fallback").Status != "True"
}

// trigger is the one that asks NATS, nil where there is none.
func (o *scaledObject) trigger() *trigger {
	for i := range o.Spec.Triggers {
		if o.Spec.Triggers[i].Type == natsTrigger {
			return &o.Spec.Triggers[i]
		}
	}
	return nil
}

func (o *scaledObject) summary() string {
	text := fmt.Sprintf("%s: Ready", o)
	if o.Status.Conditions.find("Active").Status == "True" {
		text += ", Active"
	}
	if t := o.trigger(); t != nil {
		text += fmt.Sprintf("; account %s, stream %s, consumer %s", t.account(), t.Metadata["stream"],
			t.Metadata["consumer"])
	}
	return text
}

func (t *trigger) account() string { return cmp.Or(t.Metadata["accountID"], t.Metadata["account"]) }

func (c *installation) targetFaults(o *scaledObject) []Finding {
	var there []string
	for i := range c.workloads.items {
		if o.scales(&c.workloads.items[i]) {
			return nil
		}
		if w := &c.workloads.items[i]; w.Kind == "Deployment" {
			there = append(there, w.String())
		}
	}
	if c.workloads.refused != nil {
		return nil
	}
	return []Finding{fault("scaling", fmt.Sprintf("%s scales %s/%s, which is not there: expected one of %s", o,
		cmp.Or(o.Spec.ScaleTargetRef.Kind, "Deployment"), o.Spec.ScaleTargetRef.Name, orNone(there)),
		o.edit(c.namespace, "spec.scaleTargetRef.name"))}
}

func orNone(names []string) string { return cmp.Or(strings.Join(names, ", "), "(none)") }

func (o *scaledObject) edit(namespace, field string) string {
	return fmt.Sprintf("kubectl -n %s edit scaledobject %s: %s; and in the overlay, or the next apply brings it back",
		namespace, o.Metadata.Name, field)
}

// isOthers says that a ScaledObject scales something that is there and is not the workers.
func (c *installation) isOthers(o *scaledObject) bool {
	for i := range c.workloads.items {
		if w := &c.workloads.items[i]; o.scales(w) {
			return w.component() != "worker"
		}
	}
	return o.trigger() == nil
}

// triggerFaults compares names with those that the workers use.
func (c *installation) triggerFaults(o *scaledObject) []Finding {
	t := o.trigger()
	if c.isOthers(o) {
		return nil
	}
	if t == nil {
		var types []string
		for _, t := range o.Spec.Triggers {
			types = append(types, t.Type)
		}
		return []Finding{fault("scaling", fmt.Sprintf("%s has triggers of type %s: expected one of %s", o, orNone(types),
			natsTrigger), o.edit(c.namespace, "spec.triggers, as manifests/components/keda has them"))}
	}
	subjects := c.settings("worker").subjects()
	var all []Finding
	for _, field := range []struct{ name, want, why string }{
		{"stream", subjects.Stream(contracts.StreamChunks), "the workers' PENSTOCK_NATS_PREFIX is " + subjects.Prefix},
		{"consumer", contracts.Consumer, "all workers share it"},
	} {
		if found := t.Metadata[field.name]; found != field.want {
			all = append(all, fault("scaling", fmt.Sprintf("%s has the %s %q: expected %q, since %s", o, field.name, found,
				field.want, field.why), o.edit(c.namespace, "spec.triggers, metadata."+field.name)))
		}
	}
	if t.account() == "" {
		all = append(all, fault("scaling", fmt.Sprintf("%s names no account: expected that of the NATS users, $G where none "+
			"is configured", o), o.edit(c.namespace, "spec.triggers, metadata.account")))
	}
	return all
}

// stateFaults are what KEDA says of the ScaledObject.
func (c *installation) stateFaults(o *scaledObject) []Finding {
	const part = "scaling"
	state := o.Status.Conditions
	if len(state) == 0 {
		return []Finding{fault(part, fmt.Sprintf("%s has no status: expected KEDA's operator to have given it one", o),
			"is the operator up, and does it watch this namespace (WATCH_NAMESPACE)? kubectl -n "+
				c.kedaNamespace()+" logs deployment/keda-operator")}
	}
	describe := fmt.Sprintf("kubectl -n %s describe scaledobject %s; kubectl -n %s logs deployment/keda-operator",
		c.namespace, o.Metadata.Name, c.kedaNamespace())
	var all []Finding
	if ready := state.find("Ready"); ready.Status != "True" {
		all = append(all, fault(part, fmt.Sprintf("%s is not Ready (%s): expected that KEDA can ask NATS and scale the "+
			"workers", o, ready.orStatus()), "mend what is said of nats; else "+describe))
	}
	if hpa := state.find("HPAActive"); hpa.Status == "False" {
		all = append(all, fault(part, fmt.Sprintf("%s: its autoscaler gets no metrics (%s): expected the number of chunks", o,
			hpa.orStatus()), fmt.Sprintf("kubectl -n %s describe hpa; see metrics", c.namespace)))
	}
	if fallback := state.find("Fallback"); fallback.Status == "True" {
		all = append(all, fault(part, fmt.Sprintf("%s is in Fallback (%s): expected that KEDA hears from NATS how much waits",
			o, fallback.orStatus()), "the number of workers does not follow what waits: mend what is said of nats; where "+
			"that is well, is it KEDA alone that does not get there (DNS, NetworkPolicies)? "+describe))
	}
	if paused := state.find("Paused"); paused.Status == "True" {
		all = append(all, fault(part, fmt.Sprintf("%s is paused (%s): expected KEDA to scale the workers", o,
			cmp.Or(strings.Join(o.pauses(), ", "), paused.orStatus())), o.unpause(c.namespace)))
	}
	return all
}

func (c condition) orStatus() string {
	return cmp.Or(oneLine(c.String()), "its status is "+cmp.Or(c.Status, "not there"))
}

// pauses are the annotations by which somebody paused it.
func (o *scaledObject) pauses() []string {
	var all []string
	for _, name := range []string{"paused", "paused-replicas"} {
		if value, ok := o.Metadata.Annotations["autoscaling.keda.sh/"+name]; ok {
			all = append(all, fmt.Sprintf("autoscaling.keda.sh/%s: %q", name, value))
		}
	}
	return all
}

func (o *scaledObject) unpause(namespace string) string {
	return fmt.Sprintf("kubectl -n %s annotate scaledobject %s autoscaling.keda.sh/paused- "+
		"autoscaling.keda.sh/paused-replicas-", namespace, o.Metadata.Name)
}
