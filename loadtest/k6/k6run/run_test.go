package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	Verdict string `json:"verdict"`
	Metrics map[string]struct {
		Values map[string]float64 `json:"values"`
	} `json:"metrics"`
}

// programs are what the tests run, built once: that is most of the work.
type programs struct{ k6, penstock string }

func (p programs) smoke(t *testing.T) (code int, r result, folder string) {
	t.Helper()
	folder = t.TempDir()
	var out bytes.Buffer
	code, err := run(t.Context(), []string{"-folder", "..", "-k6", p.k6, "-penstock", p.penstock, "-out", folder},
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

// run runs a scenario against what the environment names, and gives all that is said.
func (p programs) run(t *testing.T, folder, scenario string) (code int, out string) {
	t.Helper()
	var all bytes.Buffer
	code, err := run(t.Context(), []string{
		"-folder", folder, "-k6", p.k6, "-penstock", p.penstock, "-scenario", scenario,
	}, &all, &all)
	if err != nil {
		t.Errorf("%s: %v", scenario, err)
	}
	return code, all.String()
}

// start has the environment name a `penstock up` of its own with more variables.
func (p programs) start(t *testing.T, env ...string) {
	t.Helper()
	set(t, append([]string{"PENSTOCK_NATS_URL=", "PENSTOCK_S3_URL="}, env...)...)
	process, err := up.Start(t.Context(), p.penstock, os.Environ(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := process.Stop(); err != nil {
			t.Error(err)
		}
	})
	set(t, process.Env[len(process.Env)-1])
}

// set sets variables of the environment, which k6 gets, until the test ends: so no test here runs beside others.
func set(t *testing.T, env ...string) {
	t.Helper()
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
}

func TestRun(t *testing.T) {
	p := programs{build(t, "k6", "..", "."), os.Getenv("PENSTOCK_TEST_BINARY")}
	if p.penstock == "" {
		p.penstock = build(t, "penstock", root, "./cmd/penstock")
	}
	t.Run("smoke", func(t *testing.T) { testSmoke(t, p) })
	t.Run("slow", func(t *testing.T) { testSlow(t, p) })
	t.Run("failures", func(t *testing.T) { testFailures(t, p) })
	t.Run("scenarios", func(t *testing.T) { testScenarios(t, p) })
	t.Run("nothing to test", func(t *testing.T) { testNothing(t, p) })
}

// testSmoke has k6 load a real Penstock as it is, which it starts itself, on however fast or slow a machine.
func testSmoke(t *testing.T, p programs) {
	set(t, "PENSTOCK_NATS_URL=", "PENSTOCK_S3_URL=", "PENSTOCK_DATA=", "LOAD_JOBS=20",
		"LOAD_P95=60000", "LOAD_FASTEST=300") // what a busy machine may take
	code, r, folder := p.smoke(t)
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
}

// little has the scenarios do little, and wait long.
func little(t *testing.T) {
	t.Helper()
	set(t, "LOAD_RATE=3", "LOAD_DURATION=2", "LOAD_CALM=2", "LOAD_CALM_SECONDS=1", "LOAD_JOBS=3", "LOAD_VUS=50",
		"LOAD_BYTES=20000", "LOAD_P95=60000", "LOAD_ROWS_PER_SECOND=1")
}

// testSlow has a build that takes 300 ms longer for each chunk cross the threshold of the fastest job, and no other, in
// each scenario.
func testSlow(t *testing.T, p programs) {
	p.penstock = build(t, "slow", root, "-tags", "chaos", "./cmd/penstock")
	little(t)
	p.start(t, "CHAOS_CHUNK=300ms", "LOAD_FASTEST=") // as it ships
	for _, scenario := range []string{"ramp", "soak", "spike", "many-small", "few-huge", "smoke"} {
		if scenario == "smoke" {
			set(t, "LOAD_VUS=1")
		}
		code, out := p.run(t, "..", scenario)
		crossed := regexp.MustCompile(`FAIL  .*`).FindAllString(out, -1)
		if code != 99 || len(crossed) != 1 || crossed[0] != "FAIL  penstock_job_duration min<100" {
			t.Errorf("%s, of a build that has become slow: exit %d, %q, expected 99 and min<100\n%s", scenario, code,
				crossed, out)
		}
	}
}

// TestFastest wants every scenario to have the threshold that testSlow crosses.
func TestFastest(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../scenarios/*.js")
	if err != nil || len(files) != 6 {
		t.Fatalf("scenarios %q, %v: expected six", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "fastest: 100") {
			t.Errorf("%s: expected fastest: 100, which 300 ms more for each chunk cross", file)
		}
	}
}

// testScenarios runs the other scenarios, one after the other, with little to do.
func testScenarios(t *testing.T, p programs) {
	little(t)
	p.start(t, "LOAD_FASTEST=0")
	for _, scenario := range []string{"ramp", "soak", "spike", "many-small", "few-huge"} {
		code, out := p.run(t, "..", scenario)
		if code != 0 || !strings.Contains(out, scenario+": passed") {
			t.Errorf("%s: exit %d\n%s", scenario, code, out)
		}
		if bad := strings.Contains(out, "penstock_rejects             count=0"); bad == (scenario == "soak") {
			t.Errorf("%s: rejects are to be in soak alone\n%s", scenario, out)
		}
	}
}

// lost is a scenario of two jobs that leave no report: the file of one is not stored, and the test ends before the other.
const lost = `import penstock from "k6/x/penstock";
import { thresholds } from "./lib/scenario.js";
import { summary } from "./lib/summary.js";
export const options = {
  scenarios: { load: { executor: "per-vu-iterations", vus: 2, iterations: 1, maxDuration: "1s", gracefulStop: "0s" } },
  thresholds: thresholds({ p95: 60000 }),
};
export const setup = () => ({ found: penstock.check() });
export default function () {
  const file = penstock.upload({ key: __VU === 1 ? "x".repeat(2000) : "lost.csv", bytes: 100 });
  penstock.load({ pipeline: "k6", sources: [file.source], timeout: 600 });
}
export const teardown = () => console.log("unfinished:", penstock.account().unfinished);
export const handleSummary = (data) => summary("lost", data);
`

// testFailures has jobs come to nothing: each is counted, and the test fails although no duration crosses a threshold.
func testFailures(t *testing.T, p programs) {
	p.start(t, "PENSTOCK_WORKERS=0", "LOAD_JOBS=2", "LOAD_VUS=2", "LOAD_TIMEOUT=1", "LOAD_P95=60000",
		"LOAD_BUSY=yes") // with the jobs that have not ended
	folder := t.TempDir()
	for _, name := range []string{"pipeline.yaml", "scenarios/lib/scenario.js", "scenarios/lib/summary.js"} {
		text, err := os.ReadFile(filepath.Join("..", name))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "scenarios/lost.js"), []byte(lost), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		folder, scenario string
		says             []string
	}{
		{"..", "smoke", []string{"has not ended after 1s"}},
		{folder, "lost", []string{"upload s3://penstock-load/xxx", "unfinished: 1"}},
	} {
		code, out := p.run(t, c.folder, c.scenario)
		for _, want := range append(c.says, "FAIL  penstock_job_failures rate==0", "FAIL  penstock_rows_per_second value>0",
			"penstock_job_failures        rate=1 ", "penstock_jobs                count=2 ",
		) {
			if code != 99 || !strings.Contains(out, want) {
				t.Errorf("%s: exit %d, expected 99 and %q in\n%s", c.scenario, code, want, out)
			}
		}
	}
}

// testNothing publishes nothing where no Penstock answers, and says why.
func testNothing(t *testing.T, p programs) {
	t.Setenv("PENSTOCK_DATA", t.TempDir())
	var out bytes.Buffer
	code, err := run(t.Context(), []string{"-folder", "..", "-k6", p.k6, "-penstock", "true"}, &out, &out)
	if code == 0 || err != nil || !strings.Contains(out.String(), "does a `penstock up` run on the data folder") {
		t.Errorf("exit %d, %v\n%s", code, err, out.String())
	}
	code, err = run(t.Context(), []string{"-folder", "..", "-scenario", "smok"}, &out, &out)
	if code != 2 || err == nil || !strings.Contains(err.Error(), "expected smoke, ramp") {
		t.Errorf("exit %d, %v", code, err)
	}
}
