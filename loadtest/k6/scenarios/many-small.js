// What does a job cost? Many of them, each of one small file that is there already.
import { life, options as k6, settings } from "./lib/scenario.js";

const s = settings({ rate: 200, duration: 60, vus: 100, bytes: 1000, fastest: 100, p95: 150, upload: "before" });

export const options = k6(s, {
  executor: "constant-arrival-rate", rate: s.rate, timeUnit: "1s", duration: `${s.duration}s`,
  preAllocatedVUs: s.vus, maxVUs: s.vus,
});
const { setup, test, teardown, handleSummary } = life("many-small", s, s.rate * s.duration + 10);
export { setup, test as default, teardown, handleSummary };
