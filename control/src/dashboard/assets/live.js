// What goes on now at all proxies: the statements by shape, and the clients.

import { get } from "./api.js";
import { el, fill, watch } from "./dom.js";
import { amount, percent, plural, span } from "./format.js";
import { button, card, code, facts, failure, pill } from "./parts.js";
import { sortable } from "./sortable.js";

const LOOK_SECONDS = 3;
const STATEMENTS = 100;
const SESSIONS = 200;
const SHORT = 120;
const STATES = { active: "good", waiting: "warn", "in transaction": "warn" };

export function live(one, signal) {
  const figures = el("div", { class: "figures" });
  const trouble = el("div");
  const statements = sortable("Statements", STATEMENT, "total", "No statement was counted yet.");
  const sessions = sortable("Clients", SESSION, "state", "No client is connected.");
  const [more, others] = [el("p", { class: "note" }), el("p", { class: "note" })];
  let isPaused = false;
  const pause = button("Pause", () => {
    isPaused = !isPaused;
    fill(pause, isPaused ? "Go on" : "Pause");
    if (!isPaused) look();
  }, { kind: "small" });
  async function look() {
    try {
      const { nodes, databases } = await get(`${one}/activity?statements=${STATEMENTS}&sessions=${SESSIONS}`, signal);
      if (isPaused) return;
      const database = databases[0] ?? null;
      fill(trouble, nodes.answered < nodes.asked
        && el("p", { class: "note" }, `${plural(nodes.asked - nodes.answered, "proxy", "proxies")} of ${nodes.asked} did not answer.`));
      fill(figures, shown(nodes, database));
      statements.update(database?.statements ?? []);
      sessions.update(database?.sessions ?? []);
      fill(more, database?.statements_left_out > 0 && `${plural(database.statements_left_out, "more shape")} that took less time.`);
      fill(others, database?.sessions_left_out > 0 && `${plural(database.sessions_left_out, "more client")} that do less.`);
    } catch (error) {
      if (error.name !== "AbortError") fill(trouble, failure(error));
    }
  }
  look();
  watch(signal, LOOK_SECONDS, async () => {
    if (!isPaused) await look();
  });
  return [
    card("Now", { actions: [pause], intro: "Asked of all proxies every few seconds while this page is seen." }, trouble, figures),
    card("Statements", { intro: "By shape: texts that differ in their constants alone are one. Counted since the proxies have started." },
      statements.node, more),
    card("Clients", {}, sessions.node, others),
  ];
}

function shown(nodes, database) {
  const pool = database?.pool ?? { max: 0, in_use: 0, idle: 0, waiting: 0 };
  return facts([
    ["Proxies", `${nodes.answered} of ${nodes.asked}`],
    ["Clients", amount(database?.clients ?? 0)],
    ["That keep a connection", amount(database?.pinned ?? 0)],
    ["Connections in use", `${pool.in_use} of ${pool.max || "–"}`],
    ["Idle", amount(pool.idle)],
    ["Clients that wait", amount(pool.waiting)],
  ]);
}

const calls = (it) => Object.values(it.queries).reduce((sum, count) => sum + count, 0);
const micros = (it) => it.cached_micros + it.uncached_micros;

function hitRatio(it) {
  const hits = (it.queries.hit ?? 0) + (it.queries.stale ?? 0);
  const looked = hits + (it.queries.miss ?? 0);
  return looked > 0 ? hits / looked : null;
}

// key, heading, what it is sorted by, what is shown.
const STATEMENT = [
  ["text", "Statement", (it) => it.text, (it) => sql(it.text)],
  ["calls", "Calls", calls, (it) => [amount(calls(it)), it.errors > 0 && el("span", { class: "sub bad" }, plural(it.errors, "error"))]],
  ["hits", "Hits", (it) => hitRatio(it) ?? -1, (it) => percent(hitRatio(it))],
  ["mean", "Mean", (it) => micros(it) / Math.max(calls(it), 1), (it) => span(micros(it) / Math.max(calls(it), 1) / 1000)],
  ["total", "Total time", micros, (it) => span(micros(it) / 1000)],
  ["saved", "Round trips saved", (it) => it.round_trips_saved, (it) => amount(it.round_trips_saved)],
  ["why", "Why not cached", (it) => it.why_not_cached ?? "", (it) => it.why_not_cached ?? "–"],
];

const SESSION = [
  ["user", "Client", (it) => it.user, (it) => [it.user, el("span", { class: "sub" }, [it.address, it.application].filter(Boolean).join(", "))]],
  ["state", "State", (it) => (it.state === "idle" ? -1 : it.state_millis),
    (it) => [pill(it.state, STATES[it.state]), el("span", { class: "sub" }, `for ${span(it.state_millis)}`)]],
  ["statement", "Statement", (it) => it.statement ?? "", (it) => (it.statement ? sql(it.statement) : "–")],
  ["pins", "Keeps a connection", (it) => it.pins.length, (it) => (it.pins.length > 0 ? it.pins.map((pin) => pill(pin, "warn")) : "–")],
  ["connected", "Connected", (it) => it.connected_seconds, (it) => span(it.connected_seconds * 1000)],
  ["node", "Proxy", (it) => it.node, (it) => it.node],
];

// A long text is folded, and stays as it was when it is shown again.
const open = new Set();

function sql(text) {
  if (text.length <= SHORT) return code(text);
  return el("details", {
    class: "sql", open: open.has(text),
    ontoggle(event) {
      if (event.target.open) open.add(text); else open.delete(text);
    },
  }, el("summary", code(`${text.slice(0, SHORT)}…`)), el("pre", el("code", text)));
}
