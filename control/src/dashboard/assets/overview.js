// What there is, how the nodes are, and what was done last.

import { all, allIfAny, get, path, session } from "./api.js";
import { el, fill, link } from "./dom.js";
import { amount, endsWithin, percent, span } from "./format.js";
import { records } from "./audit.js";
import { nodeTable } from "./nodes.js";
import { card, notice, page, table } from "./parts.js";
import { traffic } from "./traffic.js";

const SOON_DAYS = 30;
const BUSIEST = 10;

export async function show({ signal }) {
  const seesAudit = session.seesAll() && session.isAdmin();
  const [configs, tunnels, hostnames, tokens, certificates, nodes, audit] = await Promise.all([
    all(path("hyperdrive", "configs"), signal),
    allIfAny(`${path("cfd_tunnel")}?is_deleted=false`, signal),
    allIfAny(path("hostnames"), signal),
    allIfAny(path("access", "service_tokens"), signal),
    all(path("mtls_certificates"), signal),
    session.seesAll() ? get("/nodes", signal) : null,
    seesAudit ? get("/audit?count=8", signal) : null,
  ]);
  const counts = [
    [configs, "configurations", ["configs"]],
    [tunnels, "tunnels", ["tunnels"]],
    [hostnames, "hostnames", ["hostnames"]],
    [tokens, "service tokens", ["access"]],
    [certificates, "certificates", ["certificates"]],
  ];
  return page("Overview", {
    intro: `Account ${session.account.name}`,
    actions: [session.mayEdit() && el("a", { class: "button primary", href: "#/configs/new" }, "Create configuration")],
  },
    warnings(tokens ?? [], certificates, nodes),
    el("ul", { class: "counts" }, counts.filter(([list]) => list).map(([list, name, target]) =>
      el("li", link(target, el("b", list.length), el("span", name))))),
    history(signal),
    nodes && card("Nodes", { actions: [link(["nodes"], "All about them")] }, nodeTable(nodes)),
    audit && card("Latest changes", { actions: [link(["audit"], "Audit log")] }, records(audit)));
}

function warnings(tokens, certificates, nodes) {
  const ending = [
    ...tokens.filter((it) => endsWithin(it.expires_at, SOON_DAYS)).map((it) => ["The service token", it.name, ["access"]]),
    ...certificates.filter((it) => endsWithin(it.expires_on, SOON_DAYS)).map((it) => ["The certificate", it.name, ["certificates"]]),
  ];
  const lost = (nodes ?? []).filter((it) => it.status === "lost");
  if (ending.length + lost.length === 0) return null;
  return notice("warn",
    ending.map(([kind, name, target]) => el("p", `${kind} `, link(target, name), " ends within 30 days, or has ended.")),
    lost.map((it) => el("p", "The node ", link(["nodes"], it.name), " has not been heard of for a while.")));
}

// The account as a whole, and beneath it what each configuration did in the last hour.
function history(signal) {
  const configs = el("div", { class: "stack" });
  let drawn = "";
  return traffic(path("hyperdrive", "history"), signal, {
    wanted: ["queries", "latency"],
    below: configs,
    each({ configs: found }) {
      const text = JSON.stringify(found);
      if (text === drawn) return;
      drawn = text;
      fill(configs, el("h3", "Configurations in the last hour"), busiest(found));
    },
  });
}

function busiest(configs) {
  const shown = configs.slice(0, BUSIEST);
  return table("Configurations in the last hour", [
    ["Name", (it) => link(["configs", it.id], it.name)],
    ["Statements", (it) => amount(it.count)],
    ["Hit ratio", (it) => percent(it.hit_ratio)],
    ["Origin, p50", (it) => span(it.uncached_ms.p50)],
    ["p95", (it) => span(it.uncached_ms.p95)],
    ["Round trips saved", (it) => amount(it.round_trips_saved)],
    ["Errors", (it) => amount(it.errors.connect + it.errors.statement + it.errors.sql)],
  ], shown, "No client has asked anything in the last hour.");
}
