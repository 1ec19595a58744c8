// A configuration for a database in a private network, with all that leads there: tunnel, hostname, service token,
// application and policy.

import { all, allIfAny, ask, get, path } from "./api.js";
import { el, fill, pause } from "./dom.js";
import { commands, edgeAddress } from "./commands.js";
import * as fields from "./config_fields.js";
import { finish } from "./create_public.js";
import { route } from "./hostnames.js";
import { button, card, field, form, page, select, text, toast } from "./parts.js";
import { Made, showFailure, steps } from "./steps.js";
import { LIST, missing } from "./tunnels.js";

const NEW = "";
const LOOK_MILLISECONDS = 2000;
const STEPS = [
  ["tunnel", "Tunnel"],
  ["hostname", "Hostname that leads to it"],
  ["token", "Service token"],
  ["access", "Access application and its policy"],
  ["connector", "A connector in the private network"],
  ["config", "Configuration; a proxy tries the whole way"],
  ["credential", "Credential for your application"],
];

export async function show({ signal }) {
  const tunnels = await allIfAny(LIST(), signal);
  if (tunnels === null) return missing("Private database");
  const certificates = await all(path("mtls_certificates"), signal);
  const [progress, before] = [el("div", { class: "stack" }), el("div")];
  const made = form({
    submit: "Create configuration",
    async send(values) {
      before.hidden = true;
      const isDone = await create(values, tunnels, progress, signal);
      before.hidden = isDone;
    },
  },
    el("fieldset", el("legend", "Database"),
      el("div", { class: "fields" }, fields.nameField(), fields.schemeField(), fields.loginFields())),
    el("fieldset", el("legend", "Private network"),
      el("div", { class: "fields" },
        tunnelFields(tunnels),
        field("Database host", text("host", { required: true, value: "127.0.0.1" }), "As the connector reaches it."),
        field("Database port", text("port", { type: "number", required: true, min: 1, max: 65535, value: "5432" })),
        field("Hostname", text("hostname", { required: true, placeholder: "db.example.com" }),
          "A new name, by which proxies ask the edge for this database. It needs no DNS record."))),
    el("details", el("summary", "Caching, connections, TLS"),
      el("div", { class: "stack" }, fields.cachingFields(),
        el("div", { class: "fields" }, fields.limitField()), fields.tlsFields(null, certificates))),
    el("p", { class: "note" }, "A service token, an application and a policy that lets this token alone pass are made with it. If a step fails, what was made is taken back."));
  const { scheme, port } = made.elements;
  scheme.addEventListener("change", () => {
    if (["", "3306", "5432"].includes(port.value)) port.value = scheme.value === "mysql" ? "3306" : "5432";
  });
  fill(before, card("What leads there", {}, made));
  return page("Private database", {
    back: [["configs", "new"], "Create configuration"],
    intro: "Nothing in the private network has to be opened to the outside: a connector in there dials out to an edge.",
  }, progress, before);
}

function tunnelFields(tunnels) {
  const choice = select("tunnel", [[NEW, "a new tunnel"], ...tunnels.map((it) => [it.id, `${it.name} (${it.status})`])], NEW);
  const input = text("tunnel_name", { required: true, maxlength: 120, placeholder: "office" });
  const name = field("Name of the new tunnel", input, "Such as the name of the network.");
  choice.addEventListener("change", () => {
    name.hidden = choice.value !== NEW;
    input.required = !name.hidden;
  });
  return [field("Tunnel", choice), name];
}

// Takes every step, or takes all back; says whether it is done.
async function create(values, tunnels, place, signal) {
  const shown = steps(STEPS);
  const trouble = el("div", { role: "alert" });
  const stopping = new AbortController();
  const stop = button("Stop, and take it back", () => stopping.abort());
  const either = AbortSignal.any([signal, stopping.signal]);
  fill(place, card(`Creating ${values.name}`, {}, shown.element, trouble, el("div", stop)));
  place.querySelector("h2").setAttribute("tabindex", "-1");
  place.querySelector("h2").focus();
  const made = new Made();
  // What is half made would be left behind.
  const hold = (event) => event.preventDefault();
  window.addEventListener("beforeunload", hold);
  try {
    const done = await takeSteps(values, tunnels, shown, made, either);
    await finish(place, done.config, done.credential, card("Run the connector", { intro: "If it does not run yet." }, done.commands));
    return true;
  } catch (error) {
    stop.disabled = true;
    fill(trouble, el("p", "Taking back what was made…"));
    const left = await made.undo(shown);
    showFailure(trouble, error, left);
    // Whoever has left the page does not see that.
    if (signal.aborted) {
      toast(left.length === 0 ? `${values.name} was stopped, and taken back.` : left.join(" "), left.length === 0 ? "good" : "bad");
    }
    return false;
  } finally {
    stop.remove();
    window.removeEventListener("beforeunload", hold);
  }
}

// A request that makes something is never cut short, since nobody would know then what it has made; `signal` is looked at
// between them.
async function takeSteps(values, tunnels, shown, made, signal) {
  const { hostname, name } = values;
  const service = `tcp://${values.host.includes(":") ? `[${values.host.replace(/[[\]]/g, "")}]` : values.host}:${values.port}`;
  const step = async (key, work) => {
    signal.throwIfAborted();
    return shown.run(key, work);
  };
  const tunnel = await step("tunnel", () => tunnelOf(values, tunnels, made));
  await step("hostname", async () => {
    const routed = await route(hostname, tunnel.id, service);
    made.add("hostname", `The hostname ${hostname}`, path("hostnames", hostname));
    shown.set("hostname", "running", `${routed.hostname} → ${service}`);
  });
  const token = await step("token", async () => {
    const token = await ask("POST", path("access", "service_tokens"), { name: `jumpgate ${name}`, duration: "forever" });
    made.add("token", `The service token ${token.name}`, path("access", "service_tokens", token.id));
    return token;
  });
  await step("access", async () => {
    const policy = { name: `jumpgate ${name}`, decision: "non_identity", include: [{ service_token: { token_id: token.id } }] };
    const app = await ask("POST", path("access", "apps"), { type: "self_hosted", name: `jumpgate ${name}`, domain: hostname, policies: [policy] });
    made.add("access", `The application ${app.name}`, path("access", "apps", app.id));
  });
  const [secret, edge] = [await get(path("cfd_tunnel", tunnel.id, "token")), await edgeAddress()];
  await step("connector", () => connected(tunnel, shown, commands(secret, edge, service), signal));
  const config = await step("config", async () => {
    const origin = { ...fields.login(values), host: hostname, access_client_id: token.client_id, access_client_secret: token.client_secret };
    const config = await ask("POST", path("hyperdrive", "configs"), { ...fields.asked(values), origin });
    made.add("config", `The configuration ${config.name}`, path("hyperdrive", "configs", config.id));
    return config;
  });
  const credential = await step("credential", () =>
    ask("POST", path("hyperdrive", "configs", config.id, "credentials"), { user: config.name }));
  return { config, credential, commands: commands(secret, edge, service) };
}

async function tunnelOf(values, tunnels, made) {
  const known = tunnels.find((it) => it.id === values.tunnel);
  if (known) return known;
  const tunnel = await ask("POST", path("cfd_tunnel"), { name: values.tunnel_name, config_src: "cloudflare" });
  made.add("tunnel", `The tunnel ${tunnel.name}`, `${path("cfd_tunnel", tunnel.id)}?cascade=true`);
  return tunnel;
}

// Waits until a connector serves the tunnel, or somebody does not want to wait.
async function connected(tunnel, shown, how, signal) {
  const body = shown.body("connector");
  let goesOn = false;
  const look = async () => (await get(path("cfd_tunnel", tunnel.id), signal)).status === "healthy";
  if (!await look()) {
    const skip = button("Go on without waiting", () => { goesOn = true; }, { kind: "small" });
    fill(body, el("p", "Start one now; this goes on as soon as it is connected."), how, el("div", skip));
    while (!goesOn && !await look()) await pause(LOOK_MILLISECONDS, signal);
  }
  fill(body);
  shown.set("connector", "running", goesOn ? "not waited for" : "connected");
}
