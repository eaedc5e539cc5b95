package manifests

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/ops"
)

// What queries and scrapes consist of.
var (
	quoted   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	selector = regexp.MustCompile(`\b((?:penstock|process|go)_[a-z0-9_]+)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*"`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)\s*`)
	variable = regexp.MustCompile(`^label_values\((.+), *(\w+)\)$`)
	legend   = regexp.MustCompile(`\{\{(\w+)\}\}`)
)

// targets are the labels that Prometheus adds to whatever it scrapes.
var targets = []string{"namespace", "pod", "job", "instance", "container", "endpoint", "service"}

// made are the labels of each metric that the program makes, as scraped from it.
func made(t *testing.T) map[string][]string {
	t.Helper()
	health, metrics := ops.NewHealth(nil, "nats"), ops.NewMetrics("v1")
	use(health, metrics)
	server, err := ops.Listen("127.0.0.1:0", health, metrics, slog.New(slog.DiscardHandler))
	must(t, err)
	defer func() { must(t, server.Close()) }()
	answer, err := http.Get("http://" + server.Addr() + "/metrics")
	must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	found := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if m := selector.FindStringSubmatch(line); m != nil && !strings.HasPrefix(line, "#") {
			found[m[1]] = append(slices.Clone(targets), matched(m[2])...)
		}
	}
	return found
}

// use has each metric be there: those with labels begin when they are first told of something.
func use(health *ops.Health, m *ops.Metrics) {
	m.Depend(health)
	m.Writing(func() (inFlight, limit int) { return 0, 0 })
	m.Dispatching(func() ops.Standing { return ops.Standing{} })
	m.Concluded("readings", contracts.Completion{Rules: contracts.RuleCounts{"width": 1}})
	m.Wrote("readings", 1, 1)
	m.Batch(1, time.Second)
	m.Retry("timeout")
	m.Redelivered()
	m.DeadLetter("readings")
	m.JobEnded(contracts.Report{Pipeline: "readings"})
}

// lacking is what a query asks for and no metric has. A grouping holds for all metrics that it is about: by and without
// for those in the parentheses that follow, the others for the whole query.
func lacking(made map[string][]string, query string) (missing []string) {
	for _, s := range selector.FindAllStringSubmatch(query, -1) {
		missing = append(missing, without(made, s[1], matched(s[2]))...)
	}
	bare := quoted.ReplaceAllString(query, `""`)
	for _, at := range grouping.FindAllStringSubmatchIndex(bare, -1) {
		about := parenthesised(bare[at[1]:])
		if about == "" {
			about = bare
		}
		labels := strings.FieldsFunc(bare[at[2]:at[3]], func(r rune) bool { return r == ',' || r == ' ' })
		for _, s := range selector.FindAllStringSubmatch(about, -1) {
			missing = append(missing, without(made, s[1], labels)...)
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

// without are those of the labels that a metric does not have, or the metric where there is none of that name.
func without(made map[string][]string, metric string, labels []string) (missing []string) {
	has, ok := made[metric]
	if !ok {
		return []string{metric}
	}
	for _, l := range labels {
		if !slices.Contains(has, l) {
			missing = append(missing, metric+"{"+l+"}")
		}
	}
	return missing
}

// matched are the labels of what stands between a selector's braces.
func matched(matchers string) (labels []string) {
	for _, m := range matcher.FindAllStringSubmatch(matchers, -1) {
		labels = append(labels, m[1])
	}
	return labels
}

// parenthesised is what a text has in the parentheses that it begins with, "" where it begins with none.
func parenthesised(text string) string {
	depth := 0
	for i, r := range text {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			return text[:i]
		}
	}
	return ""
}

// TestLacking holds the test of metrics to finding what is wrong in a query.
func TestLacking(t *testing.T) {
	t.Parallel()
	made := map[string][]string{"penstock_a_total": {"pod", "outcome"}, "penstock_b": {"pod"}}
	for query, missing := range map[string]string{
		`penstock_a_total{outcome="a} result=b", pod!~"x"} > 0`:                        "",
		`penstock_a_total{result="done"}`:                                              "penstock_a_total{result}",
		`sum by (outcome) (rate(penstock_a_total[5m]))`:                                "",
		`sum by (pod, result) (rate(penstock_a_total[5m]))`:                            "penstock_a_total{result}",
		`sum by (outcome) (penstock_a_total) / on (pod) max by (pod) (penstock_b)`:     "",
		`sum by (outcome) (penstock_a_total) / on (outcome) max by (pod) (penstock_b)`: "penstock_b{outcome}",
		`sum by (pod) (penstock_a_total) / max by (outcome) (f(1) + (penstock_b))`:     "penstock_b{outcome}",
		`sum(penstock_a_total) by (pod, le)`:                                           "penstock_a_total{le}",
		`sum without (le) (penstock_c)`:                                                "penstock_c",
		`penstock_a_total{pod=~"penstock_c()", x="by (y)"} unless ignoring(z) penstock_b`: "penstock_a_total{x} " +
			"penstock_a_total{z} penstock_b{z}",
	} {
		if found := strings.Join(lacking(made, query), " "); found != missing {
			t.Errorf("%s: found %q lacking, expected %q", query, found, missing)
		}
	}
}

// TestMetrics holds alerts and dashboard to metrics and labels that the program makes.
func TestMetrics(t *testing.T) {
	t.Parallel()
	made := made(t)
	wants := func(where, query string) {
		for _, missing := range lacking(made, query) {
			t.Errorf("%s asks for %s, which the program does not make", where, missing)
		}
	}
	for _, rule := range alerts(t) {
		wants(rule.Text("alert"), rule.Text("expr"))
	}
	for title, queries := range panels(t) {
		for _, query := range queries {
			wants("the panel "+title, query.Text("expr"))
			for _, label := range legend.FindAllStringSubmatch(query.Text("legendFormat"), -1) {
				wants("the legend of "+title, "count by ("+label[1]+") ("+query.Text("expr")+")")
			}
		}
	}
	for name, query := range variables(t) {
		wants("the variable "+name, query)
	}
}

// TestDashboardIsOfNamespaces holds each query of the dashboard to the namespaces that are chosen.
func TestDashboardIsOfNamespaces(t *testing.T) {
	t.Parallel()
	const chosen = `namespace=~"$namespace"`
	queries := variables(t)
	if queries["namespace"] == "" {
		t.Error("there is no variable for the namespace")
	}
	delete(queries, "namespace")
	for title, asked := range panels(t) {
		for _, target := range asked {
			queries[title+" "+target.Text("refId")] = target.Text("expr")
		}
	}
	for where, query := range queries {
		for _, s := range selector.FindAllString(query, -1) {
			if !strings.Contains(s, chosen) {
				t.Errorf("%s asks for %s, which is not bound to %s", where, s, chosen)
			}
		}
	}
}

// dashboard is penstock.json.
func dashboard(t *testing.T) (d Object) {
	t.Helper()
	config := find(t, component(t, "monitoring"), "ConfigMap", "penstock-dashboard")
	must(t, json.Unmarshal([]byte(labels(config, "data")["penstock.json"]), &d))
	return d
}

// panels are the dashboard's queries by the title of their panel.
func panels(t *testing.T) map[string][]Object {
	t.Helper()
	found := map[string][]Object{}
	for _, p := range dashboard(t).List("panels") {
		found[p.Text("title")] = append(found[p.Text("title")], p.List("targets")...)
	}
	return found
}

// variables are the queries of the dashboard's variables by their name, in the language of Prometheus.
func variables(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, v := range dashboard(t).List("templating.list") {
		if v.Text("type") != "query" {
			continue
		}
		m := variable.FindStringSubmatch(v.Text("query.query"))
		if m == nil {
			t.Fatalf("the variable %s asks %q, expected label_values(…, …)", v.Text("name"), v.Text("query.query"))
		}
		found[v.Text("name")] = "count by (" + m[2] + ") (" + m[1] + ")"
	}
	return found
}

// TestDashboard has promtool read each query, with Grafana's variables filled in.
func TestDashboard(t *testing.T) {
	t.Parallel()
	var rules []map[string]string
	add := func(query string) {
		fill := strings.NewReplacer("$__rate_interval", "5m", "$pipeline", ".*", "$namespace", ".*")
		rules = append(rules, map[string]string{"record": "a:b", "expr": fill.Replace(query)})
	}
	for _, asked := range panels(t) {
		for _, target := range asked {
			add(target.Text("expr"))
		}
	}
	for _, query := range variables(t) {
		add(query)
	}
	if len(rules) < 20 {
		t.Errorf("the dashboard has %d queries, expected 20 at least", len(rules))
	}
	groups, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	must(t, err)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "rules.yaml"), groups, 0o644))
	promtool(t, dir, "check", "rules", "--lint=none", "rules.yaml")
}
