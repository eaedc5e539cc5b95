// How much is too much? From one job a second to `rate` of them in even steps.
import { life, options as k6, settings } from "./lib/scenario.js";

const s = settings({ rate: 50, duration: 120, vus: 100, bytes: 10000, fastest: 100, p95: 500 });

export const options = k6(s, {
  executor: "ramping-arrival-rate", startRate: 1, timeUnit: "1s", preAllocatedVUs: s.vus, maxVUs: s.vus,
  stages: [{ target: s.rate, duration: `${s.duration}s` }],
});
const { setup, test, teardown, handleSummary } = life("ramp", s);
export { setup, test as default, teardown, handleSummary };
