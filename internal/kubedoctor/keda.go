package kubedoctor

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// metricsAPI is what the autoscaler asks for the length of the queue.
const metricsAPI = "v1beta1.external.metrics.k8s.io"

// oldest is the KEDA that takes a missing consumer for an error, not for a reason to scale to the maximum.
const oldest = 20 // of version 2

const installKEDA = "install KEDA 2.20 or later (https://keda.sh/docs/latest/deploy/), and apply the overlay again, " +
	"with the component keda"

// keda looks for the type of ScaledObjects and for the processes that act on them.
func (c *installation) keda() []Finding {
	const part = "keda"
	switch {
	case c.scaled.is(absent):
		return []Finding{fault(part, "there is no CustomResourceDefinition scaledobjects.keda.sh: expected KEDA, which "+
			"scales the workers", installKEDA)}
	case c.operators.refused != nil:
		return []Finding{fault(part, "KEDA's Deployments may not be looked at: "+c.operators.refused.said,
			c.operators.refused.hint())}
	}
	var all []Finding
	var names []string
	for i := range c.operators.items {
		d := &c.operators.items[i]
		names = append(names, fmt.Sprintf("%s in %s", d, d.Metadata.Namespace))
		all = append(all, kedaFaults(d)...)
	}
	switch {
	case len(all) > 0:
		return all
	case len(names) > 0:
		return []Finding{well(part, strings.Join(names, ", ")+": available")}
	case c.actedOn():
		return []Finding{well(part, "no Deployment here has KEDA's labels, but it has looked at the ScaledObjects")}
	}
	return []Finding{fault(part, "there is no Deployment of KEDA's operator in any namespace, and no ScaledObject has a "+
		"status: expected an operator, which gives it one", installKEDA)}
}

// kedaFaults are those of one of KEDA's Deployments.
func kedaFaults(d *workload) []Finding {
	var all []Finding
	if available := d.Status.Conditions.find("Available"); available.Status != "True" || d.wanted() == 0 {
		all = append(all, fault("keda", fmt.Sprintf("%s in %s has %d of %d pods available (%s): expected 1 at least", d,
			d.Metadata.Namespace, d.Status.AvailableReplicas, d.wanted(), cmp.Or(available.String(), "no condition")),
			fmt.Sprintf("kubectl -n %s describe deployment,pods -l app.kubernetes.io/name=%s", d.Metadata.Namespace,
				d.Metadata.Labels["app.kubernetes.io/name"])))
	}
	if version := d.Metadata.Labels["app.kubernetes.io/version"]; tooOld(version) {
		all = append(all, fault("keda", fmt.Sprintf("%s in %s is of version %s: expected 2.%d or later, since older ones "+
			"take a missing consumer for a reason to scale to the maximum", d, d.Metadata.Namespace, version, oldest),
			"upgrade KEDA"))
	}
	return all
}

var versions = regexp.MustCompile(`^v?(\d+)\.(\d+)\.`)

// tooOld is false of what is no version.
func tooOld(version string) bool {
	m := versions.FindStringSubmatch(version)
	if m == nil {
		return false
	}
	minor, err := strconv.Atoi(m[2])
	return err == nil && (m[1] == "1" || m[1] == "2" && minor < oldest)
}

// kedaNamespace is where its operator is; keda where that is not known.
func (c *installation) kedaNamespace() string {
	for i := range c.operators.items {
		return c.operators.items[i].Metadata.Namespace
	}
	return "keda"
}

// actedOn says that an operator has given some ScaledObject a status.
func (c *installation) actedOn() bool {
	for i := range c.scaled.items {
		if len(c.scaled.items[i].Status.Conditions) > 0 {
			return true
		}
	}
	return false
}

// metrics looks at the API by which the autoscaler asks KEDA.
func (c *installation) metrics() []Finding {
	const part, name = "metrics", "APIService/" + metricsAPI
	r := c.adapter.refused
	switch {
	case c.scaled.is(absent):
		return nil // without KEDA there is none
	case c.adapter.is(absent):
		return []Finding{fault(part, "there is no "+name+": expected that of KEDA's metrics adapter, without which the "+
			"autoscaler never goes beyond one worker", "install KEDA again, with its metrics adapter")}
	case r != nil:
		return []Finding{fault(part, name+" may not be looked at: "+r.said, r.hint())}
	case len(c.adapter.items) == 0:
		return nil // nothing was asked
	}
	a := c.adapter.items[0]
	if a.Spec.Service == nil || !strings.Contains(a.Spec.Service.Name, "keda") {
		return []Finding{fault(part, fmt.Sprintf("%s leads to %s: expected the Service of KEDA's metrics adapter", name,
			a.leadsTo()), "a cluster has room for one such adapter: remove the other, and install KEDA again")}
	}
	if available := a.Status.Conditions.find("Available"); available.Status != "True" {
		return []Finding{fault(part, fmt.Sprintf("%s is not Available (%s): expected that Service/%s in %s answers", name,
			cmp.Or(oneLine(available.String()), "no condition"), a.Spec.Service.Name, a.Spec.Service.Namespace),
			fmt.Sprintf("kubectl -n %s get pods,endpointslices: are there pods behind the Service, and may the API server "+
				"reach them?", a.Spec.Service.Namespace))}
	}
	return []Finding{well(part, name+" leads to "+a.leadsTo()+": available")}
}

func (a apiService) leadsTo() string {
	if a.Spec.Service == nil {
		return "the API server itself"
	}
	return fmt.Sprintf("Service/%s in %s", a.Spec.Service.Name, a.Spec.Service.Namespace)
}
