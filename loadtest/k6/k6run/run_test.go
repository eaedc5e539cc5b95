package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/loadtest/k6/up"
)

const root = "../../.." // Penstock's module

// build builds a program of the module in a folder.
func build(t *testing.T, name, folder string, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", append([]string{"build", "-C", folder, "-o", path}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %q: %v\n%s", args, err, out)
	}
	return path
}

// result is what the summary's JSON says.
type result struct {
	Verdict    string `json:"verdict"`
	Thresholds []struct {
		Metric, Rule string
		OK           bool
	} `json:"thresholds"`
	Metrics map[string]struct {
		Values map[string]float64 `json:"values"`
	} `json:"metrics"`
}

func runSmoke(t *testing.T, k6, penstock string) (code int, r result, folder string) {
	t.Helper()
	folder = t.TempDir()
	var out bytes.Buffer
	code, err := run(t.Context(), []string{"-folder", "..", "-k6", k6, "-penstock", penstock, "-out", folder},
		&out, t.Output())
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Log(out.String())
	data, err := os.ReadFile(filepath.Join(folder, "smoke.json"))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		t.Fatalf("exit %d, %v\n%s", code, err, out.String())
	}
	return code, r, folder
}

// TestRun builds k6 once: that is most of the work.
func TestRun(t *testing.T) {
	k6 := build(t, "k6", "..", ".")
	t.Run("smoke", func(t *testing.T) { testSmoke(t, k6) })
	t.Run("scenarios", func(t *testing.T) { testScenarios(t, k6) })
	t.Run("nothing to test", func(t *testing.T) { testNothing(t, k6) })
}

// testSmoke has k6 load a real Penstock: as it is it passes, and as a build that takes 300 ms longer for each chunk it
// crosses the threshold of the fastest job, however fast or slow this machine is. It sets the environment for k6, so
// it does not run beside others.
func testSmoke(t *testing.T, k6 string) {
	for _, name := range []string{"PENSTOCK_NATS_URL", "PENSTOCK_S3_URL", "PENSTOCK_DATA"} {
		t.Setenv(name, "")
	}
	t.Setenv("LOAD_P95", "60000") // what a busy machine may take
	t.Setenv("LOAD_FASTEST", "300")
	t.Setenv("LOAD_JOBS", "20")
	penstock := release(t)
	code, r, folder := runSmoke(t, k6, penstock)
	if code != 0 || r.Verdict != "passed" || r.Metrics["penstock_jobs"].Values["count"] != 20 {
		t.Errorf("exit %d, %+v, expected 0 and 20 jobs", code, r)
	}
	page, err := os.ReadFile(filepath.Join(folder, "smoke.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, remote := range []string{"<script", "src=", "href=", "@import"} {
		if strings.Contains(string(page), remote) {
			t.Errorf("the page is not self-contained: found %s", remote)
		}
	}
	if !strings.Contains(string(page), "penstock_job_duration") {
		t.Errorf("the page has no job's duration:\n%s", page)
	}

	t.Setenv("CHAOS_CHUNK", "300ms")
	t.Setenv("LOAD_JOBS", "3")
	code, r, _ = runSmoke(t, k6, build(t, "slow", root, "-tags", "chaos", "./cmd/penstock"))
	if code != 99 || r.Verdict != "failed" {
		t.Errorf("a build that has become slow: exit %d, %s, expected 99", code, r.Verdict)
	}
	for _, threshold := range r.Thresholds {
		if threshold.OK == (threshold.Rule == "min<300") {
			t.Errorf("a build that has become slow: %s %s is %t", threshold.Metric, threshold.Rule, threshold.OK)
		}
	}
}

// release is Penstock as it is.
func release(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("PENSTOCK_TEST_BINARY"); path != "" {
		return path
	}
	return build(t, "penstock", root, "./cmd/penstock")
}

// testScenarios runs the other scenarios, one after the other, with little to do.
func testScenarios(t *testing.T, k6 string) {
	penstock := release(t)
	p, err := up.Start(t.Context(), penstock, os.Environ(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}()
	for _, e := range append(p.Env[len(p.Env)-1:len(p.Env):len(p.Env)],
		"LOAD_RATE=3", "LOAD_DURATION=2", "LOAD_CALM=2", "LOAD_CALM_SECONDS=1", "LOAD_JOBS=2", "LOAD_VUS=50",
		"LOAD_BYTES=20000", "LOAD_P95=60000", "LOAD_ROWS_PER_SECOND=1",
	) {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	for _, scenario := range []string{"ramp", "soak", "spike", "many-small", "few-huge"} {
		var out bytes.Buffer
		code, err := run(t.Context(), []string{"-folder", "..", "-k6", k6, "-penstock", penstock, "-scenario", scenario},
			&out, t.Output())
		if code != 0 || err != nil || !strings.Contains(out.String(), scenario+": passed") {
			t.Errorf("%s: exit %d, %v\n%s", scenario, code, err, out.String())
		}
		if bad := strings.Contains(out.String(), "penstock_rejects             count=0"); bad == (scenario == "soak") {
			t.Errorf("%s: rejects are to be in soak alone\n%s", scenario, out.String())
		}
	}
}

// testNothing publishes nothing where no Penstock answers, and says why.
func testNothing(t *testing.T, k6 string) {
	t.Setenv("PENSTOCK_DATA", t.TempDir())
	var out bytes.Buffer
	code, err := run(t.Context(), []string{"-folder", "..", "-k6", k6, "-penstock", "true"}, &out, &out)
	if code == 0 || err != nil || !strings.Contains(out.String(), "does a `penstock up` run on the data folder") {
		t.Errorf("exit %d, %v\n%s", code, err, out.String())
	}
	code, err = run(t.Context(), []string{"-folder", "..", "-scenario", "smok"}, &out, &out)
	if code != 2 || err == nil || !strings.Contains(err.Error(), "expected smoke, ramp") {
		t.Errorf("exit %d, %v", code, err)
	}
}
