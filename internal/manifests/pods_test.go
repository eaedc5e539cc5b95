package manifests

import (
	"strconv"
	"strings"
	"testing"
)

// TestPods holds every pod to what manifests/policytest cannot see: PodSecurity `restricted` says nothing of
// tokens, root file systems, resources and service links.
func TestPods(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, objects []Object) {
		for _, o := range all(objects, "ServiceAccount") {
			if o.At("automountServiceAccountToken") != false {
				t.Errorf("%s hands out its token", o)
			}
		}
		for name, pod := range pods(objects) {
			t.Run(name, func(t *testing.T) { checkPod(t, pod) })
		}
	})
}

func checkPod(t *testing.T, pod Object) {
	for path, want := range map[string]any{
		"automountServiceAccountToken": false, "enableServiceLinks": false, "securityContext.runAsNonRoot": true,
		"securityContext.seccompProfile.type": "RuntimeDefault",
	} {
		if found := pod.At(path); found != want {
			t.Errorf("%s is %v, expected %v", path, found, want)
		}
	}
	if pod.Text("serviceAccountName") == "" {
		t.Error("it runs as the namespace's default account, expected one of its own")
	}
	for _, c := range append(pod.List("containers"), pod.List("initContainers")...) {
		for path, want := range map[string]any{
			"securityContext.readOnlyRootFilesystem": true, "securityContext.allowPrivilegeEscalation": false,
			"securityContext.capabilities.drop.0": "ALL",
		} {
			if found := c.At(path); found != want {
				t.Errorf("container %s: %s is %v, expected %v", c.Text("name"), path, found, want)
			}
		}
		for _, path := range []string{"resources.requests.cpu", "resources.requests.memory", "resources.limits.memory"} {
			if c.Text(path) == "" {
				t.Errorf("container %s: %s is not set", c.Text("name"), path)
			}
		}
	}
}

// TestPodSecurity holds the namespace to `restricted` wherever all its pods are ours. Those that the K8ssandra operator
// makes are not: they name no seccomp profile.
func TestPodSecurity(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, objects []Object) {
		want := "restricted"
		if len(all(objects, "K8ssandraCluster")) > 0 {
			want = "baseline"
		}
		namespace := labels(find(t, objects, "Namespace", "penstock"), "metadata.labels")
		if found := namespace["pod-security.kubernetes.io/enforce"]; found != want {
			t.Errorf("the namespace enforces %q, expected %q", found, want)
		}
		if found := namespace["pod-security.kubernetes.io/warn"]; found != "restricted" {
			t.Errorf("the namespace warns of %q, expected restricted", found)
		}
	})
}

// TestProbes holds what runs on to probes of ports that it declares.
func TestProbes(t *testing.T) {
	t.Parallel()
	for _, o := range overlay(t, "dev") {
		if o.Kind() != "Deployment" && o.Kind() != "StatefulSet" {
			continue
		}
		c := o.List("spec.template.spec.containers")[0]
		ports := map[string]bool{}
		for _, p := range c.List("ports") {
			ports[p.Text("name")] = true
		}
		for _, probe := range []string{"startupProbe", "readinessProbe", "livenessProbe"} {
			port := c.Text(probe+".httpGet.port") + c.Text(probe+".tcpSocket.port")
			if !ports[port] && (probe != "startupProbe" || c.At(probe) != nil) {
				t.Errorf("%s: the port %q of its %s is none of %v", o, port, probe, ports)
			}
		}
	}
	for _, role := range []string{"dispatcher", "worker"} {
		c := find(t, overlay(t, "dev"), "Deployment", "penstock-"+role).List("spec.template.spec.containers")[0]
		listen := ":" + c.Text("ports.0.containerPort")
		if found := env(c)["PENSTOCK_LISTEN"]; found != listen || c.Text("readinessProbe.httpGet.path") != "/readyz" ||
			c.Text("livenessProbe.httpGet.path") != "/healthz" {
			t.Errorf("%s listens on %q, expected %q, probes of /readyz and /healthz", role, found, listen)
		}
		checkStart(t, role, c)
	}
}

// checkStart wants who starts to be ready within a second of its being so, and left in peace while servers start, too.
func checkStart(t *testing.T, role string, c Object) {
	t.Helper()
	const quarter = 15 * 60 // seconds that the migration waits for a new K8ssandraCluster, too
	seconds, err := strconv.Atoi(c.Text("startupProbe.failureThreshold"))
	must(t, err)
	if c.Text("startupProbe.httpGet.path") != "/readyz" || c.Text("startupProbe.periodSeconds") != "1" ||
		seconds < quarter {
		t.Errorf("the startupProbe of the %s is %v, expected /readyz, each second, at least %d times", role,
			c.At("startupProbe"), quarter)
	}
}

// env are a container's variables that are written out.
func env(container Object) map[string]string {
	vars := map[string]string{}
	for _, v := range container.List("env") {
		vars[v.Text("name")] = v.Text("value")
	}
	return vars
}

// TestServices holds Services to ports that pods have.
func TestServices(t *testing.T) {
	t.Parallel()
	objects := overlay(t, "production")
	objects = append(objects, overlay(t, "dev")...)
	for _, s := range all(objects, "Service") {
		for _, p := range s.List("spec.ports") {
			found := false
			for _, o := range append(all(objects, "StatefulSet"), all(objects, "Deployment")...) {
				if !contains(labels(o, "spec.template.metadata.labels"), labels(s, "spec.selector")) {
					continue
				}
				for _, c := range o.List("spec.template.spec.containers.0.ports") {
					found = found || c.Text("name") == p.Text("targetPort") && c.Text("containerPort") == p.Text("port")
				}
			}
			if !found {
				t.Errorf("%s: no pod that it selects has the port %s %s", s, p.Text("targetPort"), p.Text("port"))
			}
		}
	}
}

// bytesOf reads a quantity of Kubernetes or a size of Go and Penstock, in bytes: 448Mi, 264MiB.
func bytesOf(t *testing.T, quantity string) int64 {
	t.Helper()
	number := strings.TrimRight(quantity, "KMGiB")
	n, err := strconv.ParseInt(number, 10, 64)
	must(t, err)
	unit := strings.TrimSuffix(quantity[len(number):], "B")
	return n << map[string]int{"": 0, "Ki": 10, "Mi": 20, "Gi": 30}[unit]
}
