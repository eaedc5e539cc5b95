// What grows with time? A steady load for an hour, every tenth of whose records is a reject.
import { life, options as k6, settings } from "./lib/scenario.js";

const s = settings({ rate: 5, duration: 3600, vus: 50, bytes: 50000, badEvery: 10, fastest: 100, p95: 500 });

export const options = k6(s, {
  executor: "constant-arrival-rate", rate: s.rate, timeUnit: "1s", duration: `${s.duration}s`,
  preAllocatedVUs: s.vus, maxVUs: s.vus,
});
const { setup, test, teardown, handleSummary } = life("soak", s);
export { setup, test as default, teardown, handleSummary };
