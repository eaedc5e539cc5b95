// How fast is it? A few jobs, each of one big file that is there already, as many at a time as there are users. Small
// jobs go first: how long one chunk takes does not show in jobs of many.
import { life, options as k6, settings } from "./lib/scenario.js";

const s = settings({
  jobs: 4, vus: 2, bytes: 200e6, upload: "before", probes: 5, timeout: 600, fastest: 100, p95: 300000, rowsPerSecond: 20000,
});
const each = Math.ceil(s.jobs / s.vus);

export const options = k6(s, {
  executor: "per-vu-iterations", vus: s.vus, iterations: each, maxDuration: "1h",
});
const { setup, test, teardown, handleSummary } = life("few-huge", s, each * s.vus);
export { setup, test as default, teardown, handleSummary };
