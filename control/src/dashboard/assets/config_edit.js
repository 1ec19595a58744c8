// Changing a configuration.

import { all, ask, get, path } from "./api.js";
import { el, go } from "./dom.js";
import * as fields from "./config_fields.js";
import { button, card, field, form, page, text, toast } from "./parts.js";

const TLS_KEYS = ["sslmode", "ca_certificate_id", "mtls_certificate_id"];

export async function show({ params: [id], signal }) {
  const one = path("hyperdrive", "configs", id);
  const [config, certificates] = await Promise.all([get(one, signal), all(path("mtls_certificates"), signal)]);
  const { origin } = config;
  const isPrivate = Boolean(origin.access_client_id);
  const made = form({
    submit: "Save",
    cancel: button("Cancel", () => go(["configs", id])),
    async send(values) {
      await ask("PATCH", one, body(config, values), signal);
      toast(`Saved ${values.name}.`);
      go(["configs", id]);
    },
  },
    el("div", { class: "fields" }, fields.nameField(config.name), fields.schemeField(origin.scheme)),
    el("fieldset", el("legend", "Origin"),
      el("div", { class: "fields" },
        isPrivate ? privateWay(origin) : publicWay(origin),
        fields.loginFields(origin, false))),
    fields.cachingFields(config.caching),
    el("div", { class: "fields" }, fields.limitField(config.origin_connection_limit)),
    fields.tlsFields(config.mtls, certificates),
    el("p", { class: "note" }, "Where the way to the database changes, a proxy tries it before anything is kept. Clients go on with the connections that they have."));
  return page(`Edit ${config.name}`, { back: [["configs", id], config.name] }, card("Settings", {}, made));
}

function publicWay(origin) {
  return [
    field("Host", text("host", { value: origin.host ?? "", required: true })),
    field("Port", text("port", { type: "number", value: origin.port ?? "", required: true, min: 1, max: 65535 })),
  ];
}

function privateWay(origin) {
  return [
    field("Hostname", text("host", { value: origin.host ?? "", required: true }), "One that leads to a tunnel."),
    field("Access client id", text("access_client_id", { value: origin.access_client_id ?? "", required: true })),
    field("Access client secret", text("access_client_secret", { type: "password" }), "Leave it empty to keep the one that is there."),
  ];
}

// Only what differs, so that a proxy has to try the way only where it does.
function body(config, values) {
  const asked = fields.asked(values);
  const before = config.origin;
  const origin = {};
  const wanted = { ...fields.login(values), host: values.host };
  if (before.scheme === "postgresql" && wanted.scheme === "postgres") wanted.scheme = "postgresql";
  if (values.port !== undefined) wanted.port = Number(values.port);
  for (const key of ["access_client_id", "access_client_secret"]) {
    if (values[key]) wanted[key] = values[key];
  }
  for (const [key, value] of Object.entries(wanted)) {
    if (value !== before[key]) origin[key] = value;
  }
  // What says where it is comes as a whole.
  if ("host" in origin && values.port !== undefined) origin.port = wanted.port;
  if ("host" in origin && wanted.access_client_id) origin.access_client_id = wanted.access_client_id;
  if (Object.keys(origin).length > 0) asked.origin = origin;
  asked.caching = caching(config.caching, asked.caching);
  const mtls = {};
  for (const key of TLS_KEYS) mtls[key] = values[key] || null;
  const isSame = TLS_KEYS.every((key) => mtls[key] === fields.tlsValue(config.mtls, key));
  if (isSame) delete asked.mtls; else asked.mtls = TLS_KEYS.some((key) => mtls[key]) ? mtls : null;
  return asked;
}

// A field that was emptied gets its usual value: what is left out of a caching that is given would stay.
function caching(before, asked) {
  if (asked.disabled) return asked;
  if (asked.max_age === undefined && asked.stale_while_revalidate === undefined) return null;
  const full = { ...asked };
  for (const [key, usual] of [["max_age", 60], ["stale_while_revalidate", 15]]) {
    if (full[key] === undefined && before[key] !== undefined) full[key] = usual;
  }
  return full;
}
