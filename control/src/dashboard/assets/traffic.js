// What clients did in the last hour, day or week: figures and charts.

import { get } from "./api.js";
import { chart } from "./chart.js";
import { el, fill, watch } from "./dom.js";
import { amount, bytes, percent, span } from "./format.js";
import { button, card, facts, failure } from "./parts.js";

const LOOK_SECONDS = 15;
const PERIODS = [["hour", "Hour"], ["day", "Day"], ["week", "Week"]];
// What may be told of as one: all that keeps a session on its connection, and all that is never cached.
const BOUND = ["transaction", "pinned"];
const LOOKED_UP = ["hit", "stale", "miss"];

const perSecond = (point, count) => count / point.seconds;
const perMinute = (point, count) => (count * 60) / point.seconds;
const of = (...statuses) => (point) => perSecond(point, statuses.reduce((sum, it) => sum + (point.queries[it] ?? 0), 0));

function rest(point) {
  const others = Object.entries(point.queries).filter(([status]) => !LOOKED_UP.includes(status) && !BOUND.includes(status));
  return perSecond(point, others.reduce((sum, [, count]) => sum + count, 0));
}

const latency = (kind, name, look) => [["p50", "solid"], ["p95", "dashed"], ["p99", "dotted"]].map(([part, dash]) => ({
  name: `${name} ${part}`, look: `${look} ${dash}`, value: (point) => point[kind][part],
}));
const error = (layer, name, look) => ({ name, look, value: (point) => perMinute(point, point.errors[layer]) });

const CHARTS = {
  queries: {
    title: "Statements per second", kind: "stack", format: amount,
    series: [
      { name: "from the cache", look: "c-hit", value: of("hit") },
      { name: "stale", look: "c-stale", value: of("stale") },
      { name: "missed", look: "c-miss", value: of("miss") },
      { name: "in a transaction or pinned", look: "c-bound", value: of(...BOUND) },
      { name: "not cacheable", look: "c-rest", value: rest },
    ],
  },
  latency: {
    title: "Time until the answer", scale: "log", format: span,
    series: [...latency("uncached_ms", "origin", "c-miss"), ...latency("cached_ms", "cache", "c-hit")],
  },
  pool: {
    title: "Connections", format: amount,
    series: [
      { name: "at most", look: "c-rest dashed", value: (point) => point.max_connections || null },
      { name: "in use", look: "c-miss solid", value: (point) => point.in_use },
      { name: "clients that wait", look: "c-bad dotted", value: (point) => point.waiting },
    ],
  },
  bytes: {
    title: "Bytes per second", format: bytes,
    series: [
      { name: "replies", look: "c-miss solid", value: (point) => perSecond(point, point.result_bytes) },
      { name: "statements", look: "c-hit dashed", value: (point) => perSecond(point, point.query_bytes) },
    ],
  },
  errors: {
    title: "Errors per minute", kind: "stack", format: amount,
    series: [
      error("connect", "connecting to the database", "c-bad"),
      error("statement", "statements, by the proxy", "c-stale"),
      error("sql", "statements, by the database", "c-bound"),
    ],
  },
};

// `source` is the path of a history. `each` is called with every answer, `below` stands beneath the charts.
export function traffic(source, signal, { wanted = Object.keys(CHARTS), each, below } = {}) {
  const charts = wanted.map((name) => chart(CHARTS[name]));
  const figures = el("div", { class: "figures" });
  const trouble = el("div");
  let period = "hour";
  const choices = PERIODS.map(([word, text]) => {
    const choice = button(text, () => choose(word), { kind: "small" });
    return [word, choice];
  });
  async function look() {
    const asked = period;
    try {
      const history = await get(`${source}?period=${asked}`, signal);
      if (asked !== period) return;
      fill(trouble);
      fill(figures, shown(history.total));
      const points = history.points.map((point) => ({ ...point, point_seconds: history.point_seconds }));
      charts.forEach((it) => it.update(points));
      each?.(history);
    } catch (error) {
      if (error.name !== "AbortError") fill(trouble, failure(error));
    }
  }
  function choose(word) {
    period = word;
    choices.forEach(([it, choice]) => choice.setAttribute("aria-pressed", String(it === word)));
    return look();
  }
  choose(period);
  watch(signal, LOOK_SECONDS, look);
  return card("Traffic", {
    actions: [el("div", { class: "choice", role: "group", "aria-label": "Period" }, choices.map(([, choice]) => choice))],
  }, trouble, figures, el("div", { class: "charts" }, charts.map(({ node }) => node)), below);
}

function shown(total) {
  const failed = total.errors.connect + total.errors.statement + total.errors.sql;
  return facts([
    ["Statements", amount(total.count)],
    ["Hit ratio", percent(total.hit_ratio)],
    ["Origin, p50 and p95", `${span(total.uncached_ms.p50)}, ${span(total.uncached_ms.p95)}`],
    ["Cache, p50 and p95", `${span(total.cached_ms.p50)}, ${span(total.cached_ms.p95)}`],
    ["Round trips saved", amount(total.round_trips_saved)],
    total.transaction_reads > 0 && ["Reads for in_transactions", amount(total.transaction_reads)],
    ["Errors", amount(failed)],
  ]);
}
