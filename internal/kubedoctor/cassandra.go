package kubedoctor

import (
	"cmp"
	"fmt"
	"strings"
)

// migration is the Job that makes keyspaces, tables and the app's role.
const migration = "penstock-migrate"

const clusterLabel = "cassandra.datastax.com/cluster"

const installK8ssandra = "install cert-manager and the K8ssandra operator 1.23 or later " +
	"(https://docs.k8ssandra.io/install/), have it watch this namespace, and apply the overlay again"

// cassandra looks at what the operator of K8ssandra says, where the table is in one of its clusters, and at the Job
// that makes the tables.
func (c *installation) cassandra() []Finding {
	const part = "cassandra"
	service := c.k8ssandraService()
	job := c.job(migration)
	if service == "" && job == nil && len(c.clusters.items) == 0 {
		return nil
	}
	var all []Finding
	switch r := c.clusters.refused; {
	case c.clusters.is(absent):
		return []Finding{fault(part, fmt.Sprintf("there is no CustomResourceDefinition k8ssandraclusters.k8ssandra.io: "+
			"expected the K8ssandra operator, since the table is at %s", cmp.Or(service, migration)), installK8ssandra)}
	case r != nil:
		all = append(all, fault(part, "K8ssandraClusters may not be looked at: "+r.said, r.hint()))
	case len(c.clusters.items) == 0:
		all = append(all, fault(part, fmt.Sprintf("there is no K8ssandraCluster in %s: expected that of %s", c.namespace,
			cmp.Or(service, migration)), "apply the overlay with the component k8ssandra"))
	}
	for i := range c.clusters.items {
		all = append(all, c.clusterFaults(&c.clusters.items[i])...)
	}
	if r := c.centers.refused; r != nil && r.kind != absent {
		all = append(all, fault(part, "CassandraDatacenters may not be looked at: "+r.said, r.hint()))
	}
	for i := range c.centers.items {
		all = append(all, c.centerFaults(&c.centers.items[i])...)
	}
	for _, name := range c.clusterNames() {
		for _, t := range c.troubles(map[string]string{clusterLabel: name}, false) {
			all = append(all, fault(part, t.detail, t.hint))
		}
	}
	if len(all) == 0 {
		all = append(all, well(part, fmt.Sprintf("K8ssandraClusters and their data centres are ready: %s",
			strings.Join(c.clusterNames(), ", "))))
	}
	return append(all, c.migrationFinding(job))
}

// k8ssandraService is the host that workers write to, where it has the form that the operator gives to one of its
// clusters in this namespace: CLUSTER-DATACENTER-service.
func (c *installation) k8ssandraService() string {
	_, hosts, _ := strings.Cut(c.settings("worker").get("target", "target"), "cassandra://")
	host, _, _ := strings.Cut(hosts, "/")
	host, _, _ = strings.Cut(host, ",")
	host, _, _ = strings.Cut(host, ":")
	if strings.HasSuffix(host, "-service") {
		return host
	}
	return ""
}

func (c *installation) clusterNames() []string {
	var names []string
	for i := range c.clusters.items {
		names = append(names, c.clusters.items[i].Metadata.Name)
	}
	return names
}

// clusterFaults are what the operator says of a cluster as a whole.
func (c *installation) clusterFaults(k *k8ssandraCluster) []Finding {
	name := "K8ssandraCluster/" + k.Metadata.Name
	describe := fmt.Sprintf("kubectl -n %s describe k8ssandraclusters,cassandradatacenters; and the operator's logs",
		c.namespace)
	var all []Finding
	if e := k.Status.Error; e != "" && e != "None" {
		all = append(all, fault("cassandra", fmt.Sprintf("%s: the operator cannot go on: %s", name, oneLine(e)), describe))
	}
	if k.Status.Conditions.find("CassandraInitialized").Status != "True" {
		all = append(all, fault("cassandra", name+" was never ready yet: expected the condition CassandraInitialized, some "+
			"minutes after it was applied", "mend what is said of its pods; else "+describe))
	}
	return all
}

// centerFaults are those of a data centre: it is stopped, invalid, without a quorum or not ready.
func (c *installation) centerFaults(d *datacenter) []Finding {
	name, state := "CassandraDatacenter/"+d.Metadata.Name, d.Status.Conditions
	describe := fmt.Sprintf("kubectl -n %s describe cassandradatacenter %s", c.namespace, d.Metadata.Name)
	if state.find("Stopped").Status == "True" {
		return []Finding{fault("cassandra", name+" is stopped: expected it to run",
			"set stopped: false for it in the K8ssandraCluster")}
	}
	var all []Finding
	for _, want := range []struct{ name, means string }{
		{"Valid", "a spec that the operator can follow"}, {"Healthy", "a quorum of nodes that reach one another"},
	} {
		if found := state.find(want.name); found.Status == "False" {
			all = append(all, fault("cassandra", fmt.Sprintf("%s is not %s (%s): expected %s", name, want.name,
				found.orStatus(), want.means), describe))
		}
	}
	if ready := state.find("Ready"); ready.Status != "True" {
		all = append(all, fault("cassandra", fmt.Sprintf("%s is not Ready (%s; the operator's progress: %s): expected each "+
			"node up", name, ready.orStatus(), cmp.Or(d.Status.CassandraOperatorProgress, "none")),
			"mend what is said of its pods; else "+describe))
	}
	return all
}

func (c *installation) job(name string) *workload {
	for i := range c.workloads.items {
		if w := &c.workloads.items[i]; w.Kind == "Job" && w.Metadata.Name == name {
			return w
		}
	}
	return nil
}

// migrationFinding is of the Job that makes the tables. It goes an hour after its end: then ready dispatchers tell that
// it did its work.
func (c *installation) migrationFinding(job *workload) Finding {
	const part, name = "cassandra", "Job/" + migration
	again := fmt.Sprintf("kubectl -n %s delete job %s --ignore-not-found; then apply the overlay again", c.namespace,
		migration)
	if job == nil {
		if d := c.deployment("dispatcher"); d != nil && d.Status.AvailableReplicas > 0 {
			return well(part, name+" is not there, as an hour after its end; dispatchers reach the table")
		}
		return fault(part, name+" is not there, and no dispatcher is ready: expected it to make keyspaces, tables and the "+
			"app's role", again)
	}
	if failed := job.Status.Conditions.find("Failed"); failed.Status == "True" {
		return fault(part, fmt.Sprintf("%s has failed (%s)%s: expected it to make keyspaces, tables and the app's role", name,
			oneLine(failed.String()), c.lastWords(migration)), fmt.Sprintf("kubectl -n %s logs job/%s says why; mend it; %s",
			c.namespace, migration, again))
	}
	if job.Status.Succeeded > 0 {
		return well(part, name+" has made keyspaces, tables and the app's role")
	}
	said := cmp.Or(c.lastWords(migration), ": it waits for Cassandra for up to 15 minutes")
	for _, t := range c.troubles(map[string]string{"job-name": migration}, false) {
		said = ": " + t.detail
	}
	return fault(part, name+" is not done"+said, fmt.Sprintf("kubectl -n %s logs job/%s --follow", c.namespace, migration))
}

// lastWords of the pods of a Job, as Kubernetes keeps them.
func (c *installation) lastWords(job string) string {
	for i := range c.pods.items {
		p := &c.pods.items[i]
		if p.Metadata.Labels["job-name"] != job {
			continue
		}
		for _, s := range p.Status.ContainerStatuses {
			if t := s.State.Terminated; t != nil && t.ExitCode != 0 && t.Message != "" {
				return ": " + ending(t.Message)
			}
		}
	}
	return ""
}
