package manifests

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
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
		if strings.Contains(t.Name(), "base_and") {
			return // the base's own pods: dev has them, too; who submits is looked at in production
		}
		for name, pod := range started(objects) {
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
	vars := environment(t, objects, c)
	for k := range vars {
		name := strings.TrimSuffix(k, "_FILE")
		if _, ok := known[name]; !ok && strings.HasPrefix(k, "PENSTOCK_") && k != "PENSTOCK_CONFIG" {
			t.Errorf("%s is no setting of the program", k)
		}
	}
	seen := mounted(t, objects, pod, c)
	checkFiles(t, seen, vars)
	dir := layOut(t, seen)
	environment := make([]string, 0, len(vars))
	for k, v := range vars {
		if strings.HasPrefix(v, "/") {
			v = filepath.Join(dir, v)
		}
		environment = append(environment, k+"="+v)
	}
	for k, s := range settingsOf(t, environment) {
		if vars[k] == "" && vars[k+"_FILE"] == "" && s.Source == "default" && slices.Contains(needed, k) {
			t.Errorf("%s is not set, and no Penstock in a cluster can do without", k)
		}
	}
}

// environment are a container's variables, those that it has from ConfigMaps included.
func environment(t *testing.T, objects []Object, c Object) map[string]string {
	t.Helper()
	vars := map[string]string{}
	for _, from := range c.List("envFrom") {
		maps.Copy(vars, labels(find(t, objects, "ConfigMap", from.Text("configMapRef.name")), "data"))
	}
	maps.Copy(vars, env(c))
	return vars
}

// namesFile are settings that name files.
var namesFile = regexp.MustCompile(`_(CA|CERT|KEY|FILE|CREDS|NKEY|CONFIG)$`)

// checkFiles holds each file that a setting names, in the environment or in the file of settings, to be mounted.
func checkFiles(t *testing.T, seen, vars map[string]string) {
	t.Helper()
	settings := maps.Clone(vars)
	var inFile map[string]string
	must(t, yaml.Unmarshal([]byte(seen[vars["PENSTOCK_CONFIG"]]), &inFile))
	for k, v := range inFile {
		settings["PENSTOCK_"+strings.ToUpper(k)] = v
	}
	for k, v := range settings {
		if _, there := seen[v]; namesFile.MatchString(k) && strings.HasPrefix(v, "/") && !there {
			t.Errorf("%s is %s, which no volume brings: there are %q", k, v, slices.Sorted(maps.Keys(seen)))
		}
	}
}

// needed are settings whose defaults would embed a server in a pod, or leave a log that no collector understands.
var needed = []string{"PENSTOCK_TARGET", "PENSTOCK_NATS_URL", "PENSTOCK_S3_URL", "PENSTOCK_LOG_FORMAT"}

// mounted are the files that a container sees of ConfigMaps and secrets, by their paths, with what they hold.
func mounted(t *testing.T, objects []Object, pod, c Object) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for _, m := range c.List("volumeMounts") {
		for _, v := range pod.List("volumes") {
			if v.Text("name") != m.Text("name") {
				continue
			}
			for _, source := range v.List("projected.sources") {
				for _, item := range source.List("secret.items") {
					seen[path.Join(m.Text("mountPath"), item.Text("path"))] = "secret\n"
				}
			}
			if name := v.Text("configMap.name"); name != "" {
				for file, content := range labels(find(t, objects, "ConfigMap", name), "data") {
					seen[path.Join(m.Text("mountPath"), file)] = content
				}
			}
		}
	}
	return seen
}

// layOut writes files under a folder, which it gives.
func layOut(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, []byte(content), 0o600))
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
	const handingBack = 30 * time.Second // naks, connections, the last metrics: production.md says so, too
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
