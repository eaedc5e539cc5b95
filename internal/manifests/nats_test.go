package manifests

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
		for variable, value := range expanded(t, set.List("spec.template.spec.containers")[0], "taken-from-elsewhere") {
			cmd.Env = append(cmd.Env, variable+"="+value)
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
	vars := expanded(t, set.List("spec.template.spec.containers")[0], "secret")
	for i := range 3 {
		variable := fmt.Sprintf("NATS_ROUTE_%d", i)
		route := fmt.Sprintf("nats://route:secret@nats-%d.%s:6222", i, set.Text("spec.serviceName"))
		if vars[variable] != route || strings.Count(mode, "$"+variable) != 1 {
			t.Errorf("%s is %q, expected %q, named once in\n%s", variable, vars[variable], route, mode)
		}
	}
}

// expanded are a container's variables as the kubelet fills them in: $(NAME) stands for a variable before, and what
// comes from elsewhere, such as a secret, is the given text.
func expanded(t *testing.T, container Object, elsewhere string) map[string]string {
	t.Helper()
	vars := map[string]string{}
	for _, v := range container.List("env") {
		value := cmp.Or(v.Text("value"), elsewhere)
		for name, known := range vars {
			value = strings.ReplaceAll(value, "$("+name+")", known)
		}
		if strings.Contains(value, "$(") {
			t.Errorf("%s is %q, which names a variable that is not before it", v.Text("name"), value)
		}
		vars[v.Text("name")] = value
	}
	return vars
}

// TestNATSRoutes has a server of production's cluster take in one that has the password of routes, and none that has
// another.
func TestNATSRoutes(t *testing.T) {
	t.Parallel()
	first := startRouted(t, "first", "secret", "127.0.0.1:1")
	second := startRouted(t, "second", "secret", first.cluster())
	stranger := startRouted(t, "stranger", "guessed", first.cluster())
	stranger.await("is refused", func() bool { return strings.Contains(stranger.logged(), "Authorization Violation") })
	second.await("has a route", func() bool { return slices.Contains(second.routes(), "first") })
	if found := first.routes(); slices.Contains(found, "stranger") || !slices.Contains(found, "second") {
		t.Errorf("the first server has routes to %q, expected the second one alone", found)
	}
}

// routed is a server with production's configuration of a cluster.
type routed struct {
	*testenv.NATSServer
	t   *testing.T
	dir string // where it says what its ports are
}

// startRouted starts a server whose first route leads to an address, with the password that it has; the others lead
// nowhere.
func startRouted(t *testing.T, name, password, to string) routed {
	t.Helper()
	objects := overlay(t, "production")
	s := routed{t: t, dir: t.TempDir()}
	config := fmt.Sprintf("server_name: %s\nhttp: 127.0.0.1:-1\nports_file_dir: %q\n", name, s.dir)
	vars := expanded(t, find(t, objects, "StatefulSet", "nats").List("spec.template.spec.containers")[0], password)
	config += "NATS_ROUTES_PASSWORD: " + vars["NATS_ROUTES_PASSWORD"] + "\n"
	for i, to := range []string{to, "127.0.0.1:2", "127.0.0.1:3"} {
		variable := fmt.Sprintf("NATS_ROUTE_%d", i)
		user, _, _ := strings.Cut(vars[variable], "@")
		config += variable + ": " + user + "@" + to + "\n"
	}
	mode := labels(find(t, objects, "ConfigMap", "nats-config"), "data")["mode.conf"]
	config += strings.NewReplacer("0.0.0.0:6222", "127.0.0.1:-1", "store_dir: /data", "").Replace(mode)
	s.NATSServer = testenv.StartNATS(t, config)
	return s
}

// cluster is the address at which the server takes routes.
func (s routed) cluster() string { return strings.TrimPrefix(s.ports().Text("cluster.0"), "nats://") }

// ports are the server's addresses as it writes them down.
func (s routed) ports() (ports Object) {
	s.await("says what its ports are", func() bool {
		files, _ := filepath.Glob(filepath.Join(s.dir, "*.ports"))
		if len(files) == 0 {
			return false
		}
		text, err := os.ReadFile(files[0])
		return err == nil && json.Unmarshal(text, &ports) == nil
	})
	return ports
}

// routes are the names of the servers that it has routes to.
func (s routed) routes() (names []string) {
	s.t.Helper()
	resp, err := http.Get(s.ports().Text("monitoring.0") + "/routez")
	must(s.t, err)
	defer resp.Body.Close()
	var found Object
	must(s.t, json.NewDecoder(resp.Body).Decode(&found))
	for _, r := range found.List("routes") {
		names = append(names, r.Text("remote_name"))
	}
	return names
}

func (s routed) logged() string {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(s.Store), "nats.log"))
	must(s.t, err)
	return string(text)
}

func (s routed) await(what string, so func() bool) {
	s.t.Helper()
	limit, tick := time.After(time.Minute), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-limit:
			s.t.Fatalf("no nats-server %s within a minute:\n%s", what, s.logged())
		case <-tick.C:
		}
	}
}
