package manifests

import (
	"strconv"
	"testing"
)

// party is a pod in a namespace.
type party struct {
	namespace string
	labels    map[string]string
}

func podOf(namespace, name string) party {
	return party{namespace, map[string]string{"app.kubernetes.io/name": name}}
}

// TestPolicies says of pairs of pods who may talk to whom, by the rules of NetworkPolicies.
func TestPolicies(t *testing.T) {
	t.Parallel()
	penstock, nats, s3 := podOf("penstock", "penstock"), podOf("penstock", "nats"), podOf("penstock", "s3")
	cassandra, migrate := podOf("penstock", "cassandra"), podOf("penstock", "penstock-migrate")
	keda := party{"keda", map[string]string{"app": "keda-operator", "name": "keda-operator"}} // by KEDA's manifest
	prometheus := podOf("monitoring", "prometheus")
	k8ssandra := party{"penstock", map[string]string{"app.kubernetes.io/name": "cassandra", "cassandra-of": "penstock"}}
	operator, stranger := podOf("k8ssandra-operator", "cass-operator"), podOf("penstock", "stranger")
	dns := party{"kube-system", map[string]string{"k8s-app": "kube-dns"}}
	for _, name := range []string{"kind", "production"} {
		policies := all(overlay(t, name), "NetworkPolicy")
		for _, c := range []struct {
			from, to party
			port     int
			want     bool
		}{
			{penstock, nats, 4222, true}, {penstock, s3, 9000, true}, {penstock, cassandra, 9042, true},
			{penstock, k8ssandra, 9042, true}, {penstock, dns, 53, true}, {migrate, k8ssandra, 9042, true},
			{keda, nats, 8222, true}, {prometheus, nats, 8222, true}, {prometheus, penstock, 8080, true},
			{nats, nats, 6222, true}, {k8ssandra, k8ssandra, 7000, true}, {operator, k8ssandra, 8080, true},
			{penstock, nats, 8222, false}, {penstock, nats, 6222, false}, {keda, nats, 4222, false},
			{podOf("keda", "other"), nats, 8222, false}, {party{"other", keda.labels}, nats, 8222, false},
			{stranger, nats, 4222, false}, {stranger, s3, 9000, false}, {stranger, cassandra, 9042, false},
			{podOf("other", "penstock"), nats, 4222, false}, {keda, penstock, 8080, false}, {nats, s3, 9000, false},
			{migrate, nats, 4222, false}, {cassandra, nats, 4222, false}, {stranger, dns, 80, false},
			{penstock, k8ssandra, 7000, false}, {penstock, penstock, 8080, false}, {s3, cassandra, 9042, false},
		} {
			allowed := allows(policies, "Egress", c.from, c.to, c.port) && allows(policies, "Ingress", c.to, c.from, c.port)
			if allowed != c.want {
				t.Errorf("%s: %v may talk to %v at %d: %t, expected %t", name, c.from, c.to, c.port, allowed, c.want)
			}
		}
	}
}

// allows says whether the policies of one direction let a pod of ours talk to another. Elsewhere there are no policies.
func allows(policies []Object, direction string, ours, other party, port int) bool {
	if ours.namespace != "penstock" {
		return true
	}
	rules, peers := map[string]string{"Ingress": "spec.ingress", "Egress": "spec.egress"}[direction],
		map[string]string{"Ingress": "from", "Egress": "to"}[direction]
	isolated := false
	for _, p := range policies {
		if !contains(ours.labels, labels(p, "spec.podSelector.matchLabels")) {
			continue
		}
		for _, types := range p.At("spec.policyTypes").([]any) {
			isolated = isolated || types == direction
		}
		for _, rule := range p.List(rules) {
			if hasPort(rule.List("ports"), port) && hasPeer(rule.List(peers), other) {
				return true
			}
		}
	}
	return !isolated
}

func hasPort(ports []Object, port int) bool {
	for _, p := range ports {
		if p.Text("port") == strconv.Itoa(port) {
			return true
		}
	}
	return len(ports) == 0
}

// hasPeer leaves blocks of addresses aside: no pod of the tests has one.
func hasPeer(peers []Object, other party) bool {
	for _, p := range peers {
		namespace := labels(p, "namespaceSelector.matchLabels")["kubernetes.io/metadata.name"]
		if namespace == "" {
			namespace = "penstock"
		}
		if p.At("ipBlock") == nil && namespace == other.namespace &&
			contains(other.labels, labels(p, "podSelector.matchLabels")) {
			return true
		}
	}
	return len(peers) == 0
}

// TestPolicyPorts holds policies to ports that pods have.
func TestPolicyPorts(t *testing.T) {
	t.Parallel()
	objects := overlay(t, "kind")
	ports := map[string]bool{"53": true}
	for _, pod := range pods(objects) {
		for _, c := range pod.List("containers") {
			for _, p := range c.List("ports") {
				ports[p.Text("containerPort")] = true
			}
		}
	}
	for _, p := range all(objects, "NetworkPolicy") {
		for _, rule := range append(p.List("spec.ingress"), p.List("spec.egress")...) {
			for _, port := range rule.List("ports") {
				if !ports[port.Text("port")] {
					t.Errorf("%s names the port %s, which no pod has", p, port.Text("port"))
				}
			}
		}
	}
}
