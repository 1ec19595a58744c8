// What clients log in with: made, rotated, deleted. A password is shown once.

import { all, ask, path, session } from "./api.js";
import { el, fill } from "./dom.js";
import { time } from "./format.js";
import { button, card, confirm, copyable, dialog, field, form, moment, notice, select, table, text } from "./parts.js";
import { strings } from "./strings.js";

const OVERLAPS = [["86400", "a day"], ["3600", "an hour"], ["604800", "a week"], ["0", "not at all: it ends now"]];

// What is told once of a credential.
export function told(config, credential) {
  return el("div", { class: "stack" },
    copyable("Password", credential.password),
    strings(config, credential));
}

export async function credentials(config, signal) {
  const list = path("hyperdrive", "configs", config.id, "credentials");
  const place = el("div");
  const look = async () => {
    const found = await all(list, signal);
    fill(place, credentialTable(config, list, found, look));
  };
  await look();
  return card("Credentials", {
    intro: "What clients of this configuration log in with. Two passwords are right during a rotation, so that nobody is locked out.",
    actions: [session.mayEdit() && button("Create credential", () => create(config, list, look))],
  }, place);
}

function credentialTable(config, list, found, look) {
  return table("Credentials", [
    ["User", (it) => it.user],
    ["Clients at once", (it) => it.max_connections || "any number"],
    ["Created", (it) => moment(it.created_at)],
    ["Password before", (it) => it.previous_expires_at ? `right until ${time(it.previous_expires_at)}` : "–"],
    ["", (it) => session.mayEdit() && [
      button("Rotate", () => rotate(config, list, it, look), { kind: "small", label: `Rotate the password of ${it.user}` }),
      button("Delete", () => remove(list, it, look), { kind: "small danger", label: `Delete ${it.user}` }),
    ]],
  ], found, "There are none, so nobody can connect. Create one.");
}

async function create(config, list, look) {
  const made = await dialog("Create credential", (close) => form({
    submit: "Create",
    cancel: button("Cancel", () => close(null)),
    async send(values) {
      const max_connections = Number(values.max_connections || 0);
      close(await ask("POST", list, { user: values.user, max_connections }));
    },
  },
    field("User", text("user", { required: true, maxlength: 64 })),
    field("Clients at once, at most", text("max_connections", { type: "number", min: 0, placeholder: "any number" }))));
  if (made) {
    await look();
    await showOnce(config, made, "The new credential");
  }
}

async function rotate(config, list, credential, look) {
  const made = await confirm("Rotate the password", `A new password for ${credential.user} is made, and shown once.`, "Rotate", {
    danger: false,
    fields: [field("The present one stays right for", select("overlap", OVERLAPS, "86400"))],
    send: (values) => ask("POST", `${list}/${encodeURIComponent(credential.user)}/rotate`, { overlap: Number(values.overlap) }),
  });
  if (made) {
    await look();
    await showOnce(config, made, "The new password");
  }
}

async function remove(list, credential, look) {
  const done = await confirm("Delete credential", `Clients that log in as ${credential.user} are refused from then on.`, "Delete", {
    async send() {
      await ask("DELETE", `${list}/${encodeURIComponent(credential.user)}`);
      return true;
    },
  });
  if (done) await look();
}

function showOnce(config, credential, title) {
  return dialog(title, (close) => [
    notice("warn", el("p", "It is not shown again. Copy it now.")),
    told(config, credential),
    el("div", { class: "form-actions" }, button("Done", () => close(true), { kind: "primary" })),
  ]);
}
