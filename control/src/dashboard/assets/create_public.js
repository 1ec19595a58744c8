// A configuration for a database that proxies reach by host and port.

import { all, ask, path } from "./api.js";
import { el, fill, link } from "./dom.js";
import * as fields from "./config_fields.js";
import { told } from "./credentials.js";
import { card, field, form, notice, page, text } from "./parts.js";

export async function show({ signal }) {
  const certificates = await all(path("mtls_certificates"), signal);
  const place = el("div", { class: "stack" });
  const made = form({
    submit: "Create configuration",
    async send(values) {
      const body = {
        ...fields.asked(values),
        origin: { ...fields.login(values), host: values.host, port: Number(values.port) },
      };
      const config = await ask("POST", path("hyperdrive", "configs"), body, signal);
      const list = path("hyperdrive", "configs", config.id, "credentials");
      await finish(place, config, await ask("POST", list, { user: config.name }));
    },
  },
    pasting(() => made),
    el("div", { class: "fields" },
      fields.nameField(),
      fields.schemeField(),
      field("Host", text("host", { required: true, placeholder: "db.example.com" })),
      field("Port", text("port", { type: "number", required: true, min: 1, max: 65535, value: "5432" })),
      fields.loginFields()),
    el("details", el("summary", "Caching, connections, TLS"),
      el("div", { class: "stack" },
        fields.cachingFields(),
        el("div", { class: "fields" }, fields.limitField()),
        fields.tlsFields(null, certificates))),
    el("p", { class: "note" }, "Before it is kept, a proxy walks the whole way to the database and logs in there."));
  followScheme(made);
  fill(place, card("The database", {}, made));
  return page("Public database", { back: [["configs", "new"], "Create configuration"] }, place);
}

// The usual port of the engine that is chosen, unless somebody wrote another.
function followScheme(made) {
  const { scheme, port } = made.elements;
  scheme.addEventListener("change", () => {
    if (port.value === "" || port.value === "5432" || port.value === "3306") {
      port.value = scheme.value === "mysql" ? "3306" : "5432";
    }
  });
}

function pasting(form) {
  const words = "A connection string fills in the fields below; what stands behind its “?” is not read.";
  const input = text("pasted", {
    placeholder: "postgres://user:password@host:5432/database",
    oninput() {
      const found = fields.parts(input.value);
      if (!found) return;
      const { elements } = form();
      for (const [key, value] of Object.entries(found)) elements[key].value = value;
      input.value = "";
      elements.name.focus();
    },
  });
  return field("Connection string (optional)", input, words);
}

// What was made, and how to connect.
export async function finish(place, config, credential, ...more) {
  fill(place,
    notice("good", el("p", { role: "status" }, "Created ", link(["configs", config.id], config.name), ".")),
    card("Connect", { intro: "The password is shown this once. It can be rotated at any time." }, told(config, credential)),
    more,
    el("p", el("a", { class: "button primary", href: `#/configs/${encodeURIComponent(config.id)}` }, "Open the configuration")));
  const heading = place.querySelector("h2");
  heading.setAttribute("tabindex", "-1");
  heading.focus();
}
