// All tunnels.

import { all, allIfAny, ask, path, session } from "./api.js";
import { el, fill, go, link, watch } from "./dom.js";
import { button, card, dialog, field, form, moment, notice, page, status, table, text } from "./parts.js";

const LOOK_SECONDS = 5;
export const LIST = () => `${path("cfd_tunnel")}?is_deleted=false`;

export async function show({ signal }) {
  const first = await allIfAny(LIST(), signal);
  if (first === null) return missing("Tunnels");
  const place = el("div", { class: "stack" });
  let shown = "";
  const draw = (tunnels) => {
    const text = JSON.stringify(tunnels);
    if (text === shown) return;
    shown = text;
    fill(place, card("All tunnels", {}, tunnelTable(tunnels)));
  };
  draw(first);
  watch(signal, LOOK_SECONDS, async () => draw(await all(LIST(), signal).catch(() => JSON.parse(shown))));
  return page("Tunnels", {
    intro: "Each is a way into a private network, which its connectors keep open from the inside.",
    actions: [session.mayEdit() && button("Create tunnel", create, { kind: "primary" })],
  }, place);
}

// What a control node without these paths has in their place.
export function missing(title) {
  return page(title, {}, notice("warn", el("p", "This control node knows nothing of them.")));
}

function tunnelTable(tunnels) {
  return table("Tunnels", [
    ["Name", (it) => link(["tunnels", it.id], it.name)],
    ["Status", (it) => status(it.status)],
    ["Connectors", (it) => new Set((it.connections ?? []).map((one) => one.client_id)).size],
    ["Connections", (it) => (it.connections ?? []).length],
    ["Rules", (it) => it.remote_config ? "from here" : "in the connector's file"],
    ["Created", (it) => moment(it.created_at)],
  ], tunnels, "There are no tunnels yet. “Create configuration”, “Private database” makes one with all that belongs to it.");
}

async function create() {
  const made = await dialog("Create tunnel", (close) => form({
    submit: "Create",
    cancel: button("Cancel", () => close(null)),
    send: async (values) => close(await ask("POST", path("cfd_tunnel"), { name: values.name, config_src: "cloudflare" })),
  }, field("Name", text("name", { required: true, maxlength: 120 }), "For people, such as the name of the network.")));
  if (made) go(["tunnels", made.id]);
}

