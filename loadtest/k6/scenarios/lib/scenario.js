// What all scenarios share: settings by environment, the life of a test, thresholds.
import exec from "k6/execution";
import penstock from "k6/x/penstock";
import { summary } from "./summary.js";

const number = (name, otherwise) => {
  const text = __ENV[`LOAD_${name}`];
  if (text === undefined || text === "") return otherwise;
  const value = Number(text);
  if (!Number.isFinite(value)) throw new Error(`LOAD_${name}=${text}: expected a number`);
  return value;
};

// settings are a scenario's defaults under what the environment says: LOAD_RATE=50 sets rate, LOAD_BAD_EVERY badEvery.
export function settings(defaults) {
  const s = { pipeline: __ENV.LOAD_PIPELINE || "k6", upload: __ENV.LOAD_UPLOAD || defaults.upload || "during" };
  if (s.upload !== "before" && s.upload !== "during") {
    throw new Error(`LOAD_UPLOAD=${s.upload}: expected before or during`);
  }
  const numbers = { vus: 1, bytes: 1000, files: 1, badEvery: 0, probes: 0, timeout: 60, rowsPerSecond: 0, ...defaults };
  for (const [name, value] of Object.entries(numbers)) {
    if (name === "upload") continue;
    s[name] = number(name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase(), value);
  }
  return s;
}

// thresholds fail a test: on jobs that fail or come to wrong counts, on latency, rows a second, redeliveries, rejects.
// Jobs that were not even begun because all virtual users waited would flatter the latency: they fail it, too. A metric
// without a sample crosses no other threshold than that of rows a second, which teardown measures: it fails a test that
// loaded nothing, or that could not ask for redeliveries.
export function thresholds(s) {
  const t = {
    penstock_job_failures: ["rate==0"],
    penstock_redeliveries: ["count==0"],
    penstock_failed_attempts: ["count==0"],
    dropped_iterations: ["count==0"],
    penstock_job_duration: [`p(95)<${s.p95}`],
  };
  if (s.fastest) t.penstock_job_duration.push(`min<${s.fastest}`);
  t.penstock_rows_per_second = [s.rowsPerSecond ? `value>=${s.rowsPerSecond}` : "value>0"];
  if (!s.badEvery) t.penstock_rejects = ["count==0"];
  return t;
}

// options are k6's, for one scenario.
export function options(s, scenario) {
  return {
    scenarios: { load: { gracefulStop: `${s.timeout + 60}s`, exec: "default", ...scenario } },
    thresholds: thresholds(s),
    setupTimeout: "15m",
    teardownTimeout: "1m",
    summaryTrendStats: ["min", "med", "avg", "p(90)", "p(95)", "p(99)", "max"],
  };
}

const run = () => `${new Date().toISOString().replace(/[^0-9]/g, "")}-${Math.random().toString(36).slice(2, 8)}`;

// life makes the functions that k6 calls. count is how many files are uploaded before the test under upload: before.
export function life(name, s, count) {
  const load = (files) => {
    const loaded = penstock.load({
      pipeline: s.pipeline,
      sources: files.map((f) => f.source),
      rows: files.reduce((n, f) => n + f.rows, 0),
      rejects: files.reduce((n, f) => n + f.rejects, 0),
      timeout: s.timeout,
    });
    if (loaded && !loaded.ok) console.error(loaded.error);
  };
  return {
    setup() {
      const found = penstock.check(); // throws where Penstock is not what it must be: then nothing is published
      const folder = `${name}/${run()}/`;
      const before = s.upload === "before"
        ? penstock.uploadAll({ key: folder, bytes: s.bytes, bad: s.badEvery, count }) : null;
      for (let i = 0; i < s.probes; i += 1) {
        load([penstock.upload({ key: `${folder}probe-${i}.csv`, bytes: 1000, bad: s.badEvery })]);
      }
      return { found, folder, settings: s, before };
    },
    test(data) {
      const i = exec.scenario.iterationInTest;
      const files = data.before && i < data.before.count
        ? [{ ...data.before, source: `${data.before.begin}${String(i).padStart(7, "0")}.csv` }]
        : Array.from({ length: s.files }, (_, f) =>
          penstock.upload({ key: `${data.folder}late-${i}-${f}.csv`, bytes: s.bytes, bad: s.badEvery }));
      load(files);
    },
    teardown() {
      penstock.account();
    },
    handleSummary: (data) => summary(name, data, __ENV.LOAD_OUT),
  };
}
