package manifests

import (
	"strings"
	"testing"
)

// TestK8ssandraNames holds what Penstock and its migration ask for to the names that the K8ssandra operator makes of
// those of the cluster and its data centre: it makes the Service and the superuser's secret, which nothing renders.
func TestK8ssandraNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"dev-k8ssandra", "production"} {
		objects := overlay(t, name)
		cluster := find(t, objects, "K8ssandraCluster", "penstock")
		dc := cluster.Text("spec.cassandra.datacenters.0.metadata.name")
		service := cluster.Name() + "-" + dc + "-service"
		settings := labels(find(t, objects, "ConfigMap", "penstock-endpoints"), "data")
		if found := settings["PENSTOCK_TARGET"]; found != "cassandra://"+service+":9042" {
			t.Errorf("%s: PENSTOCK_TARGET is %q, expected the Service %s", name, found, service)
		}
		if found := settings["PENSTOCK_LOCAL_DC"]; found != dc {
			t.Errorf("%s: PENSTOCK_LOCAL_DC is %q, expected %q", name, found, dc)
		}
		pod := pods(objects)["Job/penstock-migrate"]
		vars := env(pod.List("containers")[0])
		if vars["CQL_HOST"] != service {
			t.Errorf("%s: the migration asks %q, expected %q", name, vars["CQL_HOST"], service)
		}
		if found := references(pod); !strings.Contains(strings.Join(found, " "), "Secret/"+cluster.Name()+"-superuser") {
			t.Errorf("%s: the migration mounts %q, expected the secret %s-superuser", name, found, cluster.Name())
		}
		schema := labels(find(t, objects, "ConfigMap", "penstock-migrate"), "data")["schema.cql"]
		for keyspace := range strings.FieldsSeq(vars["KEYSPACES"]) {
			if !strings.Contains(schema, "CREATE KEYSPACE IF NOT EXISTS "+keyspace+" ") {
				t.Errorf("%s: KEYSPACES has %s, which schema.cql does not make", name, keyspace)
			}
		}
		if strings.Contains(schema, "'dc") && !strings.Contains(schema, "'"+dc+"':") {
			t.Errorf("%s: schema.cql replicates to another data centre than %s:\n%s", name, dc, schema)
		}
		for _, backup := range all(objects, "MedusaBackupSchedule") {
			if found := backup.Text("spec.backupSpec.cassandraDatacenter"); found != dc {
				t.Errorf("%s: %s is of %q, expected %q", name, backup, found, dc)
			}
		}
	}
}
