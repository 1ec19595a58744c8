// The nodes: what each says of itself.

import { get } from "./api.js";
import { el, fill, watch } from "./dom.js";
import { plural } from "./format.js";
import { card, moment, page, pill, status, table } from "./parts.js";

const LOOK_SECONDS = 5;

export async function show({ signal }) {
  const place = el("div", { class: "stack" });
  let shown = "";
  const look = async () => {
    const nodes = await get("/nodes", signal);
    const text = JSON.stringify(nodes);
    if (text === shown) return;
    shown = text;
    fill(place, card(plural(nodes.length, "node"), {}, nodeTable(nodes)));
  };
  await look();
  watch(signal, LOOK_SECONDS, () => look().catch(() => {}));
  return page("Nodes", {
    intro: "Proxies and edges that follow this control plane. They go on with what they know when it is away.",
  }, place);
}

export function nodeTable(nodes) {
  return table("Nodes", [
    ["Node", (it) => [it.name, el("span", { class: "sub" }, it.address ?? "")]],
    ["Role", (it) => it.role],
    ["Status", (it) => [status(it.status), lacks(it)]],
    ["Config", (it) => it.is_current === false
      ? pill(`behind by ${it.behind_seconds ?? 0} s`, "warn") : it.is_current ? "current" : "–"],
    ["In use", use],
    ["Version", (it) => it.version],
    ["Last seen", (it) => moment(it.last_seen)],
  ], nodes, "No node follows this control plane yet. Point a proxy or an edge at it with the token in node.token.");
}

function lacks(node) {
  const lacking = node.left_out ?? [];
  return lacking.length > 0 && el("details",
    el("summary", `leaves out ${lacking.length}`),
    el("ul", lacking.map((text) => el("li", text))));
}

function use(node) {
  const parts = [];
  if (Number.isInteger(node.connections)) parts.push(plural(node.connections, "connection"));
  const databases = Array.isArray(node.databases) ? node.databases.length : node.databases;
  if (Number.isInteger(databases)) parts.push(plural(databases, "database"));
  if (Number.isInteger(node.connectors)) parts.push(plural(node.connectors, "connector"));
  return parts.join(", ") || "–";
}
