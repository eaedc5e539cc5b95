// Does it work, and is a job as quick as it was? One job at a time on a Penstock that does nothing else. The fastest of
// them says what a job costs whatever else the machine does.
import { life, options as k6, settings } from "./lib/scenario.js";

const s = settings({ jobs: 30, bytes: 20000, p95: 1000, fastest: 100 });

export const options = k6(s, {
  executor: "per-vu-iterations", vus: s.vus, iterations: Math.ceil(s.jobs / s.vus), maxDuration: "10m",
});
const { setup, test, teardown, handleSummary } = life("smoke", s);
export { setup, test as default, teardown, handleSummary };
