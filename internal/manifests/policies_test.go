package manifests

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"testing"
)

// party is a pod in a namespace, or an address that no pod has.
type party struct {
	namespace string
	labels    map[string]string
	address   string
}

func podOf(namespace, name string) party {
	return party{namespace: namespace, labels: map[string]string{"app.kubernetes.io/name": name}}
}

// system are pods of Kubernetes itself, by the label that it gives them.
func system(name string) party {
	return party{namespace: "kube-system", labels: map[string]string{"k8s-app": name}}
}

// TestPolicies says of pairs of pods who may talk to whom, by the rules of NetworkPolicies.
func TestPolicies(t *testing.T) {
	t.Parallel()
	penstock, nats, s3 := podOf("penstock", "penstock"), podOf("penstock", "nats"), podOf("penstock", "s3")
	cassandra, migrate := podOf("penstock", "cassandra"), podOf("penstock", "penstock-migrate")
	keda := podOf("keda", "keda-operator")
	keda.labels = map[string]string{"app": "keda-operator", "name": "keda-operator"} // by KEDA's manifest
	prometheus := podOf("monitoring", "prometheus")
	k8ssandra := podOf("penstock", "cassandra")
	k8ssandra.labels["cassandra-of"] = "penstock"
	operator, stranger := podOf("k8ssandra-operator", "cass-operator"), podOf("penstock", "stranger")
	dns := system("kube-dns")
	for _, name := range []string{"kind", "production"} {
		policies := all(overlay(t, name), "NetworkPolicy")
		for _, c := range []struct {
			from, to party
			port     int
			want     bool
		}{
			{penstock, nats, 4222, true}, {penstock, s3, 9000, true}, {penstock, cassandra, 9042, true},
			{penstock, k8ssandra, 9042, true}, {penstock, dns, 53, true}, {migrate, k8ssandra, 9042, true},
			{keda, nats, 8222, true}, {prometheus, nats, 8222, false}, {prometheus, penstock, 8080, true},
			{nats, nats, 6222, true}, {k8ssandra, k8ssandra, 7000, true}, {operator, k8ssandra, 8080, true},
			{penstock, nats, 8222, false}, {penstock, nats, 6222, false}, {keda, nats, 4222, false},
			{podOf("keda", "other"), nats, 8222, false}, {party{namespace: "other", labels: keda.labels}, nats, 8222, false},
			{stranger, nats, 4222, false}, {stranger, s3, 9000, false}, {stranger, cassandra, 9042, false},
			{podOf("other", "penstock"), nats, 4222, false}, {keda, penstock, 8080, false}, {nats, s3, 9000, false},
			{migrate, nats, 4222, false}, {cassandra, nats, 4222, false}, {stranger, dns, 80, false},
			{penstock, k8ssandra, 7000, false}, {penstock, penstock, 8080, false}, {s3, cassandra, 9042, false},
		} {
			port := "TCP " + strconv.Itoa(c.port)
			allowed := allows(policies, "Egress", c.from, c.to, port) && allows(policies, "Ingress", c.to, c.from, port)
			if allowed != c.want {
				t.Errorf("%s: %v may talk to %v at %s: %t, expected %t", name, c.from, c.to, port, allowed, c.want)
			}
		}
	}
}

// TestNameServers lets each pod ask for names wherever clusters answer: pods of the cluster's DNS, NodeLocal DNSCache
// on the node, as an address or a pod, and Cloud DNS, whose address also hands out what a node may do: at other ports.
func TestNameServers(t *testing.T) {
	t.Parallel()
	local, cloud := party{address: "169.254.20.10"}, party{address: "169.254.169.254"}
	for _, name := range []string{"kind", "production"} {
		policies := all(overlay(t, name), "NetworkPolicy")
		for _, c := range []struct {
			to   party
			port string
			want bool
		}{
			{system("kube-dns"), "UDP 53", true}, {system("kube-dns"), "TCP 53", true},
			{system("node-local-dns"), "UDP 53", true}, {system("node-local-dns"), "TCP 53", true},
			{local, "UDP 53", true}, {local, "TCP 53", true}, {cloud, "UDP 53", true}, {cloud, "TCP 53", true},
			{cloud, "TCP 80", false}, {cloud, "TCP 443", false}, {local, "TCP 80", false},
			{party{address: "192.0.2.1"}, "UDP 53", false}, {system("other"), "UDP 53", false},
		} {
			for _, from := range []string{"penstock", "nats", "s3", "cassandra", "penstock-migrate", "stranger"} {
				if allowed := allows(policies, "Egress", podOf("penstock", from), c.to, c.port); allowed != c.want {
					t.Errorf("%s: %s may talk to %v at %s: %t, expected %t", name, from, c.to, c.port, allowed, c.want)
				}
			}
		}
	}
}

// TestOutside bounds whom production's pods reach beyond the cluster's own: HTTPS outside of private networks, and the
// API server, wherever it is, for those that Argo's executor is in.
func TestOutside(t *testing.T) {
	t.Parallel()
	store, server, node := party{address: "192.0.2.1"}, party{address: "10.0.0.1"}, party{address: "169.254.169.254"}
	penstock, submitter := podOf("penstock", "penstock"), podOf("penstock", "penstock")
	submitter.labels["app.kubernetes.io/component"] = "submitter"
	for _, c := range []struct {
		from, to party
		port     string
		want     bool
	}{
		{submitter, server, "TCP 443", true}, {submitter, server, "TCP 6443", true}, {submitter, store, "TCP 443", true},
		{submitter, server, "TCP 80", false}, {submitter, node, "TCP 443", false},
		{penstock, store, "TCP 443", true}, {penstock, store, "TCP 80", false}, {penstock, node, "TCP 443", false},
		{penstock, server, "TCP 443", false}, {penstock, server, "TCP 6443", false},
		{podOf("penstock", "nats"), store, "TCP 443", false}, {podOf("penstock", "stranger"), store, "TCP 443", false},
	} {
		allowed := allows(all(overlay(t, "production"), "NetworkPolicy"), "Egress", c.from, c.to, c.port)
		if allowed != c.want {
			t.Errorf("%v may talk to %v at %s: %t, expected %t", c.from, c.to, c.port, allowed, c.want)
		}
	}
	workflow := find(t, production(t, "argo"), "CronWorkflow", "penstock-submit")
	if found := labels(workflow, "spec.workflowSpec.podMetadata.labels"); !contains(found, submitter.labels) {
		t.Errorf("the workflow's pods are labelled %v, expected %v, which a policy is for", found, submitter.labels)
	}
}

// allows says whether the policies of one direction let a pod of ours talk to another, at a port such as "TCP 53".
// Elsewhere there are no policies.
func allows(policies []Object, direction string, ours, other party, port string) bool {
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

func hasPort(ports []Object, port string) bool {
	for _, p := range ports {
		if cmp.Or(p.Text("protocol"), "TCP")+" "+p.Text("port") == port {
			return true
		}
	}
	return len(ports) == 0
}

func hasPeer(peers []Object, other party) bool {
	for _, p := range peers {
		if p.At("ipBlock") != nil {
			if inBlock(p, other.address) {
				return true
			}
			continue
		}
		namespace := labels(p, "namespaceSelector.matchLabels")["kubernetes.io/metadata.name"]
		if cmp.Or(namespace, "penstock") == other.namespace &&
			contains(other.labels, labels(p, "podSelector.matchLabels")) {
			return true
		}
	}
	return len(peers) == 0
}

// inBlock says whether an address, "" for none, is in a peer's block and in none of its exceptions.
func inBlock(peer Object, address string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil || !netip.MustParsePrefix(peer.Text("ipBlock.cidr")).Contains(a) {
		return false
	}
	except, _ := peer.At("ipBlock.except").([]any)
	return !slices.ContainsFunc(except, func(e any) bool { return netip.MustParsePrefix(e.(string)).Contains(a) })
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
