// One configuration: what it says, who may connect, and what can be done with it.

import { ask, get, path, session } from "./api.js";
import { el, fill, go } from "./dom.js";
import { caching, engine, time, where } from "./format.js";
import { declared } from "./configs.js";
import { credentials } from "./credentials.js";
import { live } from "./live.js";
import { card, code, confirm, dialog, facts, failure, field, form, button, notice, page, text, toast, worker } from "./parts.js";
import { strings } from "./strings.js";
import { traffic } from "./traffic.js";

export async function show({ params: [id], signal }) {
  const one = path("hyperdrive", "configs", id);
  const config = await get(one, signal);
  const isDeclared = Boolean(config.declared_by);
  const mayEdit = session.mayEdit() && !isDeclared;
  const walked = el("div", { "aria-live": "polite" });
  return page(config.name, {
    back: [["configs"], "Configurations"],
    intro: `${engine(config)} at ${where(config.origin)}`,
    actions: [
      mayEdit && worker("Check", () => check(one, walked, signal)),
      session.mayEdit() && button("Purge cache", () => purge(one, config)),
      mayEdit && button("Restart", () => restart(one, config)),
      mayEdit && el("a", { class: "button primary", href: `#/configs/${encodeURIComponent(config.id)}/edit` }, "Edit"),
    ],
  },
    walked,
    isDeclared && notice("plain", el("p", `It is declared ${declared(config)}, with its users: change it there. Its history is not kept here.`)),
    card("Configuration", {}, data(config)),
    !isDeclared && traffic(`${one}/history`, signal),
    card("Connect", {}, strings(config, null)),
    !isDeclared && await credentials(config, signal),
    live(one, signal),
    mayEdit && card("Delete", {
      intro: "Its clients are refused from then on, and their credentials are gone. The database itself stays as it is.",
    }, el("div", button("Delete configuration", () => remove(one, config), { kind: "danger" }))));
}

function data(config) {
  const { origin, mtls, pool } = config;
  const isPrivate = Boolean(origin.access_client_id);
  return facts([
    ["Id", code(config.id)],
    ["Engine", engine(config)],
    [isPrivate ? "Hostname" : "Host", origin.host],
    isPrivate ? ["Access client id", code(origin.access_client_id)] : ["Port", origin.port],
    ["Database", origin.database],
    ["User", origin.user],
    ["Caching", caching(config)],
    !config.caching.disabled && ["Stale while asked anew", `${config.caching.stale_while_revalidate ?? 15} s`],
    ["Connections, at most", config.origin_connection_limit ?? "20, as usual"],
    ["TLS", mtls?.sslmode ?? "require, as usual"],
    mtls?.ca_certificate_id && ["CA certificate", code(mtls.ca_certificate_id)],
    mtls?.mtls_certificate_id && ["Client certificate", code(mtls.mtls_certificate_id)],
    origin.compression && ["Compression", origin.compression],
    ...Object.entries(pool ?? {}).map(([key, value]) => [key.replaceAll("_", " "), String(value)]),
    config.created_on && ["Created", time(config.created_on)],
    config.modified_on && ["Changed", time(config.modified_on)],
    config.restarted_on && ["Restarted", time(config.restarted_on)],
  ]);
}

// Walks the way to the database, and shows each step.
async function check(one, walked, signal) {
  fill(walked, notice("plain", el("p", "A proxy walks to the database…")));
  try {
    const steps = await ask("POST", `${one}/check`, {}, signal);
    fill(walked, steps === null
      ? notice("warn", el("p", "There is no node that could check the connection. The configuration itself keeps every rule."))
      : notice("good", el("p", "The database can be reached."), walk(steps)));
  } catch (error) {
    fill(walked, failure(error));
  }
}

// The steps of a walk: texts, or objects of whichever fields the node tells.
function walk(steps) {
  const list = Array.isArray(steps) ? steps : Array.isArray(steps.steps) ? steps.steps : Object.entries(steps).map(([key, value]) => `${key}: ${told(value)}`);
  return el("ul", { class: "plain" }, list.map((step) => el("li", told(step))));
}

function told(value) {
  if (value === null || typeof value !== "object") return String(value);
  if (Array.isArray(value)) return value.map(told).join(", ");
  return Object.entries(value).map(([key, of]) => `${key.replaceAll("_", " ")}: ${told(of)}`).join(", ");
}

async function purge(one, config) {
  const done = await dialog("Purge the cache", (close) => form({
    submit: "Purge",
    cancel: button("Cancel", () => close(null)),
    async send(values) {
      const tables = values.tables.split(/[\s,]+/).filter(Boolean);
      close(await ask("POST", `${one}/purge`, { tables }));
    },
  },
    el("p", `Every proxy forgets the answers that it keeps of ${config.name}.`),
    field("Only of these tables (optional)", text("tables", { placeholder: "orders, public.items" }))));
  if (done) toast(`Purged on ${done.nodes} ${done.nodes === 1 ? "node" : "nodes"}.`);
}

async function restart(one, config) {
  const words = `All connections to the database of ${config.name} are opened anew. Those in use end with their transaction.`;
  const done = await confirm("Restart", words, "Restart", { danger: false, send: () => ask("POST", `${one}/restart`) });
  if (done) toast(`Restarted ${config.name}.`);
}

async function remove(one, config) {
  const words = "Its clients are refused from then on. This cannot be undone.";
  const done = await confirm(`Delete ${config.name}?`, words, "Delete configuration", {
    name: config.name,
    async send() {
      await ask("DELETE", one);
      return true;
    },
  });
  if (!done) return;
  toast(`Deleted ${config.name}.`);
  go(["configs"]);
}
