// The summary of a test: text for the terminal, and where LOAD_OUT names a folder a page that needs nothing else and
// JSON for programs.

const rounded = (x) => (Number.isInteger(x) ? String(x) : x.toFixed(Math.abs(x) < 10 ? 2 : 1));

const units = { time: " ms", data: " B" };

const order = ["count", "rate", "value", "passes", "fails", "min", "med", "avg", "p(90)", "p(95)", "p(99)", "max"];

// cells are a metric's statistics, which k6 gives in any order.
const cells = (metric) => Object.entries(metric.values)
  .sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
  .map(([stat, value]) => [stat, rounded(value) + (stat === "rate" ? "" : units[metric.contains] || "")]);

// results has one entry for each threshold, those that were crossed first.
const results = (data) => Object.entries(data.metrics)
  .flatMap(([metric, m]) => Object.entries(m.thresholds || {}).map(([rule, t]) => ({ metric, rule, ok: t.ok })))
  .sort((a, b) => a.ok - b.ok);

const ours = (data) => Object.entries(data.metrics)
  .filter(([name]) => /^(penstock_|iteration|dropped|vus_max)/.test(name)).sort(([a], [b]) => (a < b ? -1 : 1));

function text(name, data, verdict) {
  const lines = [`\n${name}: ${verdict}`];
  for (const r of results(data)) lines.push(`  ${r.ok ? "ok  " : "FAIL"}  ${r.metric} ${r.rule}`);
  lines.push("");
  for (const [metric, m] of ours(data)) {
    lines.push(`  ${metric.padEnd(28)} ${cells(m).map(([stat, v]) => `${stat}=${v}`).join("  ")}`);
  }
  return `${lines.join("\n")}\n\n`;
}

const escaped = (x) => String(x).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const row = (...columns) => `<tr>${columns.map((c) => `<td>${c}</td>`).join("")}</tr>`;

const pairs = (object) => Object.entries(object)
  .map(([k, v]) => row(escaped(k), escaped(Array.isArray(v) ? v.join(", ") : v))).join("\n");

const style = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}td{border-bottom:1px solid #8884;padding:.2rem .9rem .2rem 0}
.ok{color:#1a7f37}.bad{color:#cf222e;font-weight:600}:root{color-scheme:light dark}`;

function page(name, data, verdict, setup) {
  const judged = results(data).map((r) => row(
    r.ok ? '<span class="ok">ok</span>' : '<span class="bad">crossed</span>', escaped(r.metric), escaped(r.rule)));
  const measured = ours(data).map(([metric, m]) => row(
    escaped(metric), cells(m).map(([stat, v]) => `${escaped(stat)} ${escaped(v)}`).join(" &nbsp; ")));
  const seconds = rounded(data.state.testRunDurationMs / 1000);
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Penstock load test: ${escaped(name)}</title><style>${style}</style>
<h1>${escaped(name)}: <span class="${verdict === "passed" ? "ok" : "bad"}">${verdict}</span></h1>
<p>${seconds} s in all.</p>
<h2>Thresholds</h2><table>${judged.join("\n")}</table>
<h2>Measured</h2><table>${measured.join("\n")}</table>
<h2>Settings</h2><table>${pairs(setup.settings || {})}</table>
<h2>Servers</h2><table>${pairs(setup.found || {})}</table>
</html>
`;
}

export function summary(name, data, folder) {
  const setup = data.setup_data || {};
  const crossed = results(data).some((r) => !r.ok);
  const verdict = !setup.found ? "not run" : crossed ? "failed" : "passed";
  const out = { stdout: text(name, data, verdict) };
  if (folder) {
    const { metrics, state } = data;
    out[`${folder}/${name}.html`] = page(name, data, verdict, setup);
    out[`${folder}/${name}.json`] = JSON.stringify({
      scenario: name, verdict, seconds: state.testRunDurationMs / 1000, settings: setup.settings, servers: setup.found,
      thresholds: results(data), metrics,
    }, null, 2);
  }
  return out;
}
