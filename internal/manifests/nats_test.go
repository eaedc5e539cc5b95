package manifests

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/testenv"
	"github.com/penstock-io/penstock/internal/testenv/tools"
)

// TestNATSConfig has nats-server read its configuration in the environment that its pod has.
func TestNATSConfig(t *testing.T) {
	t.Parallel()
	program, err := tools.Program("nats-server")
	if errors.Is(err, tools.ErrMissing) {
		testenv.Skip(t, "%v", err)
	}
	must(t, err)
	for _, name := range []string{"dev", "production"} {
		objects := overlay(t, name)
		dir := t.TempDir()
		for file, content := range labels(find(t, objects, "ConfigMap", "nats-config"), "data") {
			must(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600))
		}
		set := find(t, objects, "StatefulSet", "nats")
		cmd := exec.CommandContext(t.Context(), program, "-c", filepath.Join(dir, "nats.conf"), "-t")
		for variable, value := range env(set.List("spec.template.spec.containers")[0]) {
			cmd.Env = append(cmd.Env, variable+"="+cmp.Or(value, "taken-from-elsewhere"))
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: nats-server refuses its configuration: %v\n%s", name, err, out)
		}
	}
}

// TestNATSCluster holds the routes to the servers that there are, and production to what survives a loss of power.
func TestNATSCluster(t *testing.T) {
	t.Parallel()
	objects := overlay(t, "production")
	set := find(t, objects, "StatefulSet", "nats")
	mode := labels(find(t, objects, "ConfigMap", "nats-config"), "data")["mode.conf"]
	if set.Text("spec.replicas") != "3" || !strings.Contains(mode, "sync_interval: always") {
		t.Errorf("found %s servers, expected 3 that sync always:\n%s", set.Text("spec.replicas"), mode)
	}
	settings := labels(find(t, objects, "ConfigMap", "penstock-endpoints"), "data")
	if settings["PENSTOCK_NATS_REPLICAS"] != set.Text("spec.replicas") {
		t.Errorf("streams are kept by %q servers, expected all", settings["PENSTOCK_NATS_REPLICAS"])
	}
	for _, server := range []string{"nats-0", "nats-1", "nats-2"} {
		route := "nats://" + server + "." + set.Text("spec.serviceName") + ":6222"
		if !strings.Contains(mode, route) {
			t.Errorf("no route %s in\n%s", route, mode)
		}
	}
	if strings.Count(mode, ":6222\n") != 4 { // the listener, and a route for each
		t.Errorf("expected three routes in\n%s", mode)
	}
}
