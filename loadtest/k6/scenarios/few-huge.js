// How fast is it? A few jobs, each of one big file, as many at a time as there are users.
import { life, options as k6, settings } from "./lib/scenario.js";

const s = settings({ jobs: 4, vus: 2, bytes: 200e6, timeout: 600, p95: 300000, rowsPerSecond: 20000 });

export const options = k6(s, {
  executor: "per-vu-iterations", vus: s.vus, iterations: Math.ceil(s.jobs / s.vus), maxDuration: "1h",
});
const { setup, test, teardown, handleSummary } = life("few-huge", s);
export { setup, test as default, teardown, handleSummary };
