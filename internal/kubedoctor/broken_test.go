package kubedoctor

import (
	"fmt"
	"strings"
	"testing"
)

func brokenKEDA() []broken {
	const object = "ScaledObject/penstock-worker"
	adapter := "APIService/" + metricsAPI
	return []broken{
		{"no KEDA", "kind", func(_ *testing.T, w *world) {
			w.refuse["scaledobjects.keda.sh"] = &Refusal{absent,
				`error: the server doesn't have a resource type "scaledobjects"`}
		}},
		{"no operator", "kind", func(t *testing.T, w *world) {
			w.remove(t, "Deployment/keda-operator-metrics-apiserver")
			w.remove(t, "Deployment/keda-operator")
			delete(w.find(t, object), "status")
		}},
		{"operator down", "kind", func(t *testing.T, w *world) {
			w.condition(t, "Deployment/keda-operator", "Available", "False", "MinimumReplicasUnavailable",
				"Deployment does not have minimum availability.")
			set(w.find(t, "Deployment/keda-operator"), 0, "status", "availableReplicas")
		}},
		{"old KEDA", "kind", func(t *testing.T, w *world) {
			set(w.find(t, "Deployment/keda-operator"), "2.17.2", "metadata", "labels", "app.kubernetes.io/version")
		}},
		{"no metrics API", "kind", func(t *testing.T, w *world) { w.remove(t, adapter) }},
		{"metrics API down", "kind", func(t *testing.T, w *world) {
			w.condition(t, adapter, "Available", "False", "MissingEndpoints",
				`endpoints for service/keda-operator-metrics-apiserver in "keda" have no addresses with port name "https"`)
		}},
		{"metrics API of another adapter", "kind", func(t *testing.T, w *world) {
			set(w.find(t, adapter), "elsewhere", "spec", "service", "name")
		}},
		{"no ScaledObject", "kind", func(t *testing.T, w *world) { w.remove(t, object) }},
		{"target that is not there", "kind", func(t *testing.T, w *world) {
			set(w.find(t, object), "penstock-workers", "spec", "scaleTargetRef", "name")
		}},
		{"another trigger", "kind", func(t *testing.T, w *world) {
			w.find(t, object).List("spec.triggers")[0]["type"] = "cron"
		}},
		{"wrong stream", "kind", func(t *testing.T, w *world) { w.trigger(t)["stream"] = "CHUNK" }},
		{"stream of what is no worker", "kind", func(t *testing.T, w *world) {
			set(w.find(t, object), "penstock-dispatcher", "spec", "scaleTargetRef", "name")
			w.trigger(t)["stream"] = "JOBS"
		}},
		{"wrong consumer", "kind", func(t *testing.T, w *world) { w.trigger(t)["consumer"] = "worker" }},
		{"no account", "kind", func(t *testing.T, w *world) { delete(w.trigger(t), "account") }},
		{"no status", "kind", func(t *testing.T, w *world) { delete(w.find(t, object), "status") }},
		{"not ready", "kind", func(t *testing.T, w *world) {
			w.condition(t, object, "Ready", "False", "TriggerError",
				"Triggers defined in ScaledObject are not working correctly")
		}},
		{"in fallback", "kind", func(t *testing.T, w *world) {
			w.condition(t, object, "Fallback", "True", "FallbackExists", "At least one trigger is falling back")
		}},
		{"autoscaler without metrics", "kind", func(t *testing.T, w *world) {
			w.condition(t, object, "HPAActive", "False", "HPAMetricsUnavailable",
				"the HPA was unable to compute the replica count")
		}},
		{"paused", "kind", func(t *testing.T, w *world) {
			w.condition(t, object, "Paused", "True", "ScaledObjectPaused", "ScaledObject is paused")
			set(w.find(t, object), map[string]any{"autoscaling.keda.sh/paused-replicas": "1"}, "metadata", "annotations")
		}},
	}
}

func brokenNATS() []broken {
	endpoint := func(text string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) { w.trigger(t)["natsServerMonitoringEndpoint"] = text }
	}
	says := func(old, new string) func(*testing.T, *world) {
		return func(_ *testing.T, w *world) { w.raw[monitorOf(0)] = strings.ReplaceAll(jetStream, old, new) }
	}
	return []broken{
		{"endpoint with a scheme", "kind", endpoint("http://nats-headless.penstock.svc.cluster.local:8222")},
		{"endpoint without a port", "kind", endpoint("nats-headless.penstock.svc.cluster.local")},
		{"endpoint without a namespace", "kind", endpoint("nats-headless:8222")},
		{"endpoint of no Service", "kind", endpoint("queue.penstock.svc.cluster.local:8222")},
		{"endpoint with a port that the Service lacks", "kind", endpoint("nats.penstock:8222")},
		{"endpoint of a Service without a selector", "kind", func(t *testing.T, w *world) {
			delete(w.find(t, "Service/nats-headless").At("spec").(map[string]any), "selector")
			w.condition(t, "ScaledObject/penstock-worker", "Fallback", "True", "FallbackExists", "")
		}},
		{"endpoint without pods", "kind", func(t *testing.T, w *world) { w.remove(t, "Pod/nats-0") }},
		{"endpoint that does not answer", "kind", func(t *testing.T, w *world) {
			w.raw = nil
			w.condition(t, "ScaledObject/penstock-worker", "Ready", "False", "TriggerError", "")
		}},
		{"endpoint that does not answer, with a fallback", "kind", func(t *testing.T, w *world) {
			w.raw = nil
			set(w.find(t, "ScaledObject/penstock-worker"), []any{"s0-nats-jetstream-CHUNKS"}, "status", "externalMetricNames")
			set(w.find(t, "ScaledObject/penstock-worker"), "Failing", "status", "health", "s0-nats-jetstream-CHUNKS", "status")
		}},
		{"endpoint of something else", "kind", func(t *testing.T, w *world) {
			w.raw[monitorOf(0)] = "<html>"
			w.condition(t, "ScaledObject/penstock-worker", "Ready", "Unknown", "", "")
		}},
		{"no JetStream", "kind", func(_ *testing.T, w *world) { w.raw[monitorOf(0)] = `{"disabled": true}` }},
		{"wrong account", "kind", func(t *testing.T, w *world) { w.trigger(t)["account"] = "APP" }},
		{"account of no stream", "kind", func(t *testing.T, w *world) {
			w.raw[monitorOf(0)] = `{"account_details": [{"name": "$G", "id": "$G"}]}`
			w.trigger(t)["account"] = "APP"
		}},
		{"no stream yet", "kind", says("CHUNKS", "OTHERS")},
		{"no consumer yet", "kind", says("workers", "others")},
		{"chunks that wait for nobody", "kind", says(`"name": "workers"`, `"name": "workers", "num_pending": 3`)},
		{"a server of three that lacks an answer", "production", func(_ *testing.T, w *world) {
			delete(w.raw, monitorOf(0))
			w.raw[monitorOf(1)], w.raw[monitorOf(2)] = strings.ReplaceAll(jetStream, "CHUNKS", "OTHERS"), "{}"
		}},
	}
}

func brokenPods() []broken {
	waits := func(reason, message, last string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			w.sick(t, "penstock-worker", fmt.Sprintf(waiting, reason, message, last))
		}
	}
	running := `{"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}], "containerStatuses":
		[{"name": "dispatcher", "state": {"running": {}}}]}`
	return []broken{
		{"secret without a key", "kind", func(t *testing.T, w *world) {
			delete(w.find(t, "Secret/penstock-s3").At("data").(map[string]any), "secret-key")
		}},
		{"secret without a key, made by hand", "production", func(t *testing.T, w *world) {
			delete(w.find(t, "Secret/penstock-s3").At("data").(map[string]any), "secret-key")
		}},
		{"no secret", "kind", func(t *testing.T, w *world) { w.remove(t, "Secret/penstock-nats-worker") }},
		{"no secret, to be made by hand", "production", func(t *testing.T, w *world) {
			w.remove(t, "Secret/penstock-s3")
			w.remove(t, "Secret/penstock-superuser")
		}},
		{"no ConfigMap", "kind", func(t *testing.T, w *world) { w.remove(t, "ConfigMap/penstock-config") }},
		{"no secret of a CronJob that has begun a Job", "kind", func(t *testing.T, w *world) {
			const pod = `{"spec": {"containers": [{"name": "submit", "env": [{"name": "A", "valueFrom": {"secretKeyRef":
				{"name": "penstock-nats-hourly", "key": "password"}}}]}]}}`
			w.add(t, `{"kind": "CronJob", "metadata": {"name": "penstock-submit", "namespace": "penstock"}, "spec": {
				"jobTemplate": {"spec": {"template": %s}}}, "status": {"active": [{"kind": "Job", "name": "a"}]}}`, pod)
			w.add(t, `{"kind": "Job", "metadata": {"name": "penstock-submit-1", "namespace": "penstock", "ownerReferences":
				[{"kind": "CronJob", "name": "penstock-submit"}]}, "spec": {"template": %s}, "status": {"active": 1}}`, pod)
		}},
		{"no worker", "kind", func(t *testing.T, w *world) { w.remove(t, "Deployment/penstock-worker") }},
		{"another namespace", "kind", func(t *testing.T, w *world) {
			for _, o := range w.objects {
				if o.Text("metadata.namespace") == "penstock" {
					set(o, "lab", "metadata", "namespace")
				}
			}
		}},
		{"dispatchers scaled to none", "kind", func(t *testing.T, w *world) {
			set(w.find(t, "Deployment/penstock-dispatcher"), 0, "spec", "replicas")
			set(w.find(t, "Deployment/penstock-dispatcher"), 0, "status", "availableReplicas")
		}},
		{"image that is not to be had", "kind", waits("ImagePullBackOff",
			`Back-off pulling image "localhost/penstock:dev"`, "{}")},
		{"container that cannot be made", "kind", waits("CreateContainerConfigError", `secret "a" not found`, "{}")},
		{"container in the making", "kind", waits("ContainerCreating", "", "{}")},
		{"crashes", "kind", waits("CrashLoopBackOff", "back-off 5m0s restarting failed container",
			`{"terminated": {"exitCode": 2, "reason": "Error", "message": "penstock: unknown key \"wokers\"\n"}}`)},
		{"out of memory", "kind", waits("CrashLoopBackOff", "", `{"terminated": {"exitCode": 137, "reason": "OOMKilled"}}`)},
		{"has just crashed", "kind", func(t *testing.T, w *world) {
			w.sick(t, "penstock-worker", `{"phase": "Running", "containerStatuses": [{"name": "worker", "restartCount": 1,
				"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}`)
		}},
		{"no room", "kind", func(t *testing.T, w *world) {
			w.sick(t, "penstock-worker", `{"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
				"reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu."}]}`)
		}},
		{"evicted", "kind", func(t *testing.T, w *world) {
			w.sick(t, "penstock-worker", `{"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."}`)
		}},
		{"not ready", "kind", func(t *testing.T, w *world) { w.sick(t, "penstock-dispatcher", running) }},
		{"not ready, and tells why", "kind", func(t *testing.T, w *world) {
			w.sick(t, "penstock-dispatcher", running)
			w.raw["/api/v1/namespaces/penstock/pods/penstock-dispatcher-0:8080/proxy/metrics"] = "# TYPE\n" +
				"penstock_dependency_up{dependency=\"nats\"} 1\npenstock_dependency_up{dependency=\"s3\"} 0\n" +
				"penstock_dependency_up{dependency=\"table\"} 0\n"
		}},
		{"pods that cannot be made", "kind", func(t *testing.T, w *world) {
			w.remove(t, "Pod/penstock-worker-0")
			set(w.find(t, "Deployment/penstock-worker"), 0, "status", "availableReplicas")
			w.condition(t, "Deployment/penstock-worker", "ReplicaFailure", "True", "FailedCreate",
				"pods is forbidden: exceeded quota: compute")
		}},
		{"pods to come", "kind", func(t *testing.T, w *world) {
			w.remove(t, "Pod/penstock-worker-0")
			set(w.find(t, "Deployment/penstock-worker"), 0, "status", "availableReplicas")
		}},
		{"NATS is down", "kind", func(t *testing.T, w *world) {
			w.sick(t, "nats", fmt.Sprintf(waiting, "ImagePullBackOff", "no such image", "{}"))
		}},
	}
}

func brokenCassandra() []broken {
	const cluster, center, job = "K8ssandraCluster/penstock", "CassandraDatacenter/dc1", "Job/penstock-migrate"
	of := func(name, kind, status, reason, message string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) { w.condition(t, name, kind, status, reason, message) }
	}
	noJob := func(t *testing.T, w *world) { set(w.find(t, job), 0, "status", "succeeded") }
	return []broken{
		{"no K8ssandra", "production", func(_ *testing.T, w *world) {
			w.refuse["k8ssandraclusters.k8ssandra.io"] = &Refusal{absent,
				`error: the server doesn't have a resource type "k8ssandraclusters"`}
			w.refuse["cassandradatacenters.cassandra.datastax.com"] = w.refuse["k8ssandraclusters.k8ssandra.io"]
		}},
		{"no cluster", "production", func(t *testing.T, w *world) { w.remove(t, cluster) }},
		{"the operator cannot go on", "production", func(t *testing.T, w *world) {
			set(w.find(t, cluster), "secret penstock-cassandra-client-stores not found", "status", "error")
		}},
		{"never ready", "production", of(cluster, "CassandraInitialized", "False", "", "")},
		{"data centre not ready", "production", func(t *testing.T, w *world) {
			w.condition(t, center, "Ready", "False", "", "")
			set(w.find(t, center), "Updating", "status", "cassandraOperatorProgress")
		}},
		{"data centre not valid", "production", of(center, "Valid", "False", "invalidSpec", "unsupported serverVersion")},
		{"data centre without a quorum", "production", of(center, "Healthy", "False", "", "")},
		{"data centre stopped", "production", of(center, "Stopped", "True", "", "")},
		{"a node that has no room", "production", func(t *testing.T, w *world) {
			set(w.find(t, "Pod/penstock-dc1-r1-sts-0"), object(t, `{"phase": "Pending", "conditions": [{"type":
				"PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 Insufficient memory."}]}`), "status")
		}},
		{"migration failed", "production", func(t *testing.T, w *world) {
			w.condition(t, job, "Failed", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
			w.add(t, `{"kind": "Pod", "metadata": {"name": "penstock-migrate-x", "namespace": "penstock", "labels":
				{"job-name": "penstock-migrate"}}, "status": {"phase": "Failed", "containerStatuses": [{"state": {"terminated":
				{"exitCode": 1, "reason": "Error", "message": "migrate: /run/secrets/app/password is missing or empty\n"}}}]}}`)
		}},
		{"migration waits", "production", noJob},
		{"migration has no room", "production", func(t *testing.T, w *world) {
			noJob(t, w)
			w.add(t, `{"kind": "Pod", "metadata": {"name": "penstock-migrate-x", "namespace": "penstock", "labels":
				{"job-name": "penstock-migrate"}}, "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled",
				"status": "False", "message": "0/1 nodes are available."}]}}`)
		}},
		{"no migration", "production", func(t *testing.T, w *world) {
			w.remove(t, job)
			set(w.find(t, "Deployment/penstock-dispatcher"), 0, "status", "availableReplicas")
		}},
	}
}

// brokenRights are those that the user lacks.
func brokenRights() []broken {
	var all []broken
	for _, resource := range []string{
		"deployments", "pods", "configmaps", "secrets", "scaledobjects.keda.sh", "services",
		"apiservices.apiregistration.k8s.io", "k8ssandraclusters.k8ssandra.io", "cassandradatacenters.cassandra.datastax.com",
	} {
		all = append(all, broken{"may not see " + resource, "production", func(_ *testing.T, w *world) {
			w.refuse[resource] = refused("Error from server (Forbidden): "+resource+` is forbidden: User "ann" cannot list `+
				`resource "`+resource+`" in the namespace "penstock"`, nil)
		}})
	}
	return append(all, broken{"may not ask NATS", "production", func(_ *testing.T, w *world) {
		for i := range 3 {
			delete(w.raw, monitorOf(i))
			w.refuse[monitorOf(i)] = refused(fmt.Sprintf(`Error from server (Forbidden): pods "nats-%d:8222" is forbidden: `+
				`User "ann" cannot get resource "pods/proxy" in API group "" in the namespace "penstock"`, i), nil)
		}
	}})
}
