// Where public hostnames lead.

import { all, allIfAny, ask, path, session } from "./api.js";
import { el, link } from "./dom.js";
import { LIST, missing } from "./tunnels.js";
import { button, card, code, confirm, dialog, field, form, page, pill, select, table, text, toast } from "./parts.js";

export async function show({ signal, again }) {
  const hostnames = await allIfAny(path("hostnames"), signal);
  if (hostnames === null) return missing("Hostnames");
  const tunnels = await all(LIST(), signal);
  return page("Hostnames", {
    intro: "A hostname leads to a tunnel, and there to a service of the private network. Who may use it is said by Access.",
    actions: [session.mayEdit() && button("Add hostname", () => add(tunnels, again), { kind: "primary", disabled: tunnels.length === 0 })],
  }, card("All hostnames", {}, hostnameTable(hostnames, again)));
}

export function hostnameTable(hostnames, again) {
  return table("Hostnames", [
    ["Hostname", (it) => it.hostname],
    ["Tunnel", (it) => it.tunnel_id ? link(["tunnels", it.tunnel_id], it.tunnel_name ?? it.tunnel_id) : "–"],
    ["Service", (it) => it.service ? code(it.service) : "by the connector's rules"],
    ["Guarded by", (it) => it.applications?.length > 0 ? it.applications.join(", ") : pill("nobody may pass", "warn")],
    ["", (it) => session.mayEdit() && button("Remove", () => remove(it, again), { kind: "small danger", label: `Remove ${it.hostname}` })],
  ], hostnames, "There are none yet.");
}

// What the API asks of a hostname.
export function route(hostname, tunnel, service, signal) {
  return ask("PUT", path("hostnames", hostname), { tunnel, ...(service && { service }) }, signal);
}

async function add(tunnels, again) {
  const done = await dialog("Add hostname", (close) => form({
    submit: "Add",
    cancel: button("Cancel", () => close(null)),
    send: async (values) => close(await route(values.hostname, values.tunnel, values.service)),
  },
    field("Hostname", text("hostname", { required: true, placeholder: "db.example.com" }), "Any name; it needs no DNS record, since proxies ask the edge for it."),
    field("Tunnel", select("tunnel", tunnels.map((it) => [it.id, it.name]), tunnels[0]?.id)),
    field("Service", text("service", { placeholder: "tcp://127.0.0.1:5432" }), "As the connector reaches it. Leave it empty if the tunnel's rules say it already.")));
  if (done) again();
}

async function remove(hostname, again) {
  const done = await confirm(`Remove ${hostname.hostname}?`, "Configurations that go this way cannot reach their database any more.", "Remove", {
    async send() {
      await ask("DELETE", path("hostnames", hostname.hostname));
      return true;
    },
  });
  if (!done) return;
  toast(`Removed ${hostname.hostname}.`);
  again();
}
