// One tunnel: its health, who is connected, what leads to it, and how a connector is run.

import { allIfAny, ask, get, path, session } from "./api.js";
import { el, fill, go, watch } from "./dom.js";
import { plural } from "./format.js";
import { commands, edgeAddress } from "./commands.js";
import { hostnameTable } from "./hostnames.js";
import { button, card, code, confirm, dialog, facts, field, form, moment, page, status, table, text, toast, worker } from "./parts.js";

const LOOK_SECONDS = 3;

export async function show({ params: [id], signal, again }) {
  const one = path("cfd_tunnel", id);
  const [tunnel, hostnames, configuration] = await Promise.all([
    get(one, signal),
    allIfAny(`${path("hostnames")}?tunnel=${encodeURIComponent(id)}`, signal),
    get(`${one}/configurations`, signal),
  ]);
  const mayEdit = session.mayEdit();
  const live = el("div", { class: "stack" });
  let shown = "";
  const look = async () => {
    const [now, clients] = await Promise.all([get(one, signal), get(`${one}/connections`, signal)]);
    const text = JSON.stringify([now, clients]);
    if (text === shown) return;
    shown = text;
    fill(live, health(now), connectors(one, clients, mayEdit));
  };
  await look();
  watch(signal, LOOK_SECONDS, () => look().catch(() => {}));
  return page(tunnel.name, {
    back: [["tunnels"], "Tunnels"],
    actions: [
      mayEdit && button("Rename", () => rename(one, tunnel, again)),
      mayEdit && button("Rotate secret", () => rotate(one, tunnel)),
      mayEdit && button("Delete", () => remove(one, tunnel), { kind: "danger" }),
    ],
  },
    live,
    mayEdit && install(one, hostnames ?? [], signal),
    card("Hostnames", {}, hostnameTable(hostnames ?? [], again)),
    rules(configuration));
}

function health(tunnel) {
  return card("Health", {}, facts([
    ["Status", status(tunnel.status)],
    ["Id", code(tunnel.id)],
    ["Connections", tunnel.connections?.length ?? 0],
    ["Connected since", moment(tunnel.conns_active_at)],
    ["Rules", tunnel.remote_config ? "from here" : "in the connector's file"],
    ["Created", moment(tunnel.created_at)],
  ]));
}

function connectors(one, clients, mayEdit) {
  return card("Connectors", {
    actions: [mayEdit && clients.length > 0 && worker("Disconnect all", () => ask("DELETE", `${one}/connections`), { kind: "small" })],
  }, table("Connectors", [
    ["Connector", (it) => code(it.id)],
    ["Version", (it) => [it.version, el("span", { class: "sub" }, it.arch ?? "")]],
    ["Runs since", (it) => moment(it.run_at)],
    ["Connections", (it) => (it.conns ?? []).map((conn) =>
      el("span", { class: "sub" }, `${conn.colo_name ?? "edge"} from ${conn.origin_ip ?? "–"}${conn.is_pending_reconnect ? ", reconnecting" : ""}`))],
    ["", (it) => mayEdit && worker("Disconnect", () => ask("DELETE", `${one}/connections?client_id=${encodeURIComponent(it.id)}`), { kind: "small", label: `Disconnect ${it.id}` })],
  ], clients, "No connector is connected. Run one in the private network; it appears here by itself."));
}

// The token opens the tunnel to whoever has it, so that it is shown only when it is asked for.
function install(one, hostnames, signal) {
  const place = el("div");
  const service = hostnames.find((it) => it.service)?.service;
  const reveal = worker("Show token and commands", async () => {
    const [token, edge] = await Promise.all([get(`${one}/token`, signal), edgeAddress(signal)]);
    fill(place, commands(token, edge, service));
  });
  fill(place, reveal);
  return card("Run a connector", {
    intro: "The token lets a connector serve this tunnel. Keep it as a secret.",
  }, place);
}

function rules(configuration) {
  const ingress = configuration.config?.ingress ?? [];
  return card("Rules", { intro: `Version ${configuration.version}, told to connectors by the edge.` },
    table("Rules", [
      ["Hostname", (it) => it.hostname || "every other"],
      ["Path", (it) => it.path || "–"],
      ["Service", (it) => code(it.service)],
    ], ingress, configuration.source === "local" ? "They are in the connector's own file." : "There are none yet; a hostname with a service makes one."));
}

async function rename(one, tunnel, again) {
  const done = await dialog("Rename tunnel", (close) => form({
    submit: "Rename",
    cancel: button("Cancel", () => close(null)),
    send: async (values) => close(await ask("PATCH", one, { name: values.name })),
  }, field("Name", text("name", { value: tunnel.name, required: true, maxlength: 120 }))));
  if (done) again();
}

async function rotate(one, tunnel) {
  const words = `Connectors of ${tunnel.name} need the new token within a day: the present one is right until then.`;
  const done = await confirm("Rotate the secret", words, "Rotate", {
    async send() {
      const bytes = crypto.getRandomValues(new Uint8Array(32));
      return ask("PATCH", one, { tunnel_secret: btoa(String.fromCharCode(...bytes)) });
    },
  });
  if (done) toast("Rotated. The new token is under “Run a connector”.");
}

async function remove(one, tunnel) {
  const count = tunnel.connections?.length ?? 0;
  const words = `What leads to it leads nowhere from then on.${count > 0 ? ` It has ${plural(count, "connection")}, which end.` : ""}`;
  const done = await confirm(`Delete ${tunnel.name}?`, words, "Delete tunnel", {
    name: tunnel.name,
    async send() {
      await ask("DELETE", `${one}?cascade=true`);
      return true;
    },
  });
  if (!done) return;
  toast(`Deleted ${tunnel.name}.`);
  go(["tunnels"]);
}
