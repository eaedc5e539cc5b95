package manifests

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/penstock-io/penstock/internal/testenv"
)

// TestSettings has the program itself read what each of its pods would give it: file, environment and secrets.
func TestSettings(t *testing.T) {
	t.Parallel()
	known := settingsOf(t, nil)
	onEach(t, func(t *testing.T, objects []Object) {
		if strings.Contains(t.Name(), "base_and") && !strings.Contains(t.Name(), "cronjob") {
			return // the base's own pods: dev has them, too
		}
		for name, pod := range pods(objects) {
			c := pod.List("containers")[0]
			if !strings.Contains(c.Text("image"), "penstock") {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				checkSettings(t, objects, pod, c, known)
			})
		}
	})
}

// setting is what `penstock config` says of one.
type setting struct{ Env, Value, Source string }

func checkSettings(t *testing.T, objects []Object, pod, c Object, known map[string]setting) {
	vars := env(c)
	for _, from := range c.List("envFrom") {
		for k, v := range labels(find(t, objects, "ConfigMap", from.Text("configMapRef.name")), "data") {
			vars[k] = v
		}
	}
	for k := range vars {
		name := strings.TrimSuffix(k, "_FILE")
		if _, ok := known[name]; !ok && strings.HasPrefix(k, "PENSTOCK_") && k != "PENSTOCK_CONFIG" {
			t.Errorf("%s is no setting of the program", k)
		}
	}
	mounted := mount(t, objects, pod, c)
	environment := make([]string, 0, len(vars))
	for k, v := range vars {
		if strings.HasPrefix(v, "/") {
			v = filepath.Join(mounted, v)
		}
		environment = append(environment, k+"="+v)
	}
	for k, s := range settingsOf(t, environment) {
		if vars[k] == "" && vars[k+"_FILE"] == "" && s.Source == "default" && slices.Contains(needed, k) {
			t.Errorf("%s is not set, and no Penstock in a cluster can do without", k)
		}
	}
}

// needed are settings whose defaults would embed a server in a pod, or leave a log that no collector understands.
var needed = []string{"PENSTOCK_TARGET", "PENSTOCK_NATS_URL", "PENSTOCK_S3_URL", "PENSTOCK_LOG_FORMAT"}

// mount lays out what a container would see of ConfigMaps and secrets, under a folder.
func mount(t *testing.T, objects []Object, pod, c Object) string {
	t.Helper()
	dir := t.TempDir()
	write := func(path, content string) {
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(content), 0o600))
	}
	for _, m := range c.List("volumeMounts") {
		at := filepath.Join(dir, m.Text("mountPath"))
		for _, v := range pod.List("volumes") {
			if v.Text("name") != m.Text("name") {
				continue
			}
			for _, source := range v.List("projected.sources") {
				for _, item := range source.List("secret.items") {
					write(filepath.Join(at, item.Text("path")), "secret\n")
				}
			}
			if name := v.Text("configMap.name"); name != "" {
				for file, content := range labels(find(t, objects, "ConfigMap", name), "data") {
					write(filepath.Join(at, file), content)
				}
			}
		}
	}
	return dir
}

// settingsOf runs `penstock config` in an environment.
func settingsOf(t *testing.T, environment []string) map[string]setting {
	t.Helper()
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), testenv.Penstock(t), "config", "--output", "json")
	cmd.Env, cmd.Stderr, cmd.Dir = append(environment, "HOME="+t.TempDir()), &errs, t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("penstock config: %v\n%s", err, errs.Bytes())
	}
	var list []setting
	must(t, json.Unmarshal(out, &list))
	byName := map[string]setting{}
	for _, s := range list {
		byName[s.Env] = s
	}
	return byName
}

// file is what penstock.yaml says.
func file(t *testing.T, objects []Object) map[string]any {
	t.Helper()
	var settings map[string]any
	must(t, yaml.Unmarshal([]byte(labels(find(t, objects, "ConfigMap", "penstock-config"), "data")["penstock.yaml"]),
		&settings))
	return settings
}

// The figures that memory limits go by: docs/interface.md promises the first, cmd/penstock has the second.
const (
	besides     = 192 << 20 // what a process takes at the most beside PENSTOCK_MEMORY
	besidesHeap = 72 << 20  // what a worker adds to it for Go's own limit
	reserve     = 32 << 20  // what the kernel counts beside resident memory
)

// TestGrace holds what pods are given to what Penstock is told that it has.
func TestGrace(t *testing.T) {
	t.Parallel()
	const handingBack = 15 * time.Second // naks, connections, the last metrics
	for _, name := range names(t, "overlays") {
		objects := overlay(t, name)
		grace, err := time.ParseDuration(file(t, objects)["grace"].(string))
		must(t, err)
		memory := bytesOf(t, file(t, objects)["memory"].(string))
		for _, role := range []string{"dispatcher", "worker"} {
			pod := Object(find(t, objects, "Deployment", "penstock-"+role).At("spec.template.spec").(map[string]any))
			seconds, err := strconv.Atoi(pod.Text("terminationGracePeriodSeconds"))
			must(t, err)
			if given := time.Duration(seconds) * time.Second; given < grace+handingBack {
				t.Errorf("%s: %s is killed after %s, expected %s at least: grace and %s", name, role, given,
					grace+handingBack, handingBack)
			}
			c := pod.List("containers")[0]
			limit, heap := bytesOf(t, c.Text("resources.limits.memory")), bytesOf(t, env(c)["GOMEMLIMIT"])
			if heap >= limit {
				t.Errorf("%s: GOMEMLIMIT of the %s is %d, expected less than its limit %d", name, role, heap, limit)
			}
			if role == "worker" && (limit < memory+besides+reserve || heap != memory+besidesHeap) {
				t.Errorf("%s: a worker has %d bytes and GOMEMLIMIT %d, expected at least %d and exactly %d for memory: %d",
					name, limit, heap, memory+besides+reserve, memory+besidesHeap, memory)
			}
		}
	}
}
