package manifests

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/penstock-io/penstock/internal/testenv"
	"github.com/penstock-io/penstock/internal/testenv/tools"
)

const monitoring = root + "/components/monitoring"

// promtool runs promtool in a folder that has the groups of rules.yaml, as it wants them, and the tests of them.
func promtool(t *testing.T, dir string, args ...string) {
	t.Helper()
	program, err := tools.Program("promtool")
	if errors.Is(err, tools.ErrMissing) {
		testenv.Skip(t, "%v", err)
	}
	must(t, err)
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// alerts are the rules of rules.yaml.
func alerts(t *testing.T) []Object {
	t.Helper()
	return alertsOf(find(t, component(t, "monitoring"), "PrometheusRule", "penstock"))
}

func alertsOf(rule Object) []Object {
	var found []Object
	for _, group := range rule.List("spec.groups") {
		found = append(found, group.List("rules")...)
	}
	return found
}

// TestAlerts has promtool run rules_test.yaml.
func TestAlerts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rule := find(t, component(t, "monitoring"), "PrometheusRule", "penstock")
	for _, a := range alertsOf(rule) {
		summary := a.At("annotations.summary") // the rest says the same each time
		a["annotations"] = map[string]any{"summary": summary}
	}
	groups, err := yaml.Marshal(map[string]any{"groups": rule.At("spec.groups")})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "rules.yaml"), groups, 0o644))
	tests, err := os.ReadFile(filepath.Join(monitoring, "rules_test.yaml"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "rules_test.yaml"), tests, 0o644))
	promtool(t, dir, "check", "rules", "--lint-fatal", "rules.yaml")
	promtool(t, dir, "test", "rules", "rules_test.yaml")
}

// TestAlertsAreTested holds each alert to a test in which it speaks, one in which it is silent, and a runbook.
func TestAlertsAreTested(t *testing.T) {
	t.Parallel()
	speaks, silent := tested(t)
	names := map[string]bool{}
	for _, rule := range alerts(t) {
		name := rule.Text("alert")
		names[name+".md"] = true
		if !speaks[name] || !silent[name] {
			t.Errorf("%s: rules_test.yaml has it speak: %t, and be silent: %t; expected both", name, speaks[name], silent[name])
		}
		url := "https://github.com/penstock-io/penstock/blob/main/docs/runbooks/" + name + ".md"
		if found := rule.Text("annotations.runbook_url"); found != url {
			t.Errorf("%s: runbook_url is %q, expected %q", name, found, url)
		}
		if s := rule.Text("labels.severity"); s != "critical" && s != "warning" {
			t.Errorf("%s: severity is %q, expected critical or warning", name, s)
		}
	}
	entries, err := os.ReadDir("../../docs/runbooks")
	must(t, err)
	for _, e := range entries {
		if !names[e.Name()] && e.Name() != "README.md" {
			t.Errorf("docs/runbooks/%s is of no alert", e.Name())
		}
		delete(names, e.Name())
	}
	for name := range names {
		t.Errorf("docs/runbooks/%s is missing", name)
	}
}

// TestGraceOfAlert holds the alert on chunks that outlast the grace to the grace that workers have.
func TestGraceOfAlert(t *testing.T) {
	t.Parallel()
	grace, err := time.ParseDuration(file(t, component(t, "monitoring"))["grace"].(string))
	must(t, err)
	seconds := strconv.Itoa(int(grace.Seconds()))
	for _, rule := range alerts(t) {
		if rule.Text("alert") != "PenstockChunksOutlastGrace" {
			continue
		}
		if !strings.HasSuffix(rule.Text("expr"), " > "+seconds) ||
			!strings.Contains(rule.Text("annotations.description"), " has "+seconds+" s ") {
			t.Errorf("grace is %s: found %s, %s", grace, rule.Text("expr"), rule.Text("annotations.description"))
		}
		return
	}
	t.Error("there is no such alert")
}

// tested says of each alert whether some test has it speak, and whether some has it be silent.
func tested(t *testing.T) (speaks, silent map[string]bool) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(monitoring, "rules_test.yaml"))
	must(t, err)
	objects, err := decode(data)
	must(t, err)
	speaks, silent = map[string]bool{}, map[string]bool{}
	for _, test := range objects[0].List("tests") {
		for _, a := range test.List("alert_rule_test") {
			if len(a.List("exp_alerts")) > 0 {
				speaks[a.Text("alertname")] = true
			} else {
				silent[a.Text("alertname")] = true
			}
		}
	}
	return speaks, silent
}
