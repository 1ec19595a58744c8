// Service tokens: what a proxy shows an edge to be let through.

import { allIfAny, ask, path, session } from "./api.js";
import { el } from "./dom.js";
import { endsWithin, time } from "./format.js";
import { missing } from "./tunnels.js";
import { button, card, code, confirm, copyable, dialog, field, form, moment, notice, page, pill, select, table, text, toast, worker } from "./parts.js";

const DURATIONS = [["8760h", "a year"], ["17520h", "two years"], ["2160h", "90 days"], ["720h", "30 days"], ["forever", "for ever"]];
const OVERLAPS = [["86400", "a day"], ["3600", "an hour"], ["604800", "a week"], ["0", "not at all: it ends now"]];
const SOON_DAYS = 30;

// Between the pages of Access.
export function tabs(current) {
  const pages = [["access", "Service tokens"], ["access/policies", "Policies"], ["access/applications", "Applications"]];
  return el("nav", { class: "tabs", "aria-label": "Access" }, pages.map(([target, name]) =>
    el("a", { href: `#/${target}`, "aria-current": target === current ? "page" : null }, name)));
}

export async function show({ signal, again }) {
  const tokens = await allIfAny(path("access", "service_tokens"), signal);
  if (tokens === null) return missing("Service tokens");
  return page("Service tokens", {
    intro: "A proxy shows one to an edge. It opens what a policy names it for.",
    actions: [session.mayEdit() && button("Create service token", () => create(again), { kind: "primary" })],
  }, tabs("access"), card("All service tokens", {}, table("Service tokens", [
    ["Name", (it) => it.name],
    ["Client id", (it) => code(it.client_id)],
    ["State", state],
    ["Ends", (it) => it.expires_at ? moment(it.expires_at) : "never"],
    ["Secret before", (it) => it.previous_client_secret_expires_at ? `right until ${time(it.previous_client_secret_expires_at)}` : "–"],
    ["", (it) => session.mayEdit() && [
      button("Rotate", () => rotate(it, again), { kind: "small", label: `Rotate the secret of ${it.name}` }),
      it.expires_at && worker("Extend", () => refresh(it, again), { kind: "small", label: `Extend ${it.name}` }),
      button(it.enabled === false ? "Allow" : "Revoke", () => revoke(it, again), { kind: "small", label: `${it.enabled === false ? "Allow" : "Revoke"} ${it.name}` }),
      button("Delete", () => remove(it, again), { kind: "small danger", label: `Delete ${it.name}` }),
    ]],
  ], tokens, "There are none yet.")));
}

function state(token) {
  if (token.enabled === false) return pill("revoked", "bad");
  if (endsWithin(token.expires_at, 0)) return pill("expired", "bad");
  return endsWithin(token.expires_at, SOON_DAYS) ? pill("ends soon", "warn") : pill("active", "good");
}

const one = (token, ...more) => path("access", "service_tokens", token.id, ...more);

async function create(again) {
  const made = await dialog("Create service token", (close) => form({
    submit: "Create",
    cancel: button("Cancel", () => close(null)),
    send: async (values) => close(await ask("POST", path("access", "service_tokens"), values)),
  },
    field("Name", text("name", { required: true, maxlength: 120 })),
    field("Valid for", select("duration", DURATIONS, "8760h"))));
  if (made) {
    await showOnce("The new service token", made);
    again();
  }
}

function showOnce(title, token) {
  return dialog(title, (close) => [
    notice("warn", el("p", "The secret is not shown again. Copy it now.")),
    copyable("Client id", token.client_id),
    copyable("Client secret", token.client_secret),
    el("div", { class: "form-actions" }, button("Done", () => close(true), { kind: "primary" })),
  ]);
}

async function rotate(token, again) {
  const words = `${token.name} gets a new secret, which is shown once. Give it to each configuration that uses the token.`;
  const made = await confirm("Rotate the secret", words, "Rotate", {
    danger: false,
    fields: [field("The present one stays right for", select("overlap", OVERLAPS, "86400"))],
    send: (values) => ask("POST", one(token, "rotate"), { overlap: Number(values.overlap) }),
  });
  if (made) {
    await showOnce("The new secret", made);
    again();
  }
}

async function refresh(token, again) {
  await ask("POST", one(token, "refresh"));
  toast(`Extended ${token.name}.`);
  again();
}

async function revoke(token, again) {
  const isOff = token.enabled === false;
  const words = isOff ? "It opens what its policies name it for again." : "It opens nothing from then on. What it has open ends. It can be allowed again.";
  const done = await confirm(`${isOff ? "Allow" : "Revoke"} ${token.name}?`, words, isOff ? "Allow" : "Revoke", {
    danger: !isOff,
    send: () => ask("PUT", one(token), { enabled: isOff }),
  });
  if (done) again();
}

async function remove(token, again) {
  const done = await confirm(`Delete ${token.name}?`, "It opens nothing from then on. A token that a policy names cannot be deleted.", "Delete", {
    async send() {
      await ask("DELETE", one(token));
      return true;
    },
  });
  if (done) again();
}
