// Does it come back? A calm load, `rate` jobs a second at once, and calm again; nothing may be lost or come twice. Jobs
// of the spike wait for one another, so that the time that is allowed is that of its backlog.
import { life, options as k6, settings } from "./lib/scenario.js";

const s = settings({
  rate: 200, calm: 5, calmSeconds: 20, duration: 15, vus: 1000, bytes: 1000, fastest: 100, p95: 20000, timeout: 120,
});

export const options = k6(s, {
  executor: "ramping-arrival-rate", startRate: s.calm, timeUnit: "1s", preAllocatedVUs: s.vus, maxVUs: s.vus,
  stages: [
    { target: s.calm, duration: `${s.calmSeconds}s` },
    { target: s.rate, duration: "0s" }, { target: s.rate, duration: `${s.duration}s` },
    { target: s.calm, duration: "0s" }, { target: s.calm, duration: `${s.calmSeconds}s` },
  ],
});
const { setup, test, teardown, handleSummary } = life("spike", s);
export { setup, test as default, teardown, handleSummary };
