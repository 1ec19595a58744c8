// What there is, how the nodes are, and what was done last.

import { all, allIfAny, get, path, session } from "./api.js";
import { el, link } from "./dom.js";
import { endsWithin } from "./format.js";
import { records } from "./audit.js";
import { nodeTable } from "./nodes.js";
import { card, notice, page } from "./parts.js";

const SOON_DAYS = 30;

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
    nodes && card("Nodes", { actions: [link(["nodes"], "All about them")] }, nodeTable(nodes)),
    history(),
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

// Where charts will be. Nothing is drawn that was not measured.
export function history() {
  return card("Traffic", {},
    el("div", { class: "history" }, el("p", { class: "note" },
      "No history is kept yet. Each node's own metrics are at its /metrics.")));
}
